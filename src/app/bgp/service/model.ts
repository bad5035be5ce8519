/** The words of a speaker with its sockets: what it is told to be, what it tells, and what it says of its neighbours. */
import type { Clock, Random } from '#base/clock.ts';
import type { IpAddress } from '#base/ip/index.ts';
import type { BfdPhase } from '#core/bgp/bfd/index.ts';
import type { BestChange, MetricOf, RibEvent } from '#core/bgp/rib/index.ts';
import type { NeighborSummary, SpeakerConfig } from '#core/bgp/speaker/index.ts';
import type { MessageCount } from '#io/bgp/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import type { RangeConfig } from './ranges.ts';
import type { StationConfig } from './station.ts';

/** What is run: the speaker, and where peers find it. */
export interface SpeakerSetup {
  readonly speaker: SpeakerConfig;
  /** No addresses: nobody can connect. */
  readonly listen: { readonly port: number; readonly addresses: readonly IpAddress[] };
  /** Who is told of sessions and routes by BMP. */
  readonly monitor?: readonly StationConfig[];
  /** From where neighbours may come that are not known yet. */
  readonly ranges?: readonly RangeConfig[];
}

/** What is told to whoever watches. */
export type ServiceEvent =
  | { readonly type: 'session'; readonly peer: string; readonly isUp: boolean; readonly reason?: string }
  | { readonly type: 'best'; readonly change: BestChange }
  | { readonly type: 'table'; readonly event: RibEvent }
  | { readonly type: 'station'; readonly station: string; readonly text: string }
  | { readonly type: 'fault'; readonly peer: string; readonly text: string };

export interface ServiceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace?: Namespace;
  /** The process before this one left its routes in place. */
  readonly isRestarting?: boolean;
  /** What it costs to reach a next hop, or the link-local one beside it; undefined if neither can be reached. Absent: nothing. */
  readonly metricOf?: MetricOf;
  /** Whether a neighbour is reached without a router; absent: as its configuration has it. */
  readonly isAdjacent?: (address: IpAddress) => boolean;
  /** Best routes that have changed, for the kernel. */
  readonly onBest?: (changes: readonly BestChange[]) => void;
  /** All peers have told what they know, or had the time to, and onBest was told of it; once. */
  readonly onConverged?: () => void;
}

/** A neighbour in a line, with what its session is at. */
export interface NeighborStatus extends NeighborSummary {
  readonly phase: string;
  /** How often the session has been lost. */
  readonly flaps: number;
  /** Since it was configured, by type. */
  readonly messages: { readonly in: MessageCount; readonly out: MessageCount };
  readonly lastReason?: string;
  /** Whether the way to it is there, as BFD has it; absent where that is not wanted, or the session has not been up yet. */
  readonly bfd?: BfdPhase;
}
