/**
 * The words of BGP: what a route is, and what is said about it. Codec, sessions, tables and filters all speak them; nothing here knows how
 * they look on the wire. Plain data, never changed in place: tables share attributes.
 */
import type { IpAddress, IpFamily, IpPrefix } from '#base/ip/index.ts';

/** An autonomous system's number, 32 bits (RFC 6793). */
export type Asn = number;

/** A speaker's identifier, 32 bits, printed as an IPv4 address (RFC 6286): not zero. */
export type RouterId = number;

/** Of what a session carries: IPv4 unicast, IPv6 unicast. */
export type RouteFamily = IpFamily;

/** A destination; with additional paths (RFC 7911) several are told apart by the sender's number. */
export interface Nlri {
  readonly prefix: IpPrefix;
  /** Only where additional paths were agreed for the family. */
  readonly pathId?: number;
}

export interface AsPathSegment {
  readonly type: 'sequence' | 'set' | 'confed-sequence' | 'confed-set';
  readonly asns: readonly Asn[];
}

/** An attribute nobody here knows, to be passed on if it is transitive (RFC 4271 section 9). */
export interface UnknownAttribute {
  readonly type: number;
  /** The flags octet as it came, without the extended length bit. */
  readonly flags: number;
  readonly value: Uint8Array;
}

/** Of a route of one family. What is optional and absent was not there. Lists are in the order of the wire. */
export interface PathAttributes {
  readonly origin: 'igp' | 'egp' | 'incomplete';
  readonly asPath: readonly AsPathSegment[];
  /** Of either family, whatever the prefix's (RFC 8950). */
  readonly nextHop: IpAddress;
  /** The link-local address beside a global IPv6 next hop (RFC 2545). */
  readonly linkLocalNextHop?: IpAddress;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: true;
  readonly aggregator?: { readonly asn: Asn; readonly address: IpAddress };
  /** RFC 1997: 32 bits each. */
  readonly communities?: readonly number[];
  /** RFC 4360: 64 bits each, as 16 hexadecimal digits. */
  readonly extendedCommunities?: readonly string[];
  /** RFC 8092: global administrator, local data 1 and 2. */
  readonly largeCommunities?: readonly (readonly [number, number, number])[];
  /** RFC 4456. */
  readonly originatorId?: RouterId;
  readonly clusterList?: readonly RouterId[];
  readonly unknown?: readonly UnknownAttribute[];
}

/** Well-known communities (RFC 1997, 8326, 7999, 9494). */
export const COMMUNITIES = {
  gracefulShutdown: 0xffff_0000,
  llgrStale: 0xffff_0006,
  noLlgr: 0xffff_0007,
  blackhole: 0xffff_029a,
  noExport: 0xffff_ff01,
  noAdvertise: 0xffff_ff02,
  noExportSubconfed: 0xffff_ff03,
} as const;
