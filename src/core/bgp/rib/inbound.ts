/**
 * What becomes of a route on its way in (Adj-RIB-In): loops, filters and communities that are asked of whoever hears them. What is refused
 * stays in the table as it came, so that another filter can be tried without asking the peer again.
 */
import { type Asn, COMMUNITIES, type PathAttributes } from '../model.ts';
import type { TableAttributes } from './attribute-identity.ts';
import type { RibPeer } from './peer.ts';
import type { Tables } from './tables.ts';

/** Why a route is refused on its way in. */
export type ImportRefusal =
  | 'own AS in the path'
  | 'own router is the originator'
  | 'own cluster in the cluster list'
  | 'no import filter for an external peer (RFC 8212)'
  | 'own address as next hop'
  | 'import filter'
  | 'more routes than allowed';

/** The attributes as the tables keep them, filters apart, or why not. The same object if nothing is to change. */
export function admit(
  tables: Tables,
  peer: RibPeer,
  attributes: PathAttributes,
): TableAttributes | ImportRefusal {
  const { config } = tables;
  const { policy } = peer;
  const allowed = policy.allowedOwnAsns ?? 0;
  if (countOwn(attributes, ownAsns(tables, peer)) > allowed) return 'own AS in the path';
  if (peer.kind === 'internal') {
    // RFC 4456 section 8.
    if (attributes.originatorId === config.routerId) return 'own router is the originator';
    if (attributes.clusterList?.includes(config.clusterId ?? config.routerId) === true)
      return 'own cluster in the cluster list';
  }
  // RFC 4271 section 5.1.3: a route by way of ourselves is of no use.
  const { localAddress } = peer.lastAgreed ?? {};
  if (attributes.nextHop === localAddress || isOwnNextHop(peer, attributes)) return 'own address as next hop';
  if (peer.kind === 'external' && policy.requiresFilters === true && policy.importFilter === undefined)
    return 'no import filter for an external peer (RFC 8212)';
  return peer.kind === 'external' ? fromOutside(peer, attributes) : attributes;
}

function isOwnNextHop({ policy }: RibPeer, { nextHop }: PathAttributes): boolean {
  return nextHop === policy.nextHops?.[4] || nextHop === policy.nextHops?.[6];
}

function ownAsns({ config }: Tables, { policy }: RibPeer): readonly Asn[] {
  const asns = [config.asn];
  if (config.confederationId !== undefined) asns.push(config.confederationId);
  if (policy.localAsn !== undefined && policy.localAsn !== config.asn) asns.push(policy.localAsn);
  return asns;
}

function countOwn({ asPath }: PathAttributes, own: readonly Asn[]): number {
  let count = 0;
  for (const { asns } of asPath) for (const asn of asns) if (own.includes(asn)) count++;
  return count;
}

/** What an external peer may not say is taken away, and what it asks of us is done. */
function fromOutside(peer: RibPeer, attributes: PathAttributes): TableAttributes {
  const { localPref, originatorId, clusterList, ...rest } = attributes;
  // RFC 4271 section 5.1.5, RFC 4456 section 8: local preference and reflection are of one AS.
  const hasForeign = localPref !== undefined || originatorId !== undefined || clusterList !== undefined;
  let admitted: TableAttributes = hasForeign ? rest : attributes;
  const communities = attributes.communities ?? [];
  // RFC 8326 section 4.2: what is about to go is the last choice.
  if (communities.includes(COMMUNITIES.gracefulShutdown)) admitted = { ...admitted, localPref: 0 };
  // RFC 7999 section 3.2: what is discarded here need not be known elsewhere.
  if (peer.policy.acceptsBlackhole === true && communities.includes(COMMUNITIES.blackhole)) {
    const isKept =
      communities.includes(COMMUNITIES.noExport) || communities.includes(COMMUNITIES.noAdvertise);
    if (!isKept) admitted = { ...admitted, communities: [...communities, COMMUNITIES.noExport] };
  }
  return admitted;
}

/** Whether packets to a route are to be thrown away (RFC 7999). */
export function isBlackhole(peer: RibPeer, attributes: PathAttributes): boolean {
  return (
    peer.policy.acceptsBlackhole === true &&
    (attributes.communities?.includes(COMMUNITIES.blackhole) ?? false)
  );
}
