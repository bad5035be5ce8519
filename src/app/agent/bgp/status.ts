/** What the agent says of BGP: for `poplin status` and for metrics. */
import type { NeighborStatus } from '#app/bgp/service/index.ts';

export interface BgpStatus {
  /** Absent until the node is known. */
  readonly asn?: number;
  readonly routerId?: string;
  readonly port: number;
  /** Routes of an earlier run are still in place: not all peers have told theirs. */
  readonly isRestarting: boolean;
  /** In the kernel, as wished. */
  readonly routes: number;
  readonly neighbors: readonly NeighborStatus[];
}
