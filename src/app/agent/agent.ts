/**
 * The agent of one node, put together: configuration, node, lease, overlay, CNI and status, around one kernel loop. It starts in
 * that order and stops in reverse; stopping leaves the network as it is.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  AttachmentJournal,
  CniService,
  DhcpLeases,
  endedBy,
  ipamExec,
  type LeaseFacts,
  rootedAddresses,
} from '#app/cni/index.ts';
import { type AgentFigures, type AgentMetrics, serveHealth } from '#app/health/index.ts';
import { delay } from '#base/clock.ts';
import type { ExecPlugin } from '#core/cni/index.ts';
import { BGP, CNI, LAB, overlayOwner, POLICY } from '#core/kernel/index.ts';
import { POLICY_LOG_GROUP } from '#core/policy/flows/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createExecPlugin, createForeignTest } from '#io/cni/exec/index.ts';
import { DiskAddressStore } from '#io/cni/host-local-store/index.ts';
import { CniServer } from '#io/cni/server/index.ts';
import { FlowCutter } from '#io/conntrack/index.ts';
import { readRegularFile, removeIfExists } from '#io/files/index.ts';
import { isLogHeard } from '#io/flow-log/index.ts';
import { sendJson } from '#io/http/index.ts';
import { bridgeMode, RealKernel } from '#io/kernel/index.ts';
import { currentNamespace, type Namespace } from '#io/namespace/index.ts';
import { OffloadKeeper } from '#io/offload/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { BgpPart, PodAddresses, placeOf } from './bgp/index.ts';
import { FIRST_NETWORK, HostNetworks } from './host-networks.ts';
import { KernelLoop } from './kernel-loop.ts';
import { Membership, type MembershipOptions } from './membership.ts';
import { SOMEWHERE } from './node-addresses.ts';
import { isPlaceFree, lockNode } from './node-lock.ts';
import type { AgentOptions, NetworkChoice } from './options.ts';
import { type AgentPaths, agentPaths } from './paths.ts';
import { PendingDels, readRecordedDels } from './pending-dels.ts';
import { nameSource, PolicyKeeper } from './policy/index.ts';
import type { RegistrySource } from './registries/source.ts';
import { type AgentStatus, StatusServer, type StatusSource } from './status.ts';

const ONLY_NETWORK: NetworkChoice = { name: FIRST_NETWORK, mayBeFirst: true };

/** Runs until the signal aborts. Rejects on configuration that cannot work. */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const { network = ONLY_NETWORK, root, registry, logger } = options;
  const networks = new HostNetworks(agentPaths(root).networks);
  // An agent that serves CNI alone has no network, and shares the place of the first one.
  const number = registry === undefined ? 0 : await numberOf(network, networks);
  await using _lock = await lockNode(number, registry === undefined ? undefined : network.name);
  if (number > 0)
    logger.info(
      { network: network.name, number },
      'a further network of this host: CNI is served by the agent of the first',
    );
  await using agent = new Agent(options, { networks, number, name: network.name }, signal);
  await agent.start();
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

const CLOCK = { clock: systemClock, random: systemRandom };
/** How long the addresses of a pod that vanished unseen may stay taken. */
const SWEEP_MS = 60_000;
/** resolv.conf(5) names a handful of servers. */
const MAX_RESOLV_CONF_BYTES = 64 * 1024;

/** A network that need not be the first is none beside an agent that serves CNI alone. */
async function numberOf({ name, mayBeFirst }: NetworkChoice, networks: HostNetworks): Promise<number> {
  const isFirst = mayBeFirst && (name === FIRST_NETWORK || (await isPlaceFree(0)));
  return networks.claim(name, isFirst);
}

class Agent implements AsyncDisposable {
  private readonly options: AgentOptions;
  private readonly network: MembershipOptions['network'];
  private readonly signal: AbortSignal;
  private readonly paths: AgentPaths;
  private readonly resources = new AsyncDisposableStack();
  private readonly namespace: Namespace;
  private readonly kernel: RealKernel;
  private readonly loop: KernelLoop;
  private readonly offload: OffloadKeeper;
  private facts: LeaseFacts | undefined;
  private membership: Membership | undefined;
  private metrics: AgentMetrics | undefined;
  private service: CniService | undefined;
  private policy: PolicyKeeper | undefined;
  private bgp: BgpPart | undefined;
  private pods: PodAddresses | undefined;
  private ready = false;

  constructor(options: AgentOptions, network: MembershipOptions['network'], signal: AbortSignal) {
    const { name, number } = network;
    this.options = options;
    this.network = network;
    this.signal = signal;
    this.paths = agentPaths(options.root, options.subnetFile, number === 0 ? undefined : name);
    const { attachments, cniPending, lease, statusSocket } = this.paths;
    for (const path of [attachments, cniPending, dirname(lease), dirname(statusSocket)]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    }
    mkdirSync(dirname(this.paths.subnetEnv), { recursive: true });
    this.namespace = this.resources.use(currentNamespace());
    this.kernel = this.resources.use(
      RealKernel.open(this.namespace, {
        owners: [overlayOwner(number), CNI, LAB, POLICY, BGP],
        onError: (error) => options.logger.warn({ err: error }, 'kernel state read again'),
      }),
    );
    // An agent that serves CNI alone knows nothing of an overlay, and so leaves one that is there as it is.
    const overlays = options.registry === undefined ? [] : [overlayOwner(number)];
    const owners = number === 0 ? [...overlays, CNI] : overlays;
    this.loop = this.resources.use(
      new KernelLoop({ ...CLOCK, kernel: this.kernel, owners, logger: options.logger }),
    );
    this.offload = this.resources.use(
      new OffloadKeeper({
        kernel: this.kernel,
        namespace: this.namespace,
        mode: options.checksumOffload,
        cacheFile: this.paths.checksumOffload,
        logger: options.logger,
      }),
    );
  }

  async start(): Promise<void> {
    const { registry } = this.options;
    const status = () => this.status();
    const answerBgp: StatusSource['answerBgp'] = (incoming, response) => {
      if (this.bgp !== undefined) this.bgp.answer(incoming, response);
      else sendJson(response, 503, { error: 'this agent does not speak BGP' });
    };
    this.resources.use(await StatusServer.listen(this.paths.statusSocket, { status, answerBgp }));
    await this.serveHealth();
    if (this.network.number === 0) await this.serveCni();
    if (registry === undefined) this.beAlone();
    else await this.join(registry);
  }

  /** A plain container host: every network says itself where its addresses come from. */
  private beAlone(): void {
    const { logger, node } = this.options;
    this.facts = { node, addresses: [], defaultRanges: [], ipv6: this.hasIpv6() };
    this.loop.start();
    this.ready = true;
    logger.info('ready: CNI alone');
  }

  private async join(source: RegistrySource): Promise<void> {
    const { logger, node } = this.options;
    if (this.network.number === 0) this.bgp = this.openBgp();
    this.membership = this.resources.use(
      new Membership({
        ...this.options,
        node,
        source,
        network: this.network,
        wishes: this.options,
        paths: this.paths,
        kernel: this.kernel,
        namespace: this.namespace,
        loop: this.loop,
        offload: this.offload,
        signal: this.signal,
        readSysctl: this.readSysctl,
        onFacts: (facts) => {
          this.ready &&= facts !== undefined;
          this.facts = facts && { ...facts, ipv6: facts.families.includes(6) || this.hasIpv6() };
          this.bgp?.settle(facts && placeOf(facts, this.kernel.state()));
        },
        onReady: () => {
          if (!this.ready) logger.info({ firstPassOps: this.loop.status().firstPassOps }, 'ready');
          this.ready = true;
          this.options.onReady?.();
        },
      }),
    );
    await this.membership.join();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resources.disposeAsync();
  }

  private readonly readSysctl = (path: string): string | undefined => {
    this.kernel.trackSysctls([path]);
    const found = this.kernel.state().get(`sysctl ${path}`);
    return found?.kind === 'sysctl' ? found.value : undefined;
  };

  /** Runs plugins of others; those of ours that they run find this agent. */
  private pluginExec(): ExecPlugin {
    const { cniSocket, cniPending } = this.paths;
    return createExecPlugin({
      environment: { POPLIN_CNI_SOCKET: cniSocket, POPLIN_CNI_PENDING_DIR: cniPending },
      onStderr: (plugin, text) => this.options.logger.info({ plugin, text }, 'plugin says'),
    });
  }

  /** Again and again, until the agent stops: pods without a link on the host vanish without a word. */
  private async sweepRegularly(service: CniService): Promise<void> {
    const { signal } = this;
    for (;;) {
      await delay(systemClock, SWEEP_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      await service
        .sweep()
        .catch((error: unknown) => this.options.logger.error({ err: error }, 'vanished pods not looked for'));
    }
  }

  private hasIpv6(): boolean {
    return this.readSysctl('net/ipv6/conf/all/forwarding') !== undefined;
  }

  private async serveCni(): Promise<void> {
    const { logger } = this.options;
    const addresses = new DiskAddressStore();
    const exec = this.pluginExec();
    this.policy = this.openPolicy();
    if (this.policy === undefined) await this.endPolicy();
    const { bgp } = this.options;
    if (bgp !== undefined && bgp.isWanted !== false) this.pods = new PodAddresses(this.policy);
    const endpoints = this.pods ?? this.policy;
    const service = this.resources.use(
      new CniService({
        kernel: this.kernel,
        namespace: this.namespace,
        defaultLink: () => this.kernel.linkTo(SOMEWHERE[4]) ?? this.kernel.linkTo(SOMEWHERE[6]),
        loop: this.loop,
        journal: new AttachmentJournal(this.paths.attachments),
        rules: createRuleTool(),
        ipam: {
          addresses: rootedAddresses(addresses, this.paths.hostLocal),
          dhcp: this.resources.use(
            DhcpLeases.open({ folder: this.paths.dhcp, clock: systemClock, random: systemRandom, logger }),
          ),
          exec: ipamExec(exec, this.signal),
          readResolvConf: async (path) => readRegularFile(path, MAX_RESOLV_CONF_BYTES),
        },
        delegates: { exec: endedBy(exec, this.signal), isForeign: createForeignTest() },
        facts: () => this.podFacts() ?? this.membership?.fatal ?? 'this node holds no subnet lease yet',
        recordedDels: () => readRecordedDels(this.paths.cniPending),
        ...(endpoints !== undefined && { policy: endpoints }),
        logger,
      }),
    );
    this.service = service;
    await service.restore();
    await this.policy?.start();
    void this.sweepRegularly(service);
    this.resources.use(
      await CniServer.listen({
        path: this.paths.cniSocket,
        handle: this.metrics?.counting((call) => service.handle(call)) ?? ((call) => service.handle(call)),
        onRefused: (reason) => logger.warn({ reason }, 'cni connection refused'),
      }),
    );
    this.resources.use(
      new PendingDels({
        folder: this.paths.cniPending,
        handle: (call, isDue) => service.handle(call, isDue),
        clock: systemClock,
        logger,
      }),
    );
  }

  /** Tunnels of Calico's pools are not known when the lease is. */
  private podFacts(): LeaseFacts | undefined {
    const { facts, bgp } = this;
    if (facts?.overlayMtuBytes === undefined || bgp === undefined) return facts;
    return { ...facts, overlayMtuBytes: bgp.podMtuBytes(facts.overlayMtuBytes) };
  }

  private openPolicy(): PolicyKeeper | undefined {
    const { policies, registry, node, logger } = this.options;
    if (policies === undefined || registry?.store === undefined) return undefined;
    return this.resources.use(
      new PolicyKeeper({
        ...CLOCK,
        node,
        store: registry.store,
        loop: this.loop,
        ...(policies.cutFlows && {
          openCutter: (judge) => new FlowCutter({ ...judge, namespace: this.namespace }),
        }),
        journalFile: this.paths.policy,
        names: nameSource(this.namespace, this.paths.policyNames, policies.nameExtraSec),
        ...(policies.nameServers && { nameServers: policies.nameServers }),
        bridge: bridgeMode(this.namespace),
        links: this.kernel,
        isLogHeard: () => isLogHeard(this.namespace, POLICY_LOG_GROUP),
        logger,
        signal: this.signal,
      }),
    );
  }

  private openBgp(): BgpPart {
    const { bgp = { isWanted: false }, registry, node, logger } = this.options;
    const { kernel, loop, signal } = this;
    const store = registry?.store;
    return this.resources.use(
      new BgpPart({
        ...CLOCK,
        node,
        loop,
        kernel,
        logger,
        signal,
        ...(this.pods !== undefined && { pods: this.pods }),
        ...(store === undefined ? { isWanted: false } : { ...bgp, store }),
      }),
    );
  }

  /** What an agent before this one carried out would be in force for ever, and nobody would follow what the policies say. */
  private async endPolicy(): Promise<void> {
    this.loop.own(POLICY);
    for (const path of [this.paths.policy, this.paths.policyNames]) await removeIfExists(path);
  }

  private async serveHealth(): Promise<void> {
    const { health, logger } = this.options;
    if (health === undefined) return;
    const { metrics } = this.resources.use(
      await serveHealth({
        ...health,
        notReady: () =>
          this.ready ? undefined : (this.membership?.fatal ?? 'no lease is held and in place'),
        source: { version: packageJson.version, now: () => systemClock.now(), figures: () => this.figures() },
        clock: systemClock,
        logger,
      }),
    );
    this.metrics = metrics;
  }

  private figures(): AgentFigures {
    const { membership } = this;
    return {
      ready: this.ready,
      problems: this.status().problems.length,
      ...(membership !== undefined && { storeConnected: membership.connected }),
      leases: [],
      remoteLeases: 0,
      refusedLeases: 0,
      ...membership?.figures(),
      attachments: this.service?.attachmentCount ?? 0,
      kernel: this.loop.status(),
      bgp: this.bgp?.status()?.neighbors ?? [],
    };
  }

  private status(): AgentStatus {
    const { membership } = this;
    const lease = membership?.lease;
    return {
      node: this.options.node,
      network: this.network.name,
      ready: this.ready,
      cniOnly: this.options.registry === undefined,
      pid: process.pid,
      lease: { ipv4: lease?.ipv4?.subnet ?? null, ipv6: lease?.ipv6?.subnet ?? null },
      store: this.options.registry === undefined ? 'none' : membership?.connected ? 'connected' : 'away',
      underlay: membership?.underlayStatus ?? null,
      kernel: this.loop.status(),
      checksumOffload: Object.fromEntries(this.offload.status()),
      fatal: membership?.fatal ?? null,
      policy: this.policy?.status() ?? null,
      bgp: this.bgp?.status() ?? null,
      problems: [membership, this.policy, this.bgp].flatMap((each) => each?.problemTexts() ?? []),
      memoryMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
    };
  }
}
