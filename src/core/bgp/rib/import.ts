/** Routes on their way into the tables: what peers say, and what is made of it again when a filter is another. */

import type { RouteUpdate, RouteWithdrawal } from '../ports.ts';
import type { TableAttributes } from './attribute-identity.ts';
import type { Entry } from './attribute-pool.ts';
import { type FamilyTable, ROUTE_FLAGS } from './family-table.ts';
import { admit, type ImportRefusal, isBlackhole } from './inbound.ts';
import type { PeerFamily, RibPeer } from './peer.ts';
import type { Tables } from './tables.ts';

const STALE = ROUTE_FLAGS.stale | ROUTE_FLAGS.longStale;

/** Takes in what a peer announces. */
export function announce(tables: Tables, peer: RibPeer, update: RouteUpdate, now: number): void {
  const side = peer.families[update.family];
  if (side.agreed === undefined) return;
  const table = tables.families[update.family];
  const { pool } = tables;
  const received = held(tables, update.attributes);
  const admitted = admit(tables, peer, update.attributes);
  const base = typeof admitted === 'string' ? undefined : held(tables, admitted);
  const isDiscard = isBlackhole(peer, update.attributes);
  for (const { prefix, pathId = 0 } of update.nlri) {
    const index = table.internPrefix(prefix);
    let route = table.find(index, peer.index, pathId);
    if (route === 0) {
      if (!hasRoom(tables, peer, side)) {
        table.prefixes.forget(index);
        continue;
      }
      route = table.add(index, peer.index, pathId);
      side.routes++;
      side.refused++;
    }
    const flags = STALE | ROUTE_FLAGS.refreshing;
    if (table.hasFlag(route, flags)) {
      if (table.hasFlag(route, ROUTE_FLAGS.longStale)) table.touch(route);
      table.setFlag(route, flags, false);
    }
    if (table.hasFlag(route, ROUTE_FLAGS.discard) !== isDiscard) {
      table.setFlag(route, ROUTE_FLAGS.discard, isDiscard);
      table.touch(route);
    }
    put(tables, table, route, received, base, now);
  }
  pool.release(received);
  if (base !== undefined) pool.release(base);
}

/** Takes in what a peer withdraws. */
export function withdraw(tables: Tables, peer: RibPeer, withdrawal: RouteWithdrawal): void {
  const table = tables.families[withdrawal.family];
  for (const { prefix, pathId = 0 } of withdrawal.nlri) {
    const index = table.prefixes.find(prefix);
    const route = index === 0 ? 0 : table.find(index, peer.index, pathId);
    if (route !== 0) removeRoute(tables, table, route);
  }
}

/** Takes a route out, and off its peer's count. */
export function removeRoute(tables: Tables, table: FamilyTable, route: number): void {
  const side = tables.peers[table.peerOf(route)]?.families[table.family];
  if (side !== undefined) {
    side.routes--;
    if (table.isRefused(route)) side.refused--;
  }
  table.remove(route);
}

/** Asks the filters again about all routes of a peer: a soft reset without the peer's help. */
export function readmit(tables: Tables, peer: RibPeer, now: number): void {
  for (const table of [tables.families[4], tables.families[6]]) {
    table.forEach(peer.index, (route) => {
      const received = table.receivedOf(route);
      tables.pool.hold(received);
      const admitted = admit(tables, peer, received.attributes);
      const base = typeof admitted === 'string' ? undefined : held(tables, admitted);
      // What is stale for long keeps the mark that says so; its peer is away.
      if (!table.hasFlag(route, ROUTE_FLAGS.longStale)) put(tables, table, route, received, base, now);
      if (base !== undefined) tables.pool.release(base);
      tables.pool.release(received);
    });
  }
}

/** Why a route is refused; undefined if it is not. */
export function importRefusal(tables: Tables, table: FamilyTable, route: number): ImportRefusal | undefined {
  const peer = tables.peers[table.peerOf(route)];
  if (!table.isRefused(route) || peer === undefined) return undefined;
  const admitted = admit(tables, peer, table.receivedOf(route).attributes);
  return typeof admitted === 'string' ? admitted : 'import filter';
}

function put(
  tables: Tables,
  table: FamilyTable,
  route: number,
  received: Entry,
  base: Entry | undefined,
  now: number,
): void {
  const peer = tables.peers[table.peerOf(route)] as RibPeer;
  const { importFilter } = peer.policy;
  const side = peer.families[table.family];
  const wasRefused = table.isRefused(route);
  let effective = base;
  if (base !== undefined && importFilter !== undefined) {
    const prefix = table.prefixes.textOf(table.prefixOf(route));
    const source = peer.kind;
    const filtered = importFilter({ family: table.family, prefix, attributes: base.attributes, source });
    effective = filtered === undefined ? undefined : tables.pool.intern(filtered);
  }
  if (effective !== undefined) tables.pool.hold(effective);
  table.fill(route, received, effective, now);
  if (effective !== undefined) tables.pool.release(effective);
  const isRefused = effective === undefined;
  if (wasRefused !== isRefused) side.refused += isRefused ? 1 : -1;
}

function held(tables: Tables, attributes: TableAttributes): Entry {
  const entry = tables.pool.intern(attributes);
  tables.pool.hold(entry);
  return entry;
}

/** Whether one more route may be kept; tells once that a limit is passed. */
function hasRoom(tables: Tables, peer: RibPeer, side: PeerFamily): boolean {
  const { maxRoutes } = peer.policy;
  const limit = maxRoutes?.[side.family];
  if (maxRoutes === undefined || limit === undefined || side.routes < limit) return true;
  const { action } = maxRoutes;
  if (!side.isOverLimit) {
    side.isOverLimit = true;
    tables.events.push({ type: 'limit', peer: peer.key, family: side.family, limit, action });
  }
  return action === 'warn';
}
