/** What tables are told to do: of the speaker as a whole, and with each peer. */
import type { IpAddress, IpPrefix } from '#base/ip/index.ts';
import type { Asn, RouteFamily, RouterId } from '../model.ts';
import type { TableAttributes } from './attribute-identity.ts';

/** How routes are compared (RFC 4271 section 9.1.2.2), and how many of those that are as good are used. */
export interface DecisionRules {
  /** MEDs of routes from different neighbouring ASes are compared too. Without it, they are compared within each AS first, in any order. */
  readonly alwaysComparesMed?: boolean;
  /** Of external routes that are as good the oldest is kept: fewer changes, but then the outcome depends on the order. */
  readonly prefersOldest?: boolean;
  readonly ignoresPathLength?: boolean;
  /** Next hops used at once, by where the routes are from; 1 if absent. */
  readonly maxPaths?: { readonly external?: number; readonly internal?: number };
  /** Paths of the same length are as good, whatever the ASes. */
  readonly relaxesMultipath?: boolean;
}

export interface RibConfig {
  /** Ours; within a confederation the member's. */
  readonly asn: Asn;
  readonly routerId: RouterId;
  /** What the confederation is called outside (RFC 5065). */
  readonly confederationId?: Asn;
  /** Of the reflector; the router's if absent (RFC 4456). */
  readonly clusterId?: RouterId;
  readonly decision?: DecisionRules;
  /** Wait for all peers' routes before any is sent, for this long at most (RFC 4724 section 4.1). */
  readonly deferMs?: number;
}

/** A route as filters see it. */
export interface FilteredRoute {
  readonly family: RouteFamily;
  readonly prefix: IpPrefix;
  readonly attributes: TableAttributes;
  readonly source: 'local' | 'external' | 'internal' | 'confederation';
}

/** What to have instead of the attributes, the same object for no change; undefined to refuse the route. */
export type RouteFilter = (route: FilteredRoute) => TableAttributes | undefined;

/** What is agreed with nobody but decided here, for one peer. */
export interface PeerPolicy {
  /** Instead of our own AS, towards this peer. */
  readonly localAsn?: Asn;
  readonly isReflectorClient?: boolean;
  /** auto: ourselves for external peers and for own routes. */
  readonly nextHop?: 'auto' | 'self' | 'keep';
  /** Our addresses as next hops, where the session's own is of the other family or not wanted. */
  readonly nextHops?: { readonly 4?: IpAddress; readonly 6?: IpAddress };
  /** Our link-local address on the peer's link, given beside a global one (RFC 2545). */
  readonly linkLocalNextHop?: IpAddress;
  /** How often our own AS may be in the path of what is learned. */
  readonly allowedOwnAsns?: number;
  /** Private AS numbers in paths, towards external peers. */
  readonly privateAsns?: 'keep' | 'remove' | 'replace';
  /** The peer's own AS in paths is replaced by ours: for sites that share one. */
  readonly overridesAsn?: boolean;
  /** RFC 8212: without a filter nothing is learned from, or told to, an external peer. */
  readonly requiresFilters?: boolean;
  readonly importFilter?: RouteFilter;
  readonly exportFilter?: RouteFilter;
  /** Families of which the export filter lets nothing pass, so that it need not be asked. */
  readonly silentFamilies?: ReadonlySet<RouteFamily>;
  /** More than this many routes of a family from this peer: `stop` asks for the session's end. */
  readonly maxRoutes?: {
    readonly 4?: number;
    readonly 6?: number;
    readonly action: 'warn' | 'refuse' | 'stop';
  };
  /** How many paths to a prefix the peer is told, if it takes several; 1 if absent. */
  readonly addPathCount?: number | 'all';
  /** RFC 7999: what has the community BLACKHOLE is discarded here. Without it the community is ignored. */
  readonly acceptsBlackhole?: boolean;
  /** RFC 8326: tell the peer that we are about to go. */
  readonly isShuttingDown?: boolean;
  /** How long stale routes wait for the peer to say them again after it is back; 360 s if absent. */
  readonly staleTimeSec?: number;
}

/** A route of our own. */
export interface LocalRoute {
  readonly prefix: IpPrefix;
  /** Who wants it; several may want the same prefix. */
  readonly origin: string;
  /** Absent parts are those of an own route: origin IGP, empty path, ourselves as next hop. */
  readonly attributes?: Partial<TableAttributes>;
  /** Packets to it that no longer route takes are thrown away. */
  readonly isDiscard?: boolean;
}

/** An own route that is there while there are longer ones within it. */
export interface Aggregate {
  readonly prefix: IpPrefix;
  readonly attributes?: Partial<TableAttributes>;
  /** The longer ones are told to nobody. */
  readonly isSummaryOnly?: boolean;
}
