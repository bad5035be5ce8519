/** What the agent says of BGP: for `poplin status` and for metrics. */
import type { NeighborSummary } from '#core/bgp/speaker/index.ts';

export interface BgpNeighborStatus extends NeighborSummary {
  readonly phase: string;
  /** How often the session has been lost. */
  readonly flaps: number;
  readonly lastReason?: string;
  /** Absent where it is not wanted, or the session has not been up yet. */
  readonly bfd?: string;
}

export interface BgpStatus {
  /** Absent until the node is known. */
  readonly asn?: number;
  readonly routerId?: string;
  readonly port: number;
  /** Routes of an earlier run are still in place: not all peers have told theirs. */
  readonly isRestarting: boolean;
  /** In the kernel, as wished. */
  readonly routes: number;
  readonly neighbors: readonly BgpNeighborStatus[];
}
