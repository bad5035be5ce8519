/** What the tables hold, for those who program routes and those who ask: best routes, all routes, and why. */
import { familyOf, type IpAddress, type IpFamily, type IpPrefix, networkOf } from '#base/ip/index.ts';
import { advertise } from './advertise.ts';
import type { TableAttributes } from './attribute-identity.ts';
import { Entry } from './attribute-pool.ts';
import type { DecisionStep } from './decision.ts';
import { type FamilyTable, ROUTE_FLAGS } from './family-table.ts';
import { importRefusal } from './import.ts';
import type { Tables } from './tables.ts';

/** What packets to a prefix are to do from now on. */
export interface BestChange {
  readonly family: IpFamily;
  readonly prefix: IpPrefix;
  /** Absent: there is no route any more. */
  readonly route?: BestRoute;
}

export interface BestRoute {
  /** The peer's key; empty for an own route. */
  readonly peer: string;
  readonly attributes: TableAttributes;
  /** Several if they are as good as one another. */
  readonly nextHops: readonly BestHop[];
  /** Packets are thrown away. */
  readonly isDiscard: boolean;
}

export interface BestHop {
  readonly address: IpAddress;
  readonly linkLocal?: IpAddress;
  /** The key of the peer that said so: a link-local address is on its link. */
  readonly peer: string;
}

/** One route, and what has become of it. */
export interface RouteView {
  readonly family: IpFamily;
  readonly prefix: IpPrefix;
  readonly peer: string;
  readonly pathId: number;
  readonly received: TableAttributes;
  /** After the filters; absent if it was refused. */
  readonly attributes?: TableAttributes;
  readonly receivedAt: number;
  readonly staleness: 'fresh' | 'stale' | 'long-stale';
  readonly isDiscard: boolean;
  readonly outcome:
    | { readonly type: 'best' }
    | { readonly type: 'multipath' }
    /** `step`: where the best one was better. */
    | { readonly type: 'lost'; readonly step: DecisionStep }
    | { readonly type: 'unreachable' }
    | { readonly type: 'refused'; readonly reason: string };
}

/** What a peer is told of a prefix, or why nothing. */
export interface ToldView {
  readonly peer: string;
  readonly attributes?: TableAttributes;
  readonly refusal?: string;
  /** It will be told when it can take it. */
  readonly isPending: boolean;
}

/** Everything known of one prefix. */
export interface Explanation {
  readonly prefix: IpPrefix;
  /** The best first. */
  readonly routes: readonly RouteView[];
  readonly told: readonly ToldView[];
}

/** What to do with packets to a prefix. */
export function bestChange(tables: Tables, table: FamilyTable, prefix: number): BestChange {
  const { family } = table;
  const best = table.best[prefix] as number;
  const text = table.prefixes.textOf(prefix);
  if (best === 0) return { family, prefix: text };
  const routes = [best, ...(table.multipath.get(prefix) ?? [])];
  const nextHops = routes.map((route) => {
    const { nextHop, linkLocalNextHop } = table.effectiveOf(route).attributes;
    const peer = tables.peers[table.peerOf(route)]?.key ?? '';
    return {
      address: nextHop,
      ...(linkLocalNextHop === undefined ? {} : { linkLocal: linkLocalNextHop }),
      peer,
    };
  });
  return {
    family,
    prefix: text,
    route: {
      peer: tables.peers[table.peerOf(best)]?.key ?? '',
      attributes: table.effectiveOf(best).attributes,
      nextHops,
      isDiscard: table.hasFlag(best, ROUTE_FLAGS.discard),
    },
  };
}

/** All routes of a family, of one peer if its key is given; those of own have an empty key. */
export function* routesOf(tables: Tables, family: IpFamily, peer?: string): Iterable<RouteView> {
  const table = tables.families[family];
  for (let prefix = 1; prefix < table.prefixes.end; prefix++)
    for (let route = table.first(prefix); route !== 0; route = table.next(route))
      if (peer === undefined || tables.peers[table.peerOf(route)]?.key === peer)
        yield routeView(tables, table, route);
}

/** Peers that know of a prefix which none of the given ones knows. */
export function solePeers(tables: Tables, known: ReadonlySet<string>): ReadonlySet<string> {
  const sole = new Set<string>();
  for (const table of [tables.families[4], tables.families[6]])
    for (let prefix = 1; prefix < table.prefixes.end; prefix++) {
      const peers: string[] = [];
      for (let route = table.first(prefix); route !== 0; route = table.next(route)) {
        const key = tables.peers[table.peerOf(route)]?.key ?? '';
        if (key !== '' && tables.decision.isEligible(table, route)) peers.push(key);
      }
      if (!peers.some((key) => known.has(key))) for (const key of peers) sole.add(key);
    }
  return sole;
}

/** What a peer has been told of a family. */
export function* toldTo(
  tables: Tables,
  peer: string,
  family: IpFamily,
): Iterable<{
  readonly prefix: IpPrefix;
  readonly pathId?: number;
  readonly attributes: TableAttributes;
}> {
  const table = tables.families[family];
  const { out } = tables.peer(peer).families[family];
  for (let prefix = 1; prefix < table.prefixes.end; prefix++) {
    if (!out.has(prefix)) continue;
    const text = table.prefixes.textOf(prefix);
    const told = out.sentOf(prefix);
    if (told !== 0) yield { prefix: text, attributes: tables.pool.at(told).attributes };
    const paths = out.pathsOf(prefix);
    for (let at = 0; at < paths.length; at += 2) {
      const { attributes } = tables.pool.at(paths[at + 1] as number);
      yield { prefix: text, pathId: paths[at] as number, attributes };
    }
  }
}

/** All routes to a prefix, which need not be in the tables. */
export function* routesTo(tables: Tables, prefix: IpPrefix): Iterable<RouteView> {
  const table = tables.families[familyOf(prefix)];
  const index = table.prefixes.find(networkOf(prefix));
  if (index === 0) return;
  for (let route = table.first(index); route !== 0; route = table.next(route))
    yield routeView(tables, table, route);
}

/** Everything about one prefix, which need not be in the tables. */
export function explain(tables: Tables, prefix: IpPrefix): Explanation {
  const canonical = networkOf(prefix);
  const table = tables.families[familyOf(prefix)];
  const index = table.prefixes.find(canonical);
  if (index === 0) return { prefix: canonical, routes: [], told: [] };
  const routes = [...routesTo(tables, canonical)];
  routes.sort((a, b) => RANK[a.outcome.type] - RANK[b.outcome.type] || (a.peer < b.peer ? -1 : 1));
  return { prefix: canonical, routes, told: [...toldOf(tables, table, index)] };
}

const RANK = { best: 0, multipath: 1, lost: 2, unreachable: 3, refused: 4 } as const;

function* toldOf(tables: Tables, table: FamilyTable, prefix: number): Iterable<ToldView> {
  const best = table.best[prefix] as number;
  for (const peer of tables.neighbors()) {
    const { agreed, out } = peer.families[table.family];
    if (agreed === undefined) continue;
    const isPending = out.pending.has(prefix);
    if (best === 0) {
      yield { peer: peer.key, refusal: 'no route', isPending };
      continue;
    }
    const outcome = advertise(tables, peer, table, best);
    if (!(outcome instanceof Entry)) {
      yield { peer: peer.key, refusal: outcome, isPending };
      continue;
    }
    yield { peer: peer.key, attributes: outcome.attributes, isPending };
    tables.pool.release(outcome);
  }
}

function routeView(tables: Tables, table: FamilyTable, route: number): RouteView {
  const isRefused = table.isRefused(route);
  const staleness = table.hasFlag(route, ROUTE_FLAGS.longStale)
    ? 'long-stale'
    : table.hasFlag(route, ROUTE_FLAGS.stale)
      ? 'stale'
      : 'fresh';
  return {
    family: table.family,
    prefix: table.prefixes.textOf(table.prefixOf(route)),
    peer: tables.peers[table.peerOf(route)]?.key ?? '',
    pathId: table.pathIdOf(route),
    received: table.receivedOf(route).attributes,
    ...(isRefused ? {} : { attributes: table.effectiveOf(route).attributes }),
    receivedAt: table.receivedAt(route),
    staleness,
    isDiscard: table.hasFlag(route, ROUTE_FLAGS.discard),
    outcome: outcomeOf(tables, table, route),
  };
}

function outcomeOf(tables: Tables, table: FamilyTable, route: number): RouteView['outcome'] {
  const prefix = table.prefixOf(route);
  const best = table.best[prefix] as number;
  if (best === route) return { type: 'best' };
  if (table.multipath.get(prefix)?.includes(route) === true) return { type: 'multipath' };
  const reason = importRefusal(tables, table, route);
  if (reason !== undefined) return { type: 'refused', reason };
  if (best === 0 || !tables.decision.isEligible(table, route)) return { type: 'unreachable' };
  return { type: 'lost', step: tables.decision.stepOf(table, route, best) };
}
