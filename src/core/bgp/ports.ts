/**
 * What sessions tell the tables, and what the tables tell sessions. A session knows the wire, timers and what was agreed with the peer; the
 * tables know routes, whoever they came from. Both are pure and meet in these words.
 */
import type { IpAddress } from '#base/ip/index.ts';
import type { Asn, Nlri, PathAttributes, RouteFamily, RouterId } from './model.ts';

/** What both sides of a session can do, for one family (RFC 4760). */
export interface AgreedFamily {
  /** Additional paths (RFC 7911): we may send several, the peer may. */
  readonly addPathSend: boolean;
  readonly addPathReceive: boolean;
  /** IPv4 prefixes may have IPv6 next hops (RFC 8950). */
  readonly extendedNextHop: boolean;
}

/** What the peer said of its restart (RFC 4724), and for how long after it stale routes are of use (RFC 9494). */
export interface PeerRestart {
  /** How long it may take to come back, in seconds. */
  readonly restartTimeSec: number;
  /** It has just restarted: it waits for our routes before it tells its own. */
  readonly isRestarting: boolean;
  /** Families it keeps forwarding through a restart, and whether it did so through the last one. */
  readonly families: ReadonlyMap<RouteFamily, { readonly isForwardingKept: boolean }>;
  /** Long-lived: by family, for how long stale routes stay, in seconds. */
  readonly longLived: ReadonlyMap<
    RouteFamily,
    { readonly staleTimeSec: number; readonly isForwardingKept: boolean }
  >;
}

/** What a session is, once it is established. */
export interface Agreed {
  readonly peerAsn: Asn;
  readonly peerRouterId: RouterId;
  readonly peerAddress: IpAddress;
  /** Our own address on the session: the next hop we give, unless told otherwise. */
  readonly localAddress: IpAddress;
  /** external: another AS; internal: ours; confederation: another member of our confederation (RFC 5065). */
  readonly relation: 'external' | 'internal' | 'confederation';
  readonly families: ReadonlyMap<RouteFamily, AgreedFamily>;
  /** 4096, or 65535 by RFC 8654. */
  readonly maxMessageBytes: number;
  readonly hasFourOctetAsn: boolean;
  readonly hasRouteRefresh: boolean;
  /** RFC 7313. */
  readonly hasEnhancedRefresh: boolean;
  readonly restart?: PeerRestart;
}

/** Routes with one set of attributes; at least one. Attributes may be shared between updates, and compared by identity first. */
export interface RouteUpdate {
  readonly family: RouteFamily;
  readonly attributes: PathAttributes;
  readonly nlri: readonly Nlri[];
}

export interface RouteWithdrawal {
  readonly family: RouteFamily;
  readonly nlri: readonly Nlri[];
}

/** What comes from a session's peer, in order. Malformed attributes have been dealt with (RFC 7606): what was treat-as-withdraw is one. */
export type SessionNews =
  | { readonly type: 'established'; readonly agreed: Agreed }
  | { readonly type: 'withdrawn'; readonly withdrawal: RouteWithdrawal }
  | { readonly type: 'announced'; readonly update: RouteUpdate }
  | { readonly type: 'end-of-rib'; readonly family: RouteFamily }
  /** The peer asks for all our routes of a family again (RFC 2918); begin and end bracket its own (RFC 7313). */
  | {
      readonly type: 'refresh';
      readonly family: RouteFamily;
      readonly subtype: 'request' | 'begin' | 'end';
    }
  /** `keepsRoutes`: lost in a way after which RFC 4724 lets its routes stay as stale ones for a while. */
  | { readonly type: 'down'; readonly keepsRoutes: boolean; readonly reason: string };

/** What the tables ask a session to send; the session packs it into messages of the size that was agreed. */
export type SessionSend =
  | { readonly type: 'withdraw'; readonly withdrawal: RouteWithdrawal }
  | { readonly type: 'announce'; readonly update: RouteUpdate }
  | { readonly type: 'end-of-rib'; readonly family: RouteFamily }
  | {
      readonly type: 'refresh';
      readonly family: RouteFamily;
      readonly subtype: 'request' | 'begin' | 'end';
    };
