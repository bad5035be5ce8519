/**
 * flannel's keys: `PREFIX/config`, and below `PREFIX/subnets/` one key for each node, which names its subnet: `10.5.52.0-24`, in dual
 * stack `10.5.52.0-24&fd00:0:0:5::-64`. An IPv6-only network has 0.0.0.0-0 in the first place, for flannel reads no key without one.
 * Facts: flannel's pkg/subnet/subnet.go and pkg/subnet/etcd/registry.go.
 */
import { canonicalIp, familyOf, type IpPrefix, networkOf, prefixesOverlap } from '#base/ip/index.ts';
import { FAMILY_KEYS, type FamilyKey } from '../model.ts';
import type { EtcdRange } from './ports.ts';

export const DEFAULT_ETCD_PREFIX = '/coreos.com/network';

/** A node's subnets, one for each family it has. */
export type SubnetPair = { readonly [K in FamilyKey]?: IpPrefix };

export interface EtcdLayout {
  readonly prefix: string;
  readonly configKey: string;
  /** All subnet keys. */
  readonly subnets: Required<EtcdRange>;
}

const NO_IPV4 = '0.0.0.0-0';
// flannel's expression is open to the left; so is this one, to know what flannel takes for a subnet
const SUBNET = /(\d+\.\d+\.\d+\.\d+)-(\d+)(?:&([a-f\d:]+)-(\d+))?$/;

/** The keys below a prefix, which is cleaned as flannel cleans it: no doubled and no last slash. */
export function etcdLayout(prefix: string = DEFAULT_ETCD_PREFIX): EtcdLayout {
  const parts = prefix.split('/').filter((part) => part !== '' && part !== '.');
  const clean = `${prefix.startsWith('/') ? '/' : ''}${parts.join('/')}`;
  const base = parts.length === 0 ? clean : `${clean}/`;
  // '0' is the character after '/'
  const subnets = { key: `${base}subnets/`, end: `${base}subnets0` };
  return { prefix: clean, configKey: `${base}config`, subnets };
}

/** The key of a node's subnets. Throws RangeError without any. */
export function subnetKey(layout: EtcdLayout, { ipv4, ipv6 }: SubnetPair): string {
  if (ipv4 === undefined && ipv6 === undefined) throw new RangeError('a subnet key needs a subnet');
  const first = ipv4 === undefined ? NO_IPV4 : ipv4.replace('/', '-');
  return `${layout.subnets.key}${first}${ipv6 === undefined ? '' : `&${ipv6.replace('/', '-')}`}`;
}

export type KeyReading =
  | { readonly ok: true; readonly subnets: SubnetPair }
  /** `subnets` is what flannel takes the key for. */
  | { readonly ok: false; readonly reason: string; readonly subnets?: SubnetPair };

/** Reads a key below `subnets/`. */
export function readSubnetKey(layout: EtcdLayout, key: string): KeyReading {
  const name = key.slice(layout.subnets.key.length);
  const [found, address4 = '', length4 = '', address6, length6 = ''] = SUBNET.exec(name) ?? [];
  if (found === undefined) return { ok: false, reason: `"${name}" names no subnet such as 10.5.52.0-24` };
  const ipv4 = `${address4}-${length4}` === NO_IPV4 ? undefined : prefixOf(address4, length4, 4);
  const ipv6 = address6 === undefined ? undefined : prefixOf(address6, length6, 6);
  if ((ipv4 === undefined && address6 === undefined) || ipv4 === null || ipv6 === null)
    return { ok: false, reason: `"${name}" names no subnet such as 10.5.52.0-24` };
  const subnets: SubnetPair = {
    ...(ipv4 === undefined ? {} : { ipv4: networkOf(ipv4) }),
    ...(ipv6 === undefined ? {} : { ipv6: networkOf(ipv6) }),
  };
  const proper = subnetKey(layout, subnets).slice(layout.subnets.key.length);
  if (name === proper) return { ok: true, subnets };
  return { ok: false, reason: `"${name}" is not written as flannel writes it: "${proper}"`, subnets };
}

/** True if the two have a part in common, in either family. */
export function pairsOverlap(a: SubnetPair, b: SubnetPair): boolean {
  return FAMILY_KEYS.some((key) => familyOverlaps(a, b, key));
}

/** True if the two have a part of this family in common. */
export function familyOverlaps(a: SubnetPair, b: SubnetPair, key: FamilyKey): boolean {
  const [one, other] = [a[key], b[key]];
  return one !== undefined && other !== undefined && prefixesOverlap(one, other);
}

/** `10.5.52.0/24 and fd00:0:0:5::/64` */
export function pairText({ ipv4, ipv6 }: SubnetPair): string {
  return [ipv4, ipv6].filter((subnet) => subnet !== undefined).join(' and ');
}

function prefixOf(address: string, length: string, family: 4 | 6): IpPrefix | null {
  const canonical = canonicalIp(address);
  if (canonical === undefined || familyOf(canonical) !== family) return null;
  // flannel reads five and seven bits
  if (Number(length) > (family === 4 ? 31 : 127)) return null;
  return `${canonical}/${Number(length)}`;
}
