/** This node's own Node object: which subnets it gives, and which annotations have to be written there. */
import type { IpAddress } from '#base/ip/index.ts';
import type { LeaseOffer } from '../acquirer-types.ts';
import { type BackendData, enabledFamilies, type FamilyKey, type LeaseRecord } from '../model.ts';
import type { NetConf } from '../net-conf.ts';
import type { NodeAnnotations } from './annotations.ts';
import type { NodeFacts } from './facts.ts';
import { excerpt, podSubnet, readBackendData, readPublicIp, recordOf } from './read.ts';

export interface OwnNode {
  readonly records: { readonly [K in FamilyKey]?: LeaseRecord };
  /** Annotations that are missing or say something else; empty: nothing is to be written. */
  readonly patch: Readonly<Record<string, string>>;
  /** Why a family has no subnet, and what of an operator's annotations cannot be followed. */
  readonly problems: readonly string[];
}

export function planOwnNode(
  facts: NodeFacts,
  names: NodeAnnotations,
  netConf: NetConf,
  offer: LeaseOffer,
): OwnNode {
  const records: { [K in FamilyKey]?: LeaseRecord } = {};
  const problems = new Set<string>();
  const patch: Record<string, string> = {};
  const { backendType } = offer;
  const say = (key: string, value: string) => {
    if (facts.annotations[key] !== value) patch[key] = value;
  };
  for (const key of enabledFamilies(netConf)) {
    const address = ownPublicIp(facts, names, key, offer[key]?.publicIp);
    for (const problem of address.problems) problems.add(problem);
    const { publicIp } = address;
    const backendData = offer[key]?.backendData;
    const reading = podSubnet(facts, netConf, key);
    if (reading.ok)
      records[key] = recordOf(facts, reading.subnet, {
        backendType,
        ...(publicIp !== undefined && { publicIp }),
        ...(backendData !== undefined && { backendData }),
      });
    else problems.add(reading.reason);
    const { backendData: dataKey, publicIp: ipKey } = names[key];
    if (!saysSame(facts.annotations[dataKey], backendData)) say(dataKey, JSON.stringify(backendData ?? null));
    if (publicIp !== undefined && readPublicIp(facts.annotations[ipKey] ?? '', key) !== publicIp)
      say(ipKey, publicIp);
  }
  say(names.backendType, backendType);
  say(names.managed, 'true');
  const isComplete = enabledFamilies(netConf).every((key) => records[key] !== undefined);
  // Peers refuse a node without its subnets; it tells of itself once it has all of them.
  return { records, patch: isComplete ? patch : {}, problems: [...problems] };
}

/** What operators wrote counts more than what the node found: the overwrite most. */
function ownPublicIp(
  { annotations }: NodeFacts,
  names: NodeAnnotations,
  key: FamilyKey,
  found: IpAddress | undefined,
): { readonly publicIp?: IpAddress; readonly problems: readonly string[] } {
  const problems: string[] = [];
  for (const name of [names[key].publicIpOverwrite, names[key].nodePublicIp]) {
    const text = annotations[name];
    if (text === undefined || text === '') continue;
    const publicIp = readPublicIp(text, key);
    if (publicIp !== undefined) return { publicIp, problems };
    problems.push(`annotation ${name} is "${excerpt(text)}", not an address of ${key}: it is not followed`);
  }
  return { ...(found !== undefined && { publicIp: found }), problems };
}

/** The addresses an operator wants the node to use as its own, from its annotations; those that are none are left out. */
export function wishedNodeIps(
  { annotations }: NodeFacts,
  names: NodeAnnotations,
): { readonly ipv4?: IpAddress; readonly ipv6?: IpAddress } {
  const ipv4 = readPublicIp(annotations[names.ipv4.nodePublicIp] ?? '', 'ipv4');
  const ipv6 = readPublicIp(annotations[names.ipv6.nodePublicIp] ?? '', 'ipv6');
  return { ...(ipv4 !== undefined && { ipv4 }), ...(ipv6 !== undefined && { ipv6 }) };
}

function saysSame(text: string | undefined, data: BackendData | undefined): boolean {
  if (text === undefined) return false;
  const reading = readBackendData(text);
  return reading.ok && sortedText(reading.value) === sortedText(data);
}

/** JSON with the keys of objects in order: two spellings of one value give one text. */
function sortedText(value: BackendData | undefined): string {
  return JSON.stringify(value ?? null, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
