/** Subnet keys with what they say, whose they are, and how they look as leases of this program. */
import type { LeaseOffer } from '../acquirer-types.ts';
import { FAMILY_KEYS, type FamilyKey, familyOfKey, LEASE_DURATION_SEC, type LeaseRecord } from '../model.ts';
import type { NetConf } from '../net-conf.ts';
import type { RegistryEntry } from '../registry.ts';
import { type EtcdLayout, readSubnetKey, type SubnetPair } from './layout.ts';
import type { EtcdKeyValue } from './ports.ts';
import { readSubnetValue, type SubnetValue } from './value.ts';

/** A subnet key that can be read. */
export interface StoredSubnet {
  readonly kv: EtcdKeyValue;
  readonly subnets: SubnetPair;
  readonly value: SubnetValue;
}

export type StoredReading =
  | { readonly ok: true; readonly stored: StoredSubnet }
  /** `subnets` are taken all the same, where the key names any. */
  | { readonly ok: false; readonly key: string; readonly reason: string; readonly subnets?: SubnetPair };

/** Who this node is, to etcd. */
export interface EtcdIdentity {
  readonly node: string;
  readonly ownerUid: string;
  readonly netConf: NetConf;
  readonly offer: LeaseOffer;
}

/** Reads one key below `subnets/`; never throws. */
export function readStored(layout: EtcdLayout, kv: EtcdKeyValue): StoredReading {
  const { key } = kv;
  const name = readSubnetKey(layout, key);
  const taken = name.subnets === undefined ? {} : { subnets: name.subnets };
  if (!name.ok) return { ok: false, key, reason: name.reason, ...taken };
  const value = readSubnetValue(kv.value);
  if (!value.ok) return { ok: false, key, reason: value.reason, ...taken };
  return { ok: true, stored: { kv, subnets: name.subnets, value: value.value } };
}

/** True if the key has no lease: an operator's reservation. */
export function isReserved({ kv }: StoredSubnet): boolean {
  return kv.lease === '0';
}

/** True if the key is this node's: it says so, or, written by flannel or by hand, it has this node's address. */
export function isOwnStored({ value }: StoredSubnet, identity: EtcdIdentity): boolean {
  if (value.owner !== undefined)
    return value.owner.node === identity.node && value.owner.uid === identity.ownerUid;
  return isSameAddress(value, identity);
}

/** True if the key has the address this node is known by: the IPv4 one, where the network has IPv4. */
export function isSameAddress(value: SubnetValue, { netConf, offer }: EtcdIdentity): boolean {
  const [mine, theirs] = netConf.ipv4
    ? [offer.ipv4?.publicIp, value.publicIp]
    : [offer.ipv6?.publicIp, value.publicIpv6];
  return mine !== undefined && mine === theirs;
}

/** What this node publishes. */
export function valueOfOffer({ node, ownerUid, netConf, offer }: EtcdIdentity): SubnetValue {
  const [ipv4, ipv6] = FAMILY_KEYS.map((key) => (netConf[key] === undefined ? undefined : offer[key]));
  return {
    ...(ipv4?.publicIp === undefined ? {} : { publicIp: ipv4.publicIp }),
    ...(ipv6?.publicIp === undefined ? {} : { publicIpv6: ipv6.publicIp }),
    backendType: offer.backendType,
    ...(ipv4?.backendData === undefined ? {} : { backendData: ipv4.backendData }),
    ...(ipv6?.backendData === undefined ? {} : { backendV6Data: ipv6.backendData }),
    owner: { node, uid: ownerUid },
  };
}

/** How the key's owner is named in messages: the node's name, or flannel's only sign, the address. */
export function holderOf({ value }: StoredSubnet): string {
  if (value.owner !== undefined) return value.owner.node;
  return value.publicIp ?? value.publicIpv6 ?? '';
}

/**
 * One family of a key as a lease. etcd tells no times of day: `acquiredAtMs` is the revision at which the key was made, which
 * orders leases as time does; `renewedAtMs` is when the key was seen.
 */
export function recordOf(
  stored: StoredSubnet,
  key: FamilyKey,
  seenAtMs: number,
  durationSec = LEASE_DURATION_SEC,
): LeaseRecord | undefined {
  const { value, kv, subnets } = stored;
  const subnet = subnets[key];
  if (subnet === undefined) return undefined;
  const [publicIp, backendData] =
    key === 'ipv4' ? [value.publicIp, value.backendData] : [value.publicIpv6, value.backendV6Data];
  return {
    family: familyOfKey(key),
    subnet,
    node: holderOf(stored),
    ownerUid: value.owner?.uid ?? '',
    backendType: value.backendType,
    ...(publicIp === undefined ? {} : { publicIp }),
    ...(backendData === undefined ? {} : { backendData }),
    acquiredAtMs: kv.createRevision,
    renewedAtMs: seenAtMs,
    durationSec,
    reserved: isReserved(stored),
  };
}

/** A key as a registry shows it: an entry for each family, or one with the reason why it cannot be used. */
export function entriesOf(
  reading: StoredReading,
  identity: EtcdIdentity,
  seenAtMs: number,
): readonly RegistryEntry[] {
  if (!reading.ok) return [{ name: reading.key, refused: reading.reason }];
  const { stored } = reading;
  const own = isOwnStored(stored, identity);
  return FAMILY_KEYS.flatMap((key) => {
    const record = recordOf(stored, key, seenAtMs);
    return record === undefined ? [] : [{ name: `${stored.kv.key} ${key}`, own, record }];
  });
}
