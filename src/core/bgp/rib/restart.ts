/**
 * Peers that go and come back: stale routes (RFC 4724), those that are stale for long (RFC 9494), and the sweep after a refresh (RFC 7313).
 * Time comes with events; what falls due is found by `deadline` and done by `expire`.
 */
import { COMMUNITIES, type RouteFamily } from '../model.ts';
import type { Agreed } from '../ports.ts';
import { type FamilyTable, ROUTE_FLAGS } from './family-table.ts';
import { removeRoute } from './import.ts';
import { FAMILIES, type PeerFamily, type RibPeer } from './peer.ts';
import type { Tables } from './tables.ts';

const DEFAULT_STALE_SEC = 360;
const { stale: STALE, longStale: LONG_STALE, refreshing: REFRESHING } = ROUTE_FLAGS;

/** The session is gone: the peer's routes go too, or stay as stale ones for as long as was agreed. */
export function keepOrRemove(tables: Tables, peer: RibPeer, keepsRoutes: boolean, now: number): void {
  const restart = keepsRoutes ? peer.lastAgreed?.restart : undefined;
  for (const family of FAMILIES) {
    const side = peer.families[family];
    const table = tables.families[family];
    side.isComplete = false;
    const isKept = restart?.families.has(family) === true;
    const longLived = restart?.longLived.get(family);
    if (restart === undefined || (!isKept && longLived === undefined)) {
      sweep(tables, table, peer, () => true);
      forgetDeadlines(side);
      continue;
    }
    // RFC 4724 section 4.2: what was stale already is removed, RFC 9494 section 4.2: unless it may be stale for long.
    if (longLived === undefined) sweep(tables, table, peer, (route) => table.hasFlag(route, STALE));
    table.forEach(peer.index, (route) => table.setFlag(route, STALE, true));
    // RFC 9494 section 4.2: the long time begins when the short one is over, at once if there is none.
    side.staleUntil = now + (isKept ? restart.restartTimeSec * 1000 : 0);
  }
}

/** The peer is back: it has kept forwarding, or what was stale is wrong. */
export function resume(tables: Tables, peer: RibPeer, agreed: Agreed, now: number): void {
  for (const family of FAMILIES) {
    const side = peer.families[family];
    side.isOverLimit = false;
    if (side.staleUntil === undefined && side.longStaleUntil === undefined) continue;
    const restart = agreed.restart?.families.get(family) ?? agreed.restart?.longLived.get(family);
    if (side.agreed === undefined || restart?.isForwardingKept !== true) {
      sweepStale(tables, peer, family);
      continue;
    }
    side.staleUntil = now + (peer.policy.staleTimeSec ?? DEFAULT_STALE_SEC) * 1000;
  }
}

/** The peer has said all it has: what is still stale is gone. */
export function endStale(tables: Tables, peer: RibPeer, family: RouteFamily): void {
  peer.families[family].isComplete = true;
  sweepStale(tables, peer, family);
}

/** RFC 7313: what is not said again between begin and end is gone. */
export function refresh(tables: Tables, peer: RibPeer, family: RouteFamily, subtype: 'begin' | 'end'): void {
  const table = tables.families[family];
  if (subtype === 'begin') table.forEach(peer.index, (route) => table.setFlag(route, REFRESHING, true));
  else sweep(tables, table, peer, (route) => table.hasFlag(route, REFRESHING));
}

/** When the next stale routes fall due, in milliseconds. */
export function staleDeadline(tables: Tables): number | undefined {
  let next: number | undefined;
  for (const { families } of tables.neighbors())
    for (const { staleUntil, longStaleUntil } of [families[4], families[6]])
      for (const at of [staleUntil, longStaleUntil])
        if (at !== undefined && (next === undefined || at < next)) next = at;
  return next;
}

/** Removes what has been stale for too long, or marks it as stale for long. */
export function expireStale(tables: Tables, now: number): void {
  for (const peer of tables.neighbors()) {
    for (const family of FAMILIES) {
      const side = peer.families[family];
      const { staleUntil } = side;
      if (staleUntil !== undefined && staleUntil <= now) {
        const longLived = peer.agreed === undefined && peer.lastAgreed?.restart?.longLived.get(family);
        // From when the short time was over, however late that is noticed.
        if (longLived) becomeLongStale(tables, peer, family, staleUntil + longLived.staleTimeSec * 1000);
        else sweepStale(tables, peer, family);
      }
      if (side.longStaleUntil !== undefined && side.longStaleUntil <= now) sweepStale(tables, peer, family);
    }
  }
}

// RFC 9494 section 4.2 and 4.3: routes with NO_LLGR go; the others are marked, and become the last choice.
function becomeLongStale(tables: Tables, peer: RibPeer, family: RouteFamily, until: number): void {
  const side = peer.families[family];
  const table = tables.families[family];
  side.staleUntil = undefined;
  side.longStaleUntil ??= until;
  let routes = 0;
  table.forEach(peer.index, (route) => {
    if (!table.hasFlag(route, STALE)) return;
    const received = table.receivedOf(route);
    if (received.attributes.communities?.includes(COMMUNITIES.noLlgr) === true) {
      removeRoute(tables, table, route);
      return;
    }
    routes++;
    table.setFlag(route, LONG_STALE, true);
    if (table.isRefused(route)) return;
    const { attributes } = table.effectiveOf(route);
    const communities = attributes.communities ?? [];
    if (communities.includes(COMMUNITIES.llgrStale)) return;
    const marked = tables.pool.intern({
      ...attributes,
      communities: [...communities, COMMUNITIES.llgrStale],
    });
    table.fill(route, received, marked, table.receivedAt(route));
  });
  tables.events.push({ type: 'stale', peer: peer.key, family, routes, fate: 'kept-long' });
}

function sweepStale(tables: Tables, peer: RibPeer, family: RouteFamily): void {
  const side = peer.families[family];
  const table = tables.families[family];
  if (side.staleUntil === undefined && side.longStaleUntil === undefined) return;
  forgetDeadlines(side);
  const routes = sweep(tables, table, peer, (route) => table.hasFlag(route, STALE | LONG_STALE));
  if (routes > 0) tables.events.push({ type: 'stale', peer: peer.key, family, routes, fate: 'removed' });
}

function sweep(
  tables: Tables,
  table: FamilyTable,
  peer: RibPeer,
  isGone: (route: number) => boolean,
): number {
  if (peer.families[table.family].routes === 0) return 0;
  let count = 0;
  table.forEach(peer.index, (route) => {
    if (!isGone(route)) return;
    removeRoute(tables, table, route);
    count++;
  });
  return count;
}

function forgetDeadlines(side: PeerFamily): void {
  side.staleUntil = undefined;
  side.longStaleUntil = undefined;
}
