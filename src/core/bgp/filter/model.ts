/**
 * Filters in words: rules that are asked in turn until one that matches accepts or rejects the route. Plain data, whatever API they came from;
 * an absent condition is "any", never "none".
 */
import type { IpPrefix } from '#base/ip/index.ts';
import type { Asn } from '../model.ts';

/** A community: 32 bits (RFC 1997), or three times 32 bits (RFC 8092). */
export type Community = number | readonly [number, number, number];

/** A prefix as a condition. Lengths are of the route's prefix, and count with `in` and `not-in`. */
export interface PrefixMatch {
  readonly operator: 'equal' | 'not-equal' | 'in' | 'not-in';
  readonly prefix: IpPrefix;
  /** The prefix's own length if absent. */
  readonly minLength?: number;
  /** The family's longest if absent. */
  readonly maxLength?: number;
}

/** All that is given must hold. */
export interface RouteMatch {
  readonly prefix?: PrefixMatch;
  /** One of them; an empty list matches nothing. */
  readonly prefixes?: readonly PrefixMatch[];
  /** remote: learned from a peer; local: our own. */
  readonly source?: 'remote' | 'local';
  /** The link that packets to it leave by; `*` is any text, `?` any character. */
  readonly interface?: string;
  readonly peerType?: 'external' | 'internal';
  /** It has all of them. */
  readonly communities?: readonly Community[];
  /** Its path begins with these. */
  readonly asPathPrefix?: readonly Asn[];
  /** They are somewhere in its path. */
  readonly asPathContains?: readonly Asn[];
  /** The last AS of its path, where it came from first. */
  readonly originAsn?: Asn;
  readonly asPathLength?: { readonly min?: number; readonly max?: number };
  readonly priority?: number;
}

export type FilterOperation =
  | { readonly type: 'add-community'; readonly community: Community }
  | { readonly type: 'remove-community'; readonly community: Community }
  | { readonly type: 'prepend-as-path'; readonly asns: readonly Asn[] }
  | { readonly type: 'set-priority'; readonly priority: number }
  | { readonly type: 'set-local-pref'; readonly localPref: number }
  | { readonly type: 'set-med'; readonly med: number };

export interface FilterRule {
  /** Where it was written, such as `BGPFilter no-default exportV4[1]`. */
  readonly origin: string;
  readonly match: RouteMatch;
  /** next: what it does to the route is done, and the next rule is asked. */
  readonly action: 'accept' | 'reject' | 'next';
  /** In this order; of no use with reject. */
  readonly operations?: readonly FilterOperation[];
}

/** Rules for one peer, direction and family. */
export interface Filter {
  readonly rules: readonly FilterRule[];
  /** What becomes of a route that no rule decided. */
  readonly otherwise: 'accept' | 'reject';
}
