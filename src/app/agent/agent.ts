/**
 * The agent of one node, put together: configuration, node, lease, overlay, CNI and status, around one kernel loop. It starts in
 * that order and stops in reverse; stopping leaves the network as it is.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import {
  AttachmentFiles,
  CniService,
  DhcpLeases,
  endedBy,
  ipamExec,
  type LeaseFacts,
  rootedAddresses,
} from '#app/cni/index.ts';
import { delay } from '#base/clock.ts';
import type { IpFamily } from '#base/ip/index.ts';
import type { ExecPlugin } from '#core/cni/index.ts';
import { CNI, OVERLAY } from '#core/kernel/index.ts';
import {
  enabledFamilies,
  encodeSubnetEnv,
  type FamilyKey,
  type LeaseOffer,
  type LeaseRegistry,
  type NetConf,
  type SubnetLease,
} from '#core/lease/index.ts';
import type { OffloadMode } from '#core/offload/index.ts';
import type { LocalSubnet } from '#core/overlay/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createExecPlugin, createForeignTest } from '#io/cni/exec/index.ts';
import { DiskAddressStore } from '#io/cni/host-local-store/index.ts';
import { CniServer } from '#io/cni/server/index.ts';
import { atomicWrite, readRegularFile, readTextIfExists } from '#io/files/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { currentNamespace, type Namespace } from '#io/namespace/index.ts';
import { OffloadKeeper } from '#io/offload/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';
import { backendFor, type Carrying, underlayOf } from './backend.ts';
import { KernelLoop } from './kernel-loop.ts';
import {
  describeDrift,
  findNodeAddresses,
  type NodeAddresses,
  type NodeAddressWishes,
  SOMEWHERE,
} from './node-addresses.ts';
import { lockNode } from './node-lock.ts';
import { OverlayMember } from './overlay-member.ts';
import { type AgentPaths, agentPaths } from './paths.ts';
import { PendingDels, readRecordedDels } from './pending-dels.ts';
import type { RegistrySource } from './registries/source.ts';
import { untilReachable } from './retry.ts';
import { type AgentStatus, StatusServer } from './status.ts';

export interface AgentOptions extends NodeAddressWishes {
  readonly node: string;
  /** Where leases are; without it the agent serves CNI alone: no lease, no overlay, no Node object. */
  readonly registry?: RegistrySource;
  /** Prefix of all files; `/` on a host. */
  readonly root: string;
  /** Whether the VXLAN devices may offload checksums; `auto` finds out. */
  readonly checksumOffload: OffloadMode;
  readonly logger: Logger;
}

/** Runs until the signal aborts. Rejects on configuration that cannot work. */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  await using _lock = await lockNode();
  await using agent = new Agent(options, signal);
  await agent.start();
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

const CLOCK = { clock: systemClock, random: systemRandom };
/** How long the addresses of a pod that vanished unseen may stay taken. */
const SWEEP_MS = 60_000;
/** resolv.conf(5) names a handful of servers. */
const MAX_RESOLV_CONF_BYTES = 64 * 1024;

class Agent implements AsyncDisposable {
  private readonly options: AgentOptions;
  private readonly signal: AbortSignal;
  private readonly paths: AgentPaths;
  private readonly resources = new AsyncDisposableStack();
  private readonly namespace: Namespace;
  private readonly kernel: RealKernel;
  private readonly loop: KernelLoop;
  private readonly offload: OffloadKeeper;
  private facts: LeaseFacts | undefined;
  private member: OverlayMember | undefined;
  private ready = false;
  /** Why this node will not become ready until its configuration is another. */
  private fatal: string | undefined;
  private underlay: NodeAddresses | undefined;

  constructor(options: AgentOptions, signal: AbortSignal) {
    this.options = options;
    this.signal = signal;
    this.paths = agentPaths(options.root);
    for (const path of [this.paths.attachments, this.paths.cniPending, dirname(this.paths.lease)]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    }
    mkdirSync(dirname(this.paths.subnetEnv), { recursive: true });
    this.namespace = this.resources.use(currentNamespace());
    this.kernel = this.resources.use(
      RealKernel.open(this.namespace, {
        onError: (error) => options.logger.warn({ err: error }, 'kernel state read again'),
      }),
    );
    // An agent that serves CNI alone knows nothing of an overlay, and so leaves one that is there as it is.
    const owners = options.registry === undefined ? [CNI] : [OVERLAY, CNI];
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
    this.resources.use(await StatusServer.listen(this.paths.statusSocket, () => this.status()));
    await this.serveCni();
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
    const { signal } = this;
    const retry = { ...CLOCK, logger, signal };
    const netConf = await untilReachable('network configuration', () => source.netConf(signal), retry);
    const families = enabledFamilies(netConf).map(familyOfKey);
    const addresses = await findNodeAddresses(this.kernel.state(), families, this.options);
    this.underlay = addresses;
    logger.info(
      { link: addresses.link.name, ipv4: addresses.ipv4, ipv6: addresses.ipv6, reason: addresses.reason },
      'underlay',
    );
    const underlay = underlayOf(this.kernel.state(), addresses, this.readSysctl);
    const carrying = backendFor(netConf.backend, underlay);
    if (typeof carrying === 'string') {
      this.fatal = carrying;
      logger.error({ reason: carrying }, 'backend not carried');
    }
    const previous = await readPrevious(this.paths.lease);
    const registry = await source.open(
      {
        node,
        netConf,
        offer: offerOf(node, netConf, addresses, carrying),
        publicIps: addresses,
        ...(previous !== undefined && { previous }),
      },
      signal,
    );
    this.beMember(source, registry, netConf, typeof carrying === 'string' ? undefined : carrying, addresses);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resources.disposeAsync();
  }

  private beMember(
    source: RegistrySource,
    registry: LeaseRegistry,
    netConf: NetConf,
    carrying: Carrying | undefined,
    addresses: NodeAddresses,
  ): void {
    const { logger, node } = this.options;
    const families = enabledFamilies(netConf).map(familyOfKey);
    const mtuBytes = carrying?.backend.podMtuBytes(families) ?? 0;
    this.member = this.resources.use(
      new OverlayMember({
        registry,
        loop: this.loop,
        logger,
        node,
        netConf,
        publicIps: addresses,
        ...carrying,
        held: (locals) => this.held(locals, mtuBytes, families),
        inPlace: async (lease) => {
          await this.offload.keep(carrying?.backend.probedLinks(families) ?? []);
          await this.announce(source, lease, netConf, mtuBytes, addresses);
        },
      }),
    );
    this.member.start();
  }

  /** What pods get of this node's lease; without one, ADD asks to be tried again later. */
  private held(
    locals: readonly LocalSubnet[] | undefined,
    mtuBytes: number,
    families: readonly IpFamily[],
  ): void {
    this.ready &&= locals !== undefined;
    this.facts = locals && {
      node: this.options.node,
      addresses: locals.map((local) => local.localIp ?? local.publicIp),
      defaultRanges: locals.map((local) => local.subnet),
      overlayMtuBytes: mtuBytes,
      ipv6: families.includes(6) || this.hasIpv6(),
    };
  }

  /** Tells the host, and the registry where it wants to know, what this node holds. */
  private async announce(
    source: RegistrySource,
    lease: SubnetLease,
    netConf: NetConf,
    mtuBytes: number,
    addresses: NodeAddresses,
  ): Promise<void> {
    const { logger } = this.options;
    const subnets = { ipv4: lease.ipv4?.subnet, ipv6: lease.ipv6?.subnet };
    await atomicWrite(this.paths.lease, JSON.stringify(subnets));
    await atomicWrite(this.paths.subnetEnv, encodeSubnetEnv(netConf, lease, mtuBytes, false));
    const wasReady = this.ready;
    this.ready = true;
    if (!wasReady) logger.info({ firstPassOps: this.loop.status().firstPassOps }, 'ready');
    await source.announce?.(lease, addresses, this.signal);
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
    const service = this.resources.use(
      new CniService({
        kernel: this.kernel,
        namespace: this.namespace,
        defaultLink: () => this.kernel.linkTo(SOMEWHERE[4]) ?? this.kernel.linkTo(SOMEWHERE[6]),
        loop: this.loop,
        files: new AttachmentFiles(this.paths.attachments),
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
        facts: () => this.facts ?? this.fatal ?? 'this node holds no subnet lease yet',
        recordedDels: () => readRecordedDels(this.paths.cniPending),
        logger,
      }),
    );
    await service.restore();
    void this.sweepRegularly(service);
    this.resources.use(
      await CniServer.listen({
        path: this.paths.cniSocket,
        handle: (call) => service.handle(call),
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

  private status(): AgentStatus {
    const lease = this.member?.lease;
    return {
      node: this.options.node,
      ready: this.ready,
      cniOnly: this.options.registry === undefined,
      pid: process.pid,
      lease: { ipv4: lease?.ipv4?.subnet ?? null, ipv6: lease?.ipv6?.subnet ?? null },
      store: this.options.registry === undefined ? 'none' : this.member?.connected ? 'connected' : 'away',
      kernel: this.loop.status(),
      checksumOffload: Object.fromEntries(this.offload.status()),
      fatal: this.fatal ?? null,
      problems: [
        ...(this.fatal === undefined ? [] : [this.fatal]),
        ...(this.underlay === undefined ? [] : describeDrift(this.kernel.state(), this.underlay)),
        ...(this.member?.problemTexts() ?? []),
      ],
      memoryMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
    };
  }
}

function offerOf(
  node: string,
  netConf: NetConf,
  publicIps: NodeAddresses,
  carrying: Carrying | string,
): LeaseOffer {
  const offer = (key: FamilyKey) => {
    const publicIp = publicIps[key];
    const told = typeof carrying === 'string' ? undefined : carrying.backend.offer(node, familyOfKey(key));
    return {
      ...(publicIp !== undefined && { publicIp }),
      ...(told !== undefined && { backendData: told }),
    };
  };
  return { backendType: netConf.backend.type, ipv4: offer('ipv4'), ipv6: offer('ipv6') };
}

function familyOfKey(key: FamilyKey): IpFamily {
  return key === 'ipv4' ? 4 : 6;
}

async function readPrevious(path: string): Promise<{ ipv4?: string; ipv6?: string } | undefined> {
  const text = await readTextIfExists(path);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as { ipv4?: string; ipv6?: string });
  } catch {
    return undefined; // a wish only: the store says what this node holds
  }
}
