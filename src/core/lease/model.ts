/**
 * Subnet leases: which node holds which part of the network, and how to reach it. A lease is stored per family (a
 * LeaseRecord, one object each); a node's two records together are its SubnetLease.
 */
import type { IpAddress, IpFamily, IpPrefix } from '#base/ip/index.ts';
import type { NetConf, NetConfFamily } from './net-conf.ts';

/** How long a lease lives without renewal: 24 hours, as in flannel. */
export const LEASE_DURATION_SEC = 86_400;
/** How long before its end a lease is renewed: one hour, flannel's --subnet-lease-renew-margin. */
export const RENEW_MARGIN_SEC = 3600;
/** How far two nodes' clocks may differ; another's lease counts as over only this long after its end. */
export const CLOCK_SKEW_SEC = 300;

export type FamilyKey = 'ipv4' | 'ipv6';
export const FAMILY_KEYS: readonly FamilyKey[] = ['ipv4', 'ipv6'];

/** What a backend tells its peers, in flannel's own JSON: vxlan `{ VNI, VtepMAC }`, wireguard `{ PublicKey, Port }`. */
export type BackendData =
  | string
  | number
  | boolean
  | null
  | readonly BackendData[]
  | { readonly [key: string]: BackendData };

/** One family's part of a lease. */
export interface LeaseFamily {
  readonly subnet: IpPrefix;
  /** The address other nodes send encapsulated packets to. */
  readonly publicIp?: IpAddress;
  readonly backendData?: BackendData;
}

/** All a node holds, as its peers need it. */
export interface SubnetLease {
  readonly node: string;
  /** Tells two machines of one name apart: the node object's UID, or the machine id where there is none. */
  readonly ownerUid: string;
  readonly ipv4?: LeaseFamily;
  readonly ipv6?: LeaseFamily;
  readonly backendType: string;
  /** Milliseconds since 1970; of two families the earlier. */
  readonly renewedAtMs: number;
  readonly durationSec: number;
  /** Never expires, and survives every restart of its node. */
  readonly reserved: boolean;
}

/** One stored lease: one subnet of one family. */
export interface LeaseRecord extends LeaseFamily {
  readonly family: IpFamily;
  readonly node: string;
  /** Empty in a reservation made for a node before it first came. */
  readonly ownerUid: string;
  readonly backendType: string;
  readonly acquiredAtMs: number;
  readonly renewedAtMs: number;
  readonly durationSec: number;
  readonly reserved: boolean;
}

/** The moment a record ends unless renewed; a reservation never does. */
export function expiresAtMs(record: Pick<LeaseRecord, 'renewedAtMs' | 'durationSec' | 'reserved'>): number {
  return record.reserved ? Number.POSITIVE_INFINITY : record.renewedAtMs + record.durationSec * 1000;
}

/** True once the lease is over by the reader's clock; readers of other nodes' leases add a skew. */
export function isExpired(
  record: Pick<LeaseRecord, 'renewedAtMs' | 'durationSec' | 'reserved'>,
  nowMs: number,
  skewSec = 0,
): boolean {
  return nowMs >= expiresAtMs(record) + skewSec * 1000;
}

/** `ipv4` for 4, `ipv6` for 6. */
export function familyKeyOf(family: IpFamily): FamilyKey {
  return family === 4 ? 'ipv4' : 'ipv6';
}

/** 4 for `ipv4`, 6 for `ipv6`. */
export function familyOfKey(key: FamilyKey): IpFamily {
  return key === 'ipv4' ? 4 : 6;
}

/** The families a configuration gives out, IPv4 first. */
export function enabledFamilies(netConf: NetConf): readonly FamilyKey[] {
  return FAMILY_KEYS.filter((key) => netConf[key] !== undefined);
}

/** The pool of a family; throws a RangeError if the configuration does not enable it. */
export function poolOf(netConf: NetConf, key: FamilyKey): NetConfFamily {
  const pool = netConf[key];
  if (pool === undefined) throw new RangeError(`${key} is not enabled in the network configuration`);
  return pool;
}

/** A VXLAN tunnel end from backend data in flannel's form, or undefined if it is none. */
export function vtepOf(family: LeaseFamily): { readonly vni: number; readonly mac: string } | undefined {
  const data = family.backendData;
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
  const { VNI: vni, VtepMAC: mac } = data as { readonly [key: string]: BackendData };
  return typeof vni === 'number' && typeof mac === 'string' ? { vni, mac: mac.toLowerCase() } : undefined;
}

/** One owner's lease from its records; undefined if there is none. */
export function leaseOf(
  ipv4: LeaseRecord | undefined,
  ipv6: LeaseRecord | undefined,
): SubnetLease | undefined {
  const first = ipv4 ?? ipv6;
  if (first === undefined) return undefined;
  const parts = [ipv4, ipv6].filter((part) => part !== undefined);
  return {
    node: first.node,
    ownerUid: first.ownerUid,
    ...(ipv4 ? { ipv4: familyPart(ipv4) } : {}),
    ...(ipv6 ? { ipv6: familyPart(ipv6) } : {}),
    backendType: first.backendType,
    renewedAtMs: Math.min(...parts.map((part) => part.renewedAtMs)),
    durationSec: Math.min(...parts.map((part) => part.durationSec)),
    reserved: parts.every((part) => part.reserved),
  };
}

function familyPart({ subnet, publicIp, backendData }: LeaseRecord): LeaseFamily {
  return {
    subnet,
    ...(publicIp === undefined ? {} : { publicIp }),
    ...(backendData === undefined ? {} : { backendData }),
  };
}
