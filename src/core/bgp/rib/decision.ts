/**
 * Which route to a prefix is the best (RFC 4271 section 9.1.2.2, RFC 4456 section 9, RFC 9494 section 4.3). The outcome depends on the routes
 * alone, not on the order they came in, unless `prefersOldest` says so.
 */
import { compareIp, isLinkLocal } from '#base/ip/index.ts';
import { samePath } from './attribute-identity.ts';
import type { DecisionRules } from './config.ts';
import { type FamilyTable, ROUTE_FLAGS } from './family-table.ts';
import type { RibPeer } from './peer.ts';

/** What is compared, in this order. */
export const DECISION_STEPS = [
  'long-stale',
  'local',
  'local-pref',
  'as-path-length',
  'origin',
  'med',
  'external',
  'igp-metric',
  'oldest',
  'router-id',
  'cluster-list',
  'peer-address',
  'path-id',
] as const;

export type DecisionStep = (typeof DECISION_STEPS)[number];

/** Routes that are alike to here are as good as one another. */
const LAST_OF_MULTIPATH = DECISION_STEPS.indexOf('igp-metric') + 1;

export class Decision {
  readonly #rules: DecisionRules;
  readonly #peers: readonly (RibPeer | undefined)[];

  constructor(rules: DecisionRules, peers: readonly (RibPeer | undefined)[]) {
    this.#rules = rules;
    this.#peers = peers;
  }

  /** Whether a route may be chosen at all. */
  isEligible(table: FamilyTable, route: number): boolean {
    if (table.isRefused(route)) return false;
    return table.peerOf(route) === 0 || table.nextHopOf(route).metric !== undefined;
  }

  /** The best route to a prefix that is not among the excluded, or 0. */
  best(table: FamilyTable, prefix: number, excluded?: ReadonlySet<number>): number {
    let best = 0;
    let hasMed = false;
    const comparesMed = this.#rules.alwaysComparesMed === true;
    for (let route = table.first(prefix); route !== 0; route = table.next(route)) {
      if (!this.isEligible(table, route) || excluded?.has(route) === true) continue;
      if (table.rankOf(route).med !== 0) hasMed = true;
      if (best === 0 || this.compare(table, route, best, comparesMed) < 0) best = route;
    }
    return hasMed && !comparesMed ? this.#bestByNeighbor(table, prefix, excluded) : best;
  }

  /** The others that are as good as the best, best first; none if one path is all that is wanted. */
  equals(table: FamilyTable, prefix: number, best: number): readonly number[] {
    const { external = 1, internal = 1 } = this.#rules.maxPaths ?? {};
    const kind = this.#peers[table.peerOf(best)]?.kind;
    const max = kind === 'external' ? external : kind === 'local' ? 1 : internal;
    if (max <= 1 || table.next(table.first(prefix)) === 0) return [];
    const equals: number[] = [];
    for (let route = table.first(prefix); route !== 0; route = table.next(route))
      if (route !== best && this.isEligible(table, route) && this.#isAsGood(table, route, best))
        equals.push(route);
    equals.sort((a, b) => this.compare(table, a, b, false));
    const hops = new Set([hopOf(table, best)]);
    return equals.filter((route) => {
      const hop = hopOf(table, route);
      if (hops.size >= max || hops.has(hop)) return false;
      hops.add(hop);
      return true;
    });
  }

  /** Negative: `a` is better; the absolute value less one is the step that decided. Zero only for a route and itself. */
  compare(table: FamilyTable, a: number, b: number, comparesMed: boolean): number {
    const [left, right] = [table.rankOf(a), table.rankOf(b)];
    const [peerA, peerB] = [this.#peer(table, a), this.#peer(table, b)];
    const [longA, longB] = [isLongStale(table, a), isLongStale(table, b)];
    if (longA !== longB) return longA ? 1 : -1;
    if ((peerA.index === 0) !== (peerB.index === 0)) return peerA.index === 0 ? -2 : 2;
    if (left !== right) {
      if (left.localPref !== right.localPref) return left.localPref > right.localPref ? -3 : 3;
      if (left.pathLength !== right.pathLength && this.#rules.ignoresPathLength !== true)
        return left.pathLength < right.pathLength ? -4 : 4;
      if (left.origin !== right.origin) return left.origin < right.origin ? -5 : 5;
      if (comparesMed && left.med !== right.med) return left.med < right.med ? -6 : 6;
    }
    const [externalA, externalB] = [peerA.kind === 'external', peerB.kind === 'external'];
    if (externalA !== externalB) return externalA ? -7 : 7;
    const [metricA = 0, metricB = 0] = [table.nextHopOf(a).metric, table.nextHopOf(b).metric];
    if (metricA !== metricB) return metricA < metricB ? -8 : 8;
    if (externalA && this.#rules.prefersOldest === true && table.receivedAt(a) !== table.receivedAt(b))
      return table.receivedAt(a) < table.receivedAt(b) ? -9 : 9;
    return this.#breakTie(table, a, b);
  }

  #breakTie(table: FamilyTable, a: number, b: number): number {
    const [left, right] = [table.rankOf(a), table.rankOf(b)];
    const [peerA, peerB] = [this.#peer(table, a), this.#peer(table, b)];
    // RFC 4456 section 9: the originator stands for the router, and the shorter cluster list wins.
    const [idA, idB] = [left.originatorId ?? peerA.routerId, right.originatorId ?? peerB.routerId];
    if (idA !== idB) return idA < idB ? -10 : 10;
    if (left.clusterLength !== right.clusterLength)
      return left.clusterLength < right.clusterLength ? -11 : 11;
    if (peerA !== peerB && peerA.address !== peerB.address)
      return compareIp(peerA.address, peerB.address) < 0 ? -12 : 12;
    // Two sessions with one address differ by their number here, paths of one session by theirs.
    if (peerA !== peerB) return peerA.key < peerB.key ? -12 : 12;
    return Math.sign(table.pathIdOf(a) - table.pathIdOf(b)) * 13;
  }

  /** The step at which `loser` lost to `winner`. */
  stepOf(table: FamilyTable, loser: number, winner: number): DecisionStep {
    const comparesMed =
      this.#rules.alwaysComparesMed === true ||
      table.rankOf(loser).neighborAsn === table.rankOf(winner).neighborAsn;
    const outcome = Math.abs(this.compare(table, loser, winner, comparesMed));
    return DECISION_STEPS[Math.max(outcome, 1) - 1] as DecisionStep;
  }

  #peer(table: FamilyTable, route: number): RibPeer {
    return this.#peers[table.peerOf(route)] as RibPeer;
  }

  // RFC 4271 section 9.1.2.2 (c): MEDs are compared among routes of one neighbouring AS. Each AS has its best first: else the order would tell.
  #bestByNeighbor(table: FamilyTable, prefix: number, excluded: ReadonlySet<number> | undefined): number {
    const winners = new Map<number, number>();
    for (let route = table.first(prefix); route !== 0; route = table.next(route)) {
      if (!this.isEligible(table, route) || excluded?.has(route) === true) continue;
      const asn = table.rankOf(route).neighborAsn;
      const winner = winners.get(asn);
      if (winner === undefined || this.compare(table, route, winner, true) < 0) winners.set(asn, route);
    }
    let best = 0;
    for (const route of winners.values())
      if (best === 0 || this.compare(table, route, best, false) < 0) best = route;
    return best;
  }

  #isAsGood(table: FamilyTable, route: number, best: number): boolean {
    const comparesMed =
      this.#rules.alwaysComparesMed === true ||
      table.rankOf(route).neighborAsn === table.rankOf(best).neighborAsn;
    if (Math.abs(this.compare(table, route, best, comparesMed)) <= LAST_OF_MULTIPATH) return false;
    return (
      this.#rules.relaxesMultipath === true ||
      samePath(table.effectiveOf(route).attributes, table.effectiveOf(best).attributes)
    );
  }
}

function isLongStale(table: FamilyTable, route: number): boolean {
  return table.rankOf(route).isLongStale || table.hasFlag(route, ROUTE_FLAGS.longStale);
}

/** Where packets go, in a text: the same link-local address is another place on another peer's link. */
function hopOf(table: FamilyTable, route: number): string {
  const { address } = table.nextHopOf(route);
  return isLinkLocal(address) ? `${address}%${table.peerOf(route)}` : address;
}
