/** What connections with a neighbour must be like, whoever makes them. */
import type { NeighborSession, SpeakerConfig } from '#core/bgp/speaker/index.ts';
import { gtsmHops, type HopLimits } from '#io/bgp/index.ts';

type Terms = Omit<NeighborSession, 'peerAddress'>;

/** Signatures and hop limits. */
export function doorOf(
  config: SpeakerConfig,
  session: Terms,
): { readonly password?: string; readonly hops?: HopLimits } {
  const { password } = session;
  const hops = hopsOf(config, session);
  return { ...(password === undefined ? {} : { password }), ...(hops === undefined ? {} : { hops }) };
}

/** RFC 4271 leaves it open; external neighbours are on the link unless it is said that they are not. */
function hopsOf(config: SpeakerConfig, session: Terms): HopLimits | undefined {
  const { ttlSecurityHops, multihopTtl, peerAsn, peerAs, localAsn } = session;
  if (ttlSecurityHops !== undefined) return gtsmHops(ttlSecurityHops);
  if (multihopTtl !== undefined) return { ttl: multihopTtl };
  const isExternal = peerAsn === undefined ? peerAs === 'external' : peerAsn !== (localAsn ?? config.asn);
  const isMember = peerAsn !== undefined && config.confederationMembers?.includes(peerAsn) === true;
  return isExternal && !isMember ? { ttl: 1 } : undefined;
}
