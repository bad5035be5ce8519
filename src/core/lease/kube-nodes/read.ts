/** Node objects as leases: one for each family of the network. */
import {
  canonicalIp,
  familyOf,
  type IpAddress,
  type IpPrefix,
  networkOf,
  parsePrefix,
  prefixContains,
  prefixParts,
} from '#base/ip/index.ts';
import { parseTimeMs } from '#base/rfc3339.ts';
import {
  type BackendData,
  enabledFamilies,
  type FamilyKey,
  familyOfKey,
  LEASE_DURATION_SEC,
  type LeaseRecord,
  poolOf,
} from '../model.ts';
import type { NetConf } from '../net-conf.ts';
import type { RegistryEntry } from '../registry.ts';
import type { NodeAnnotations } from './annotations.ts';
import type { NodeFacts } from './facts.ts';

export type SubnetReading =
  | { readonly ok: true; readonly subnet: IpPrefix }
  | { readonly ok: false; readonly reason: string };

/** A node's pod subnet of a family; refused where there is none, and where it is not part of the network. */
export function podSubnet({ name, podCidrs }: NodeFacts, netConf: NetConf, key: FamilyKey): SubnetReading {
  const refuse = (reason: string) => ({ ok: false, reason }) as const;
  if (podCidrs.length === 0) return refuse(`node "${name}" pod cidr not assigned`);
  if (podCidrs.length > 2)
    return refuse(`node "${name}" has ${podCidrs.length} pod cidrs: one per family is wanted`);
  const family = familyOfKey(key);
  const bad = podCidrs.find((cidr) => parsePrefix(cidr) === undefined);
  if (bad !== undefined) return refuse(`node "${name}" pod cidr "${excerpt(bad)}" is no prefix`);
  const cidr = podCidrs.find((text) => parsePrefix(text)?.family === family);
  if (cidr === undefined)
    return refuse(`node "${name}" pod cidr not assigned for IPv${family}: it has ${podCidrs.join(', ')}`);
  const subnet = networkOf(cidr);
  const { network } = poolOf(netConf, key);
  const fits = prefixParts(subnet).length >= prefixParts(network).length && prefixContains(network, subnet);
  return fits
    ? { ok: true, subnet }
    : refuse(`pod cidr ${subnet} of node "${name}" is not part of the network ${network}`);
}

/** True where flannel or Poplin serves the node, by its own word. */
export function isManaged({ annotations }: NodeFacts, names: NodeAnnotations): boolean {
  return annotations[names.managed] === 'true';
}

/** Another node's leases, one for each family of the network; none where nobody serves it. */
export function readNode(
  facts: NodeFacts,
  names: NodeAnnotations,
  netConf: NetConf,
): readonly RegistryEntry[] {
  if (!isManaged(facts, names)) return [];
  return enabledFamilies(netConf).map((key) => {
    const name = entryName(facts.name, key);
    const record = readFamily(facts, names, netConf, key);
    return typeof record === 'string' ? { name, refused: record } : { name, own: false, record };
  });
}

export function entryName(node: string, key: FamilyKey): string {
  return `${node} ${key}`;
}

/** A record of a node's share; it lasts as long as the Node object, whose time of creation is all that is known of its age. */
export function recordOf(
  facts: NodeFacts,
  subnet: IpPrefix,
  told: Pick<LeaseRecord, 'backendType' | 'publicIp' | 'backendData'>,
): LeaseRecord {
  const createdAtMs = parseTimeMs(facts.createdAt) ?? 0;
  return {
    family: familyOf(subnet),
    subnet,
    node: facts.name,
    ownerUid: facts.uid,
    ...told,
    acquiredAtMs: createdAtMs,
    renewedAtMs: createdAtMs,
    durationSec: LEASE_DURATION_SEC,
    reserved: true,
  };
}

function readFamily(
  facts: NodeFacts,
  names: NodeAnnotations,
  netConf: NetConf,
  key: FamilyKey,
): LeaseRecord | string {
  const reading = podSubnet(facts, netConf, key);
  if (!reading.ok) return reading.reason;
  const text = facts.annotations[names[key].publicIp];
  if (text === undefined) return `annotation ${names[key].publicIp} is missing`;
  const publicIp = readPublicIp(text, key);
  if (publicIp === undefined)
    return `annotation ${names[key].publicIp} is "${excerpt(text)}", not an address of ${key}`;
  const data = readBackendData(facts.annotations[names[key].backendData]);
  if (!data.ok) return `annotation ${names[key].backendData} is "${excerpt(data.text)}", not JSON`;
  return recordOf(facts, reading.subnet, {
    backendType: facts.annotations[names.backendType] ?? '',
    publicIp,
    ...(data.value !== undefined && { backendData: data.value }),
  });
}

/** An address of the family, or undefined; that of nobody is none. */
export function readPublicIp(text: string, key: FamilyKey): IpAddress | undefined {
  const address = canonicalIp(text);
  if (address === undefined || address === '0.0.0.0' || address === '::') return undefined;
  return familyOf(address) === familyOfKey(key) ? address : undefined;
}

type DataReading =
  | { readonly ok: true; readonly value?: BackendData }
  | { readonly ok: false; readonly text: string };

/** `null` and nothing at all mean that the backend tells nothing. */
export function readBackendData(text: string | undefined): DataReading {
  if (text === undefined || text === '') return { ok: true };
  try {
    const value = JSON.parse(text) as BackendData;
    return value === null ? { ok: true } : { ok: true, value };
  } catch {
    return { ok: false, text };
  }
}

export function excerpt(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
