/** Leases as Lease objects of an API server (core/lease/lease-object.ts): Poplin's own registry. */
import type { Logger } from 'pino';
import { type Clock, delay, type Random } from '#base/clock.ts';
import {
  LEASE_NAMESPACE,
  LEASE_SELECTOR,
  type LeaseRegistry,
  leaseFromObject,
  type RegistryEntry,
  type RegistrySink,
} from '#core/lease/index.ts';
import {
  type Follower,
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  type ObjectStore,
  RESOURCES,
} from '#core/store/index.ts';
import { LeaseKeeper } from '../lease-keeper.ts';
import { loadNetConf } from '../net-conf-source.ts';
import { findNode, publishNode } from '../node-object.ts';
import { untilReachable } from '../retry.ts';
import { COLLECT_MS, type RegistryRequest, type RegistrySource } from './source.ts';

/** A watch that ends for a reason of its own, not the store's, is begun again after this. */
const FOLLOW_AGAIN_MS = 5000;

export interface LeaseObjectsOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * `netConfFile`: flannel's net-conf.json; absent: the ConfigMap in the store. `registerNode`: no kubelet makes the Node object;
 * `publishNode`: nor tells there of the node's addresses and subnets.
 */
export function leaseObjects(
  options: LeaseObjectsOptions & {
    readonly netConfFile?: string;
    readonly registerNode: boolean;
    readonly publishNode: boolean;
  },
): RegistrySource {
  const { store, clock, logger, netConfFile, registerNode, publishNode: isPublished } = options;
  let node = '';
  return {
    name: 'API server',
    store,
    netConf: (signal) => loadNetConf(netConfFile, store, clock, logger, signal),
    open: async (request, signal) => {
      const retry = { ...options, signal };
      ({ node } = request);
      const ownerUid = await untilReachable('node', () => findNode(store, node, registerNode, signal), retry);
      await untilReachable('namespace', () => ensureNamespace(store, signal), retry);
      return new LeaseObjects({ ...options, ...request, ownerUid });
    },
    announce: async (lease, addresses, signal) => {
      if (!isPublished) return;
      const news = { addresses, lease, ready: true, nowMs: clock.now() };
      await untilReachable('node', () => publishNode(store, node, news, signal), { ...options, signal });
    },
  };
}

/** The registry of one node. `ownerUid` tells two machines of one name apart: the Node object's UID. */
export class LeaseObjects implements LeaseRegistry, Follower {
  private readonly options: LeaseObjectsOptions & RegistryRequest & { readonly ownerUid: string };
  private readonly following = new AbortController();
  private readonly known = new Set<string>();
  private sink: RegistrySink | undefined;
  private readonly keeper: LeaseKeeper;

  constructor(options: LeaseObjects['options']) {
    const { node, ownerUid, netConf, offer, previous, leaseTimes } = options;
    this.options = options;
    this.keeper = new LeaseKeeper({
      ...options,
      config: {
        node,
        ownerUid,
        netConf,
        offer,
        ...leaseTimes,
        ...(previous !== undefined && { previous }),
      },
      onLease: (lease) => this.sink?.held(lease),
      onLost: (family) => this.sink?.lost(family),
    });
  }

  start(sink: RegistrySink): void {
    this.sink = sink;
    this.keeper.start();
    void this.follow();
  }

  problemTexts(): readonly string[] {
    return this.keeper.problemTexts();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.following.abort();
    await this.keeper[Symbol.asyncDispose]();
  }

  sync(items: readonly KubeObject[]): void {
    const present = new Set(items.map(({ metadata }) => metadata.name));
    const gone = [...this.known].filter((name) => !present.has(name));
    this.known.clear();
    for (const name of present) this.known.add(name);
    for (const name of gone) this.keeper.removed(name);
    for (const item of items) this.keeper.changed(item);
    this.sink?.sync(items.map((item) => this.entryOf(item)));
  }

  upsert(object: KubeObject): void {
    this.known.add(object.metadata.name);
    this.sink?.upsert(this.entryOf(object));
    this.keeper.changed(object);
  }

  remove({ metadata: { name } }: KubeObject): void {
    this.known.delete(name);
    this.sink?.remove(name);
    this.keeper.removed(name);
  }

  connection(state: 'up' | 'down', cause?: Error): void {
    this.sink?.connection(state, cause);
  }

  private entryOf(object: KubeObject): RegistryEntry {
    const { netConf, node, ownerUid } = this.options;
    const reading = leaseFromObject(object, netConf);
    const { name } = object.metadata;
    if (!reading.ok) return { name, refused: reading.reason };
    const { record } = reading;
    return { name, own: record.node === node && record.ownerUid === ownerUid, record };
  }

  private async follow(): Promise<void> {
    const { store, clock, logger } = this.options;
    const { signal } = this.following;
    const scope = {
      namespace: LEASE_NAMESPACE,
      labelSelector: LEASE_SELECTOR,
      signal,
      collectMs: COLLECT_MS,
    };
    while (!signal.aborted) {
      try {
        await store.follow(RESOURCES.leases, scope, this);
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ err: error }, 'watch of leases broke off');
      }
      await delay(clock, FOLLOW_AGAIN_MS, signal).catch(() => undefined);
    }
  }
}

/** Makes the namespace only where there is none: an installation has made it, and grants no agent to make one. */
async function ensureNamespace(store: ObjectStore, signal: AbortSignal): Promise<void> {
  try {
    await store.get(RESOURCES.namespaces, LEASE_NAMESPACE, { signal });
    return;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: LEASE_NAMESPACE } };
  try {
    await store.create(RESOURCES.namespaces, object, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
