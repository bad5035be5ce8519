/**
 * Whether a route is told to a peer, and with which attributes: RFC 4271 sections 5.1 and 9.1.3, RFC 4456 (reflection), RFC 5065
 * (confederations), RFC 1997, 8326 and 9494 (communities). What comes of attributes for one kind of peer is kept with them.
 */
import { familyOf, type IpAddress, type IpFamily, isLinkLocal } from '#base/ip/index.ts';
import { type Asn, type AsPathSegment, COMMUNITIES } from '../model.ts';
import { confedPrepended, prepended, withoutConfed, withoutOwnPeer, withoutPrivate } from './as-path.ts';
import type { TableAttributes } from './attribute-identity.ts';
import type { Entry } from './attribute-pool.ts';
import { type FamilyTable, ROUTE_FLAGS } from './family-table.ts';
import type { RibPeer } from './peer.ts';
import type { Tables } from './tables.ts';

/** Why a route is not told to a peer. */
export type ExportRefusal =
  | 'learned from this peer'
  | 'learned from an internal peer'
  | 'the peer is the originator'
  | 'NO_ADVERTISE'
  | 'NO_EXPORT'
  | 'NO_EXPORT_SUBCONFED'
  | 'within a summary'
  | 'long stale, and the peer does not know what that is'
  | 'no export filter for an external peer (RFC 8212)'
  | 'export filter'
  | 'no next hop of a family the peer takes';

// RFC 4456 section 6: from clients to all, from others to clients. RFC 4271 section 9.2 without a reflector.
/** Whether what one peer says is told to another at all; cheap, and asked first. */
export function isPassedOn(source: RibPeer, peer: RibPeer): boolean {
  if (source === peer) return false;
  if (source.kind !== 'internal' || peer.kind !== 'internal') return true;
  return source.policy.isReflectorClient === true || peer.policy.isReflectorClient === true;
}

/** Whether a peer is told nothing of a family, whatever there is: then no route is looked at for it. */
export function isSilent({ kind, policy }: RibPeer, family: IpFamily): boolean {
  const { exportFilter, requiresFilters, silentFamilies } = policy;
  if (exportFilter === undefined) return kind === 'external' && requiresFilters === true;
  return silentFamilies?.has(family) === true;
}

/** The attributes a peer is told for a route, held for the caller; or why it is not told. */
export function advertise(
  tables: Tables,
  peer: RibPeer,
  table: FamilyTable,
  route: number,
): Entry | ExportRefusal {
  const source = tables.peers[table.peerOf(route)] as RibPeer;
  const entry = table.effectiveOf(route);
  const refusal = refusalOf(tables, peer, table, route);
  if (refusal !== undefined) return refusal;
  const { exportFilter, requiresFilters } = peer.policy;
  if (exportFilter === undefined) {
    if (peer.kind === 'external' && requiresFilters === true)
      return 'no export filter for an external peer (RFC 8212)';
    return transformed(tables, peer, source, entry, table.family);
  }
  const { attributes } = entry;
  const prefix = table.prefixes.textOf(table.prefixOf(route));
  const filtered = exportFilter({ family: table.family, prefix, attributes, source: source.kind });
  if (filtered === undefined) return 'export filter';
  if (filtered === attributes) return transformed(tables, peer, source, entry, table.family);
  const between = tables.pool.intern(filtered);
  tables.pool.hold(between);
  // A MED that the filter set is meant for the peer (RFC 4271 section 5.1.4 is about one that was learned).
  const isOwnMed = filtered.med !== attributes.med;
  const out = transformed(tables, peer, source, between, table.family, isOwnMed);
  tables.pool.release(between);
  return out;
}

function refusalOf(
  tables: Tables,
  peer: RibPeer,
  table: FamilyTable,
  route: number,
): ExportRefusal | undefined {
  const source = tables.peers[table.peerOf(route)] as RibPeer;
  if (source === peer) return 'learned from this peer';
  if (!isPassedOn(source, peer)) return 'learned from an internal peer';
  const { attributes } = table.effectiveOf(route);
  const isReflected = source.kind === 'internal' && peer.kind === 'internal';
  if (isReflected && (attributes.originatorId ?? source.routerId) === peer.routerId)
    return 'the peer is the originator';
  const hidden = tables.hidden[table.family];
  if (hidden.size > 0 && isHidden(hidden, table, table.prefixOf(route))) return 'within a summary';
  // RFC 9494 section 4.3.
  const isLongStale = table.rankOf(route).isLongStale || table.hasFlag(route, ROUTE_FLAGS.longStale);
  if (isLongStale && peer.agreed?.restart?.longLived.has(table.family) !== true)
    return 'long stale, and the peer does not know what that is';
  const { communities } = attributes;
  if (communities === undefined) return undefined;
  if (communities.includes(COMMUNITIES.noAdvertise)) return 'NO_ADVERTISE';
  if (peer.kind === 'external' && communities.includes(COMMUNITIES.noExport)) return 'NO_EXPORT';
  if (peer.kind !== 'internal' && communities.includes(COMMUNITIES.noExportSubconfed))
    return 'NO_EXPORT_SUBCONFED';
  return undefined;
}

function isHidden(hidden: ReadonlyMap<number, string>, table: FamilyTable, prefix: number): boolean {
  for (const summary of hidden.keys())
    if (summary !== prefix && table.prefixes.isWithin(prefix, summary)) return true;
  return false;
}

function transformed(
  tables: Tables,
  peer: RibPeer,
  source: RibPeer,
  entry: Entry,
  family: IpFamily,
  isOwnMed = source.index === 0,
): Entry | ExportRefusal {
  const isReflected = source.kind === 'internal' && peer.kind === 'internal';
  const from = (isReflected ? 4 + source.index : KIND_RANK[source.kind]) * 4 + (family === 6 ? 2 : 0);
  const key = peer.exportKind * 0x80_0000 + from + (isOwnMed ? 1 : 0);
  const known = entry.exportFor(key);
  if (known !== undefined) {
    tables.pool.hold(known);
    return known;
  }
  const nextHop = nextHopFor(peer, source, entry.attributes.nextHop, family);
  if (nextHop === undefined) return 'no next hop of a family the peer takes';
  const attributes = outgoing(tables, peer, source, entry.attributes, nextHop, isOwnMed);
  const out = tables.pool.intern(attributes, true);
  tables.pool.hold(out);
  if (out !== entry) tables.pool.setExport(entry, key, out);
  return out;
}

const KIND_RANK = { local: 0, external: 1, internal: 2, confederation: 3 } as const;

function outgoing(
  tables: Tables,
  peer: RibPeer,
  source: RibPeer,
  attributes: TableAttributes,
  nextHop: IpAddress,
  isOwnMed: boolean,
): TableAttributes {
  const asPath = pathFor(tables, peer, attributes.asPath);
  const { origin } = attributes;
  const communities = withShutdown(peer, attributes.communities);
  // Most have these alone, and an object made in one go is smaller.
  const out: Mutable<TableAttributes> =
    communities === undefined ? { origin, asPath, nextHop } : { origin, asPath, nextHop, communities };
  const { localAddress = '' } = peer.agreed ?? {};
  // RFC 2545 section 3. Without a global address the link-local one stands in both places: nobody takes offence at that, as some do at zeros.
  const linkLocalNextHop = isLinkLocal(localAddress) ? localAddress : peer.policy.linkLocalNextHop;
  const isSelf = nextHop !== attributes.nextHop;
  if (isSelf && linkLocalNextHop !== undefined && familyOf(nextHop) === 6)
    out.linkLocalNextHop = linkLocalNextHop;
  const { med, localPref = 100, originatorId, clusterList } = attributes;
  const isExternal = peer.kind === 'external';
  // RFC 4271 section 5.1.4: the MED of one neighbouring AS is not told to another.
  if (med !== undefined && (isOwnMed || !isExternal)) out.med = med;
  if (!isExternal) out.localPref = peer.policy.isShuttingDown === true ? 0 : localPref;
  if (attributes.atomicAggregate) out.atomicAggregate = true;
  if (attributes.aggregator !== undefined) out.aggregator = attributes.aggregator;
  if (attributes.extendedCommunities !== undefined) out.extendedCommunities = attributes.extendedCommunities;
  if (attributes.largeCommunities !== undefined) out.largeCommunities = attributes.largeCommunities;
  if (source.kind === 'internal' && peer.kind === 'internal') {
    // RFC 4456 section 8.
    out.originatorId = originatorId ?? source.routerId;
    out.clusterList = [tables.config.clusterId ?? tables.config.routerId, ...(clusterList ?? [])];
  }
  const { unknown } = attributes;
  const passedOn = source.index === 0 ? unknown : unknown?.filter(isTransitive).map(asPartial);
  if (passedOn !== undefined && passedOn.length > 0) out.unknown = passedOn;
  return out;
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

// RFC 4271 section 9: what nobody here knows is passed on if it is transitive, and marked as partial.
function isTransitive({ flags }: { readonly flags: number }): boolean {
  return (flags & 0x40) !== 0;
}

function asPartial<Attribute extends { readonly flags: number }>(attribute: Attribute): Attribute {
  return (attribute.flags & 0x20) === 0 ? { ...attribute, flags: attribute.flags | 0x20 } : attribute;
}

// RFC 8326 section 4.1.
function withShutdown(
  { policy }: RibPeer,
  communities: readonly number[] | undefined,
): readonly number[] | undefined {
  if (policy.isShuttingDown !== true || communities?.includes(COMMUNITIES.gracefulShutdown) === true)
    return communities;
  return [...(communities ?? []), COMMUNITIES.gracefulShutdown];
}

function pathFor(
  { config }: Tables,
  peer: RibPeer,
  path: readonly AsPathSegment[],
): readonly AsPathSegment[] {
  if (peer.kind === 'internal') return path;
  if (peer.kind === 'confederation') return confedPrepended(path, config.asn);
  const own: Asn = peer.policy.localAsn ?? config.confederationId ?? config.asn;
  let outside = withoutConfed(path);
  const { privateAsns = 'keep', overridesAsn } = peer.policy;
  if (privateAsns !== 'keep') outside = withoutPrivate(outside, privateAsns === 'replace' ? own : undefined);
  if (overridesAsn === true) outside = withoutOwnPeer(outside, peer.agreed?.peerAsn ?? 0, own);
  return prepended(outside, own);
}

// RFC 4271 section 5.1.3, RFC 8950. What is link-local means nothing on another link, and stays ours to forward by, whatever is wanted.
function nextHopFor(
  peer: RibPeer,
  source: RibPeer,
  learned: IpAddress,
  family: IpFamily,
): IpAddress | undefined {
  const { nextHop = 'auto', nextHops } = peer.policy;
  const isOwn = source.index === 0 && isUnspecified(learned);
  const isSelf =
    nextHop === 'self' || isOwn || (nextHop === 'auto' && peer.kind === 'external') || isLinkLocal(learned);
  const { localAddress = '', families } = peer.agreed ?? {};
  const takesOther = family === 6 || families?.get(family)?.extendedNextHop === true;
  const isTaken = (address: IpAddress): boolean =>
    familyOf(address) === family || (takesOther && familyOf(address) === 6);
  if (!isSelf) return isTaken(learned) ? learned : undefined;
  const given = nextHops?.[family];
  const other = takesOther ? nextHops?.[6] : undefined;
  const session = isTaken(localAddress) ? localAddress : undefined;
  return given ?? (isLinkLocal(localAddress) ? (other ?? session) : (session ?? other));
}

/** Whether a next hop stands for ourselves. */
export function isUnspecified(nextHop: IpAddress): boolean {
  return nextHop === '0.0.0.0' || nextHop === '::';
}
