/** Whether two sets of attributes say the same, and a number that tells most others apart. */
import type { IpAddress } from '#base/ip/index.ts';
import type { PathAttributes } from '../model.ts';

/** Attributes as in tables: with what no message carries. */
export interface TableAttributes extends PathAttributes {
  /** The metric of a kernel route, set by a filter or by whoever announced the route here. */
  readonly priority?: number;
}

/** A signed number of 32 bits, the same for attributes that are the same. */
export function hashAttributes(attributes: TableAttributes): number {
  let hash = text(0x811c9dc5, attributes.origin);
  for (const { type, asns } of attributes.asPath) {
    hash = mix(hash, type.length + asns.length * 31);
    for (const asn of asns) hash = mix(hash, asn);
  }
  hash = text(hash, attributes.nextHop);
  hash = mix(hash, attributes.med ?? -1);
  hash = mix(hash, attributes.localPref ?? -1);
  if (attributes.linkLocalNextHop !== undefined) hash = text(hash, attributes.linkLocalNextHop);
  if (attributes.aggregator !== undefined) hash = mix(hash, attributes.aggregator.asn);
  for (const community of attributes.communities ?? []) hash = mix(hash, community);
  for (const community of attributes.extendedCommunities ?? []) hash = text(hash, community);
  for (const [one, two, three] of attributes.largeCommunities ?? [])
    hash = mix(mix(mix(hash, one), two), three);
  if (attributes.originatorId !== undefined) hash = mix(hash, attributes.originatorId);
  for (const id of attributes.clusterList ?? []) hash = mix(hash, id);
  for (const { type, value } of attributes.unknown ?? []) hash = mix(hash, type * 65_536 + value.length);
  return hash ^ (hash >>> 15);
}

/** A copy whose lists have no room for more, as lists have that were made item by item; with the next hop's text that others have. */
export function compacted(attributes: TableAttributes, nextHop: IpAddress): TableAttributes {
  const asPath = attributes.asPath.map(({ type, asns }) => ({ type, asns: asns.slice() }));
  const { origin, communities } = attributes;
  // An object made in one go is smaller.
  const isPlain = Object.keys(attributes).length === (communities === undefined ? 3 : 4);
  if (isPlain)
    return communities === undefined
      ? { origin, asPath, nextHop }
      : { origin, asPath, nextHop, communities: communities.slice() };
  return { ...attributes, asPath, nextHop, ...(communities && { communities: communities.slice() }) };
}

/** True if every attribute is the same; absent and empty lists differ. */
export function sameAttributes(a: TableAttributes, b: TableAttributes): boolean {
  if (a === b) return true;
  return (
    a.nextHop === b.nextHop &&
    a.origin === b.origin &&
    a.med === b.med &&
    a.localPref === b.localPref &&
    a.linkLocalNextHop === b.linkLocalNextHop &&
    a.atomicAggregate === b.atomicAggregate &&
    a.originatorId === b.originatorId &&
    a.priority === b.priority &&
    samePath(a, b) &&
    sameList(a.communities, b.communities) &&
    sameList(a.clusterList, b.clusterList) &&
    sameList(a.extendedCommunities, b.extendedCommunities) &&
    sameLarge(a, b) &&
    a.aggregator?.asn === b.aggregator?.asn &&
    a.aggregator?.address === b.aggregator?.address &&
    sameUnknown(a, b)
  );
}

/** True if the AS paths are the same, segment by segment. */
export function samePath({ asPath: a }: TableAttributes, { asPath: b }: TableAttributes): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  return a.every((segment, at) => {
    const other = b[at];
    return other !== undefined && segment.type === other.type && sameList(segment.asns, other.asns);
  });
}

function sameList<Item>(a: readonly Item[] | undefined, b: readonly Item[] | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

function sameLarge(
  { largeCommunities: a }: TableAttributes,
  { largeCommunities: b }: TableAttributes,
): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((community, at) => sameList(community, b[at]));
}

function sameUnknown({ unknown: a }: TableAttributes, { unknown: b }: TableAttributes): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((attribute, at) => {
    const other = b[at];
    if (other === undefined || attribute.type !== other.type || attribute.flags !== other.flags) return false;
    return (
      attribute.value.length === other.value.length &&
      attribute.value.every((byte, place) => byte === other.value[place])
    );
  });
}

function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ (value | 0), 0x01000193);
  return mixed ^ (mixed >>> 17);
}

function text(hash: number, value: string): number {
  let mixed = hash;
  for (let at = 0; at < value.length; at++) mixed = Math.imul(mixed ^ value.charCodeAt(at), 0x01000193);
  return mixed;
}
