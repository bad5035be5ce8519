/** What a speaker is told to be: itself, its neighbours, and the routes it has of its own. Plain data, compared by value. */
import type { IpAddress } from '#base/ip/index.ts';
import type { Filter } from '../filter/index.ts';
import type { Asn, RouteFamily } from '../model.ts';
import type { Aggregate, LocalRoute, PeerPolicy, RibConfig } from '../rib/index.ts';

export interface SpeakerConfig extends RibConfig {
  /** The other members of our confederation. */
  readonly confederationMembers?: readonly Asn[];
  readonly neighbors: readonly NeighborConfig[];
  readonly routes: readonly LocalRoute[];
  readonly aggregates: readonly Aggregate[];
}

/** A neighbour, by a key that stays the same when the rest changes. */
export interface NeighborConfig {
  readonly key: string;
  readonly description?: string;
  readonly session: NeighborSession;
  readonly policy: NeighborPolicy;
  /** It is known, and no session is wanted. */
  readonly isShutdown?: boolean;
}

/** One family of a session, as we would have it. */
export interface NeighborFamily {
  readonly family: RouteFamily;
  readonly addPathSend?: boolean;
  readonly addPathReceive?: boolean;
  readonly extendedNextHop?: boolean;
}

/** What a session is made of. Whatever is another needs a new session, but for what `NEXT_SESSION` names. */
export interface NeighborSession {
  /** Absent: whoever is at the other end of `interface` (unnumbered). */
  readonly peerAddress?: IpAddress;
  /** 179 if absent. */
  readonly port?: number;
  /** Absent: of whatever AS it is. */
  readonly peerAsn?: Asn;
  /** Where it may be of one of several; beside peerAsn of no use. */
  readonly peerAsns?: readonly Asn[];
  /** Of another AS than ours, whichever, or of ours; beside the two above of no use. */
  readonly peerAs?: 'external' | 'internal';
  /** Instead of our own. */
  readonly localAsn?: Asn;
  /** Where connections come from; absent: as the routes have it. */
  readonly localAddress?: IpAddress;
  /** The link of a link-local neighbour, or of one without an address. */
  readonly interface?: string;
  readonly isPassive?: boolean;
  readonly families: readonly NeighborFamily[];
  /** 90 if absent; KEEPALIVEs go three times as often. */
  readonly holdTimeSec?: number;
  /** 5 if absent. */
  readonly connectRetrySec?: number;
  /** RFC 2385: whoever runs sessions knows the key by this name. */
  readonly password?: string;
  /** RFC 5082: how many hops away the neighbour is. */
  readonly ttlSecurityHops?: number;
  /** Packets may cross this many routers. */
  readonly multihopTtl?: number;
  /** RFC 4724, RFC 9494: how long routes are of use while we restart; absent: not at all. */
  readonly restart?: { readonly restartTimeSec: number; readonly longStaleTimeSec?: number };
  readonly bfd?: {
    readonly receiveMs: number;
    readonly transmitMs: number;
    readonly multiplier: number;
  };
}

/** The same keys as the tables take, with filters in words: one for each family. */
export interface NeighborPolicy
  extends Omit<PeerPolicy, 'importFilter' | 'exportFilter' | 'silentFamilies' | 'localAsn'> {
  readonly imports?: FamilyFilters;
  readonly exports?: FamilyFilters;
}

/** Absent for a family: everything is accepted. */
export interface FamilyFilters {
  readonly 4?: Filter;
  readonly 6?: Filter;
}

/** Parts of a session that count from the next one on, and are no reason to end one. */
export const NEXT_SESSION: ReadonlySet<keyof NeighborSession> = new Set([
  'holdTimeSec',
  'connectRetrySec',
  'isPassive',
  'bfd',
]);
