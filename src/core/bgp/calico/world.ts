/** What a translation knows of the cluster. */
import type { IpPrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { CalicoMesh } from './mesh.ts';
import type { LocalWorkload } from './peers.ts';

/** What is known of the cluster, and of the node whose speaker it is. */
export interface CalicoWorld {
  readonly node: string;
  /** BGPConfiguration, BGPPeer, BGPFilter, IPPool and Node, of either API, Service and EndpointSlice; others are ignored. */
  readonly objects: readonly KubeObject[];
  /** Blocks of addresses that are this node's. */
  readonly blocks: readonly IpPrefix[];
  readonly workloads?: readonly LocalWorkload[];
  /** A mesh that chooses reflectors by itself when it is large; absent: a full mesh whatever its size, as Calico's. */
  readonly mesh?: CalicoMesh;
}
