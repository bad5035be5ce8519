/**
 * The agent of one node, put together: configuration, node, lease, overlay, CNI and status, around one kernel loop. It starts in
 * that order and stops in reverse; stopping leaves the network as it is.
 */
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { AttachmentFiles, CniService, rootedAddresses } from '#app/cni/index.ts';
import type { IpFamily } from '#base/ip/index.ts';
import { CNI_ERROR, CniError, type NodeFacts } from '#core/cni/index.ts';
import { CNI, OVERLAY } from '#core/kernel/index.ts';
import {
  enabledFamilies,
  encodeSubnetEnv,
  LEASE_NAMESPACE,
  LEASE_SELECTOR,
  type NetConf,
  type SubnetLease,
  type VxlanConfig,
} from '#core/lease/index.ts';
import {
  type OverlaySubnet,
  overlayMtuBytes,
  planLocal,
  type VxlanSettings,
  vtepMac,
} from '#core/overlay/index.ts';
import { isAlreadyExists, type ObjectStore, RESOURCES } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { DiskAddressStore } from '#io/cni/host-local-store/index.ts';
import { CniServer } from '#io/cni/server/index.ts';
import { atomicWrite, readTextIfExists } from '#io/files/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { currentNamespace } from '#io/namespace/index.ts';
import { KernelLoop } from './kernel-loop.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { loadNetConf } from './net-conf-source.ts';
import { findNodeAddresses, type NodeAddresses, type NodeAddressWishes } from './node-addresses.ts';
import { findNode, publishNode } from './node-object.ts';
import { OverlayFeed } from './overlay-feed.ts';
import { type AgentPaths, agentPaths } from './paths.ts';
import { carryOutPendingDels } from './pending-dels.ts';
import { untilReachable } from './retry.ts';
import { type AgentStatus, StatusServer } from './status.ts';

export interface AgentOptions extends NodeAddressWishes {
  readonly node: string;
  readonly store: ObjectStore;
  readonly netConfFile?: string;
  readonly registerNode: boolean;
  /** Prefix of all files; `/` on a host. */
  readonly root: string;
  readonly logger: Logger;
}

/** Runs until the signal aborts. Rejects on configuration that cannot work. */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  await using agent = new Agent(options, signal);
  await agent.start();
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

const CLOCK = { clock: systemClock, random: systemRandom };

class Agent implements AsyncDisposable {
  private readonly options: AgentOptions;
  private readonly signal: AbortSignal;
  private readonly paths: AgentPaths;
  private readonly resources = new AsyncDisposableStack();
  private readonly kernel: RealKernel;
  private readonly loop: KernelLoop;
  private facts: Omit<NodeFacts, 'host' | 'pod'> | undefined;
  private keeper: LeaseKeeper | undefined;
  private feed: OverlayFeed | undefined;
  private lease: SubnetLease | undefined;
  private ready = false;
  private readonly synced = Promise.withResolvers<void>();

  constructor(options: AgentOptions, signal: AbortSignal) {
    this.options = options;
    this.signal = signal;
    this.paths = agentPaths(options.root);
    for (const path of [this.paths.attachments, this.paths.cniPending, dirname(this.paths.lease)]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    }
    mkdirSync(dirname(this.paths.subnetEnv), { recursive: true });
    const namespace = this.resources.use(currentNamespace());
    this.kernel = this.resources.use(RealKernel.open(namespace));
    this.loop = this.resources.use(
      new KernelLoop({ ...CLOCK, kernel: this.kernel, owners: [OVERLAY, CNI], logger: options.logger }),
    );
  }

  async start(): Promise<void> {
    const { store, logger, node, registerNode, netConfFile } = this.options;
    const { signal } = this;
    this.resources.use(await StatusServer.listen(this.paths.statusSocket, () => this.status()));
    const retry = { ...CLOCK, logger, signal };
    const netConf = await untilReachable(
      'network configuration',
      () => loadNetConf(netConfFile, store, systemClock, logger, signal),
      retry,
    );
    const { backend } = netConf;
    if (backend.type !== 'vxlan' || backend.directRouting) {
      const what =
        backend.type === 'vxlan' ? 'Backend.DirectRouting: true' : `Backend.Type: "${backend.type}"`;
      throw new Error(
        `${what} is not built yet: this release carries packets by "vxlan" without DirectRouting`,
      );
    }
    const ownerUid = await untilReachable('node', () => findNode(store, node, registerNode, signal), retry);
    await ensureNamespace(store, signal);
    const families = enabledFamilies(netConf).map((key): IpFamily => (key === 'ipv4' ? 4 : 6));
    const addresses = await findNodeAddresses(this.kernel.state(), families, this.options);
    logger.info(
      { link: addresses.link.name, ipv4: addresses.ipv4, ipv6: addresses.ipv6, reason: addresses.reason },
      'underlay',
    );
    const settings = vxlanSettings(backend, addresses);
    await this.serveCni();
    await this.joinOverlay(netConf, backend, settings, addresses, families, ownerUid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resources.disposeAsync();
  }

  private async joinOverlay(
    netConf: NetConf,
    backend: VxlanConfig,
    settings: VxlanSettings,
    addresses: NodeAddresses,
    families: readonly IpFamily[],
    ownerUid: string,
  ): Promise<void> {
    const { store, logger, node } = this.options;
    const previous = await readPrevious(this.paths.lease);
    const offer = (family: IpFamily, publicIp: string | undefined) => ({
      ...(publicIp !== undefined && { publicIp }),
      backendData: { VNI: backend.vni, VtepMAC: vtepMac(node, family, backend.vni) },
    });
    const keeper = this.resources.use(
      new LeaseKeeper({
        ...CLOCK,
        store,
        logger,
        config: {
          node,
          ownerUid,
          netConf,
          ...(previous !== undefined && { previous }),
          offer: { backendType: 'vxlan', ipv4: offer(4, addresses.ipv4), ipv6: offer(6, addresses.ipv6) },
        },
        onLease: (lease) => void this.onLease(lease, netConf, settings, addresses, families),
      }),
    );
    this.keeper = keeper;
    const feed = new OverlayFeed({
      loop: this.loop,
      netConf,
      node,
      ownerUid,
      vni: backend.vni,
      families,
      logger,
      changed: (object) => keeper.changed(object),
      removed: (name) => keeper.removed(name),
      synced: () => this.synced.resolve(),
    });
    this.feed = feed;
    keeper.start();
    const following = new AbortController();
    this.resources.defer(() => following.abort());
    const selection = { namespace: LEASE_NAMESPACE, labelSelector: LEASE_SELECTOR, signal: following.signal };
    store.follow(RESOURCES.leases, selection, feed).catch((error: unknown) => {
      if (!following.signal.aborted) logger.error({ err: error }, 'watch of leases ended');
    });
  }

  /** The node's own side of the overlay follows its lease; the kernel is touched once all other leases are known too. */
  private async onLease(
    lease: SubnetLease,
    netConf: NetConf,
    settings: VxlanSettings,
    addresses: NodeAddresses,
    families: readonly IpFamily[],
  ): Promise<void> {
    const { logger, node, registerNode, store } = this.options;
    this.lease = lease;
    const locals = families.map((family) => localSubnet(node, family, lease, addresses, settings));
    const mtuBytes = overlayMtuBytes(settings.underlayMtuBytes, families);
    this.facts = {
      node,
      addresses: locals.map((local) => local.publicIp),
      defaultRanges: locals.map((local) => local.subnet),
      overlayMtuBytes: mtuBytes,
      ipv6: this.kernel.state().has('address ::1/128 dev lo') || families.includes(6),
    };
    try {
      await atomicWrite(
        this.paths.lease,
        JSON.stringify({ ipv4: lease.ipv4?.subnet, ipv6: lease.ipv6?.subnet }),
      );
      await this.synced.promise;
      this.loop.want('overlay', planLocal(locals, settings));
      this.loop.trigger();
      await this.loop.settled();
      await atomicWrite(this.paths.subnetEnv, encodeSubnetEnv(netConf, lease, mtuBytes, false));
      const wasReady = this.ready;
      this.ready = true;
      if (!wasReady) logger.info({ firstPassOps: this.loop.status().firstPassOps }, 'ready');
      if (registerNode)
        await publishNode(store, node, addresses, lease, true, systemClock.now(), this.signal);
    } catch (error) {
      if (!this.signal.aborted) logger.error({ err: error }, 'lease not carried out');
    }
  }

  private async serveCni(): Promise<void> {
    const { logger } = this.options;
    const addresses = new DiskAddressStore();
    const service = this.resources.use(
      new CniService({
        kernel: this.kernel,
        loop: this.loop,
        files: new AttachmentFiles(this.paths.attachments),
        ipam: {
          addresses: rootedAddresses(addresses, this.paths.hostLocal),
          exec: { run: ({ type }) => Promise.reject(noForeignIpam(type)) },
          readResolvConf: (path) => readFile(path, 'utf8'),
        },
        facts: () => {
          if (this.facts === undefined) {
            throw new CniError(
              CNI_ERROR.tryAgainLater,
              'this node holds no subnet lease yet',
              'see: poplin status',
            );
          }
          return this.facts;
        },
        logger,
      }),
    );
    service.restore();
    await carryOutPendingDels(this.paths.cniPending, service, logger);
    this.resources.use(
      await CniServer.listen({
        path: this.paths.cniSocket,
        handle: (call) => service.handle(call),
        onRefused: (reason) => logger.warn({ reason }, 'cni connection refused'),
      }),
    );
  }

  private status(): AgentStatus {
    return {
      node: this.options.node,
      ready: this.ready,
      pid: process.pid,
      lease: { ipv4: this.lease?.ipv4?.subnet ?? null, ipv6: this.lease?.ipv6?.subnet ?? null },
      store: this.feed?.connected ? 'connected' : 'away',
      kernel: this.loop.status(),
      problems: [...(this.keeper?.problemTexts() ?? []), ...(this.feed?.refusalTexts() ?? [])],
      memoryMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
    };
  }
}

function vxlanSettings(backend: VxlanConfig, { link }: NodeAddresses): VxlanSettings {
  const linkMtu = link.mtuBytes ?? 1500;
  return {
    vni: backend.vni,
    port: backend.port,
    learning: backend.learning,
    gbp: backend.gbp,
    underlayMtuBytes: Math.min(backend.mtuBytes ?? linkMtu, linkMtu),
    underlayLink: link.name,
  };
}

function localSubnet(
  node: string,
  family: IpFamily,
  lease: SubnetLease,
  addresses: NodeAddresses,
  settings: VxlanSettings,
): OverlaySubnet {
  const key = family === 4 ? 'ipv4' : 'ipv6';
  const [subnet, publicIp] = [lease[key]?.subnet, addresses[key]];
  if (subnet === undefined || publicIp === undefined)
    throw new Error(`no IPv${family} subnet or address for node ${node}`);
  return { node, family, subnet, publicIp, vtepMac: vtepMac(node, family, settings.vni) };
}

function noForeignIpam(type: string): CniError {
  return new CniError(
    CNI_ERROR.unsupportedField,
    `unsupported field "ipam.type": "${type}"`,
    'this release serves host-local',
  );
}

async function ensureNamespace(store: ObjectStore, signal: AbortSignal): Promise<void> {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: LEASE_NAMESPACE } };
  try {
    await store.create(RESOURCES.namespaces, object, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

async function readPrevious(path: string): Promise<{ ipv4?: string; ipv6?: string } | undefined> {
  const text = await readTextIfExists(path);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as { ipv4?: string; ipv6?: string });
  } catch {
    return undefined; // a wish only: the store says what this node holds
  }
}
