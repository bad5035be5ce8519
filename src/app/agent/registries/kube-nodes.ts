/**
 * Subnets from Node objects, flannel's way (--kube-subnet-mgr): a node's pod cidrs are its subnets, annotations tell the other nodes
 * how to reach it. Nodes with flannel and nodes with Poplin read and write the same. Everything is written through the status
 * subresource, which is all that flannel's ClusterRole allows.
 */
import type { Logger } from 'pino';
import { type Clock, delay, type Random } from '#base/clock.ts';
import type { LeaseRegistry, RegistrySink } from '#core/lease/index.ts';
import {
  FLANNEL_ANNOTATION_PREFIX,
  NodeBook,
  type NodeDiff,
  networkUpPatch,
  nodeAnnotations,
  nodeFacts,
  wishedNodeIps,
} from '#core/lease/kube-nodes/index.ts';
import { type Follower, type KubeObject, type ObjectStore, RESOURCES } from '#core/store/index.ts';
import { loadNetConf } from '../net-conf-source.ts';
import { untilReachable } from '../retry.ts';
import { OwnNodeKeeper } from './own-node.ts';
import { COLLECT_MS, type RegistryRequest, type RegistrySource } from './source.ts';

/** A watch that ends for a reason of its own, not the store's, is begun again after this. */
const FOLLOW_AGAIN_MS = 5000;

interface World {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface KubeNodesOptions extends World {
  /** flannel's net-conf.json. */
  readonly netConfFile: string;
  /** Ends with a slash or a hyphen; flannel's own if absent. */
  readonly annotationPrefix?: string;
  /** Whether the node's condition NetworkUnavailable is cleared; true if absent. */
  readonly setNodeNetworkUnavailable?: boolean;
}

export function kubeNodesRegistry(options: KubeNodesOptions): RegistrySource {
  const { store, clock, logger, netConfFile, setNodeNetworkUnavailable = true } = options;
  const annotationPrefix = options.annotationPrefix ?? FLANNEL_ANNOTATION_PREFIX;
  let node = '';
  return {
    name: 'API server (Node objects)',
    store,
    netConf: (signal) => loadNetConf(netConfFile, store, clock, logger, signal),
    open: async (request) => {
      ({ node } = request);
      return new KubeNodes({ ...options, ...request, annotationPrefix });
    },
    announce: async (_lease, _addresses, signal) => {
      if (!setNodeNetworkUnavailable) return;
      await untilReachable('node condition', () => clearUnavailable(options, node, signal), {
        ...options,
        signal,
      });
    },
    wishedPublicIps: async (name, signal) => {
      const names = nodeAnnotations(annotationPrefix);
      const read = () => store.get(RESOURCES.nodes, name, { signal });
      const object = await untilReachable('node', read, { ...options, signal });
      return wishedNodeIps(nodeFacts(object, names), names);
    },
  };
}

async function clearUnavailable({ store, clock }: World, node: string, signal: AbortSignal): Promise<void> {
  const patch = networkUpPatch(await store.get(RESOURCES.nodes, node, { signal }), clock.now());
  if (patch === undefined) return;
  await store.patch(RESOURCES.nodes, node, 'strategic', patch, { subresource: 'status', signal });
}

type KubeNodesRequest = World & RegistryRequest & { readonly annotationPrefix: string };

export class KubeNodes implements LeaseRegistry, Follower {
  private readonly options: KubeNodesRequest;
  private readonly following = new AbortController();
  private readonly book: NodeBook;
  private readonly own: OwnNodeKeeper;
  private sink: RegistrySink | undefined;
  private synced = false;

  constructor(options: KubeNodesRequest) {
    const { node, netConf, annotationPrefix } = options;
    const names = nodeAnnotations(annotationPrefix);
    this.options = options;
    this.book = new NodeBook({ node, names, netConf });
    this.own = new OwnNodeKeeper({
      ...options,
      names,
      onHeld: (lease) => this.sink?.held(lease),
      onLost: (family) => this.sink?.lost(family),
      onEntries: (entries) => this.tell(this.book.setOwn(entries)),
      claimantOf: (subnet) => this.book.claimantOf(subnet),
    });
  }

  start(sink: RegistrySink): void {
    this.sink = sink;
    void this.follow();
  }

  problemTexts(): readonly string[] {
    return [...this.own.problemTexts(), ...this.book.problemTexts()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.following.abort();
    await this.own[Symbol.asyncDispose]();
  }

  sync(items: readonly KubeObject[]): void {
    const isOwn = ({ metadata }: KubeObject) => metadata.name === this.options.node;
    const own = items.find(isOwn);
    const diff = this.book.replace(items.filter((item) => !isOwn(item)));
    if (this.synced) this.tell(diff);
    this.own.listed(own);
    if (!this.synced) this.sink?.sync(this.book.entries());
    this.synced = true;
  }

  upsert(object: KubeObject): void {
    if (object.metadata.name === this.options.node) this.own.changed(object);
    else this.tell(this.book.take(object));
  }

  remove({ metadata: { name } }: KubeObject): void {
    if (name === this.options.node) this.own.gone();
    else this.tell(this.book.drop(name));
  }

  connection(state: 'up' | 'down', cause?: Error): void {
    this.sink?.connection(state, cause);
  }

  /** Before the first list has been told there is nothing to differ from. */
  private tell({ upserts, removals }: NodeDiff): void {
    if (!this.synced) return;
    for (const name of removals) this.sink?.remove(name);
    for (const entry of upserts) this.sink?.upsert(entry);
    if (upserts.length > 0) this.own.othersChanged();
  }

  private async follow(): Promise<void> {
    const { store, clock, logger, node, netConf } = this.options;
    const { signal } = this.following;
    // Where nothing is carried, other nodes are nobody's business here, and the server is spared a watch of them all.
    const selection = netConf.backend.type === 'alloc' ? { fieldSelector: `metadata.name=${node}` } : {};
    while (!signal.aborted) {
      try {
        await store.follow(RESOURCES.nodes, { ...selection, signal, collectMs: COLLECT_MS }, this);
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ err: error }, 'watch of nodes broke off');
      }
      await delay(clock, FOLLOW_AGAIN_MS, signal).catch(() => undefined);
    }
  }
}
