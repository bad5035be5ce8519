/**
 * The tables of a speaker: news of sessions and own routes in; best routes, and what each peer is to be told, out. Memory is bounded by the
 * routes, whatever peers do. `settle` decides about what has changed; `drain` and `takeBest` do so first. Time comes with each call.
 */
import type { IpFamily, IpPrefix } from '#base/ip/index.ts';
import type { SessionNews, SessionSend } from '../ports.ts';
import { isPassedOn, isSilent } from './advertise.ts';
import type { MetricOf } from './attribute-pool.ts';
import type { Aggregate, LocalRoute, PeerPolicy, RibConfig } from './config.ts';
import { drainFamily, forgetSent, sendsPaths } from './export.ts';
import { type FamilyTable, ROUTE_FLAGS } from './family-table.ts';
import { announce, readmit, withdraw } from './import.ts';
import { LocalRoutes } from './local.ts';
import { FAMILIES, type RibPeer } from './peer.ts';
import { endStale, expireStale, keepOrRemove, refresh, resume, staleDeadline } from './restart.ts';
import { type RibEvent, Tables } from './tables.ts';
import { type BestChange, bestChange } from './view.ts';

/** What the tables ask of the world. */
export interface RibPorts {
  /** What it costs to reach a next hop; undefined if it cannot be reached. Without it every next hop costs nothing. */
  readonly metricOf?: MetricOf;
}

/** What is made for more peers than these is kept for the others; for fewer it is not worth the memory. */
const FEW_LISTENERS = 2;

export class Rib {
  /** For views; whoever else uses it changes nothing in it. */
  readonly tables: Tables;
  readonly #local: LocalRoutes;
  #listeners: { readonly 4: readonly RibPeer[]; readonly 6: readonly RibPeer[] } = { 4: [], 6: [] };
  #deferUntil: number | undefined;
  #tracksBest = true;

  constructor(config: RibConfig, ports: RibPorts = {}) {
    this.tables = new Tables(config, ports.metricOf ?? (() => 0));
    this.#local = new LocalRoutes(this.tables, (family, summary) => this.#retell(family, summary));
  }

  /** Begins as one that has restarted: nothing is sent before all peers have told theirs, or the time is over (RFC 4724 section 4.1). */
  defer(now: number): void {
    const { deferMs } = this.tables.config;
    if (deferMs === undefined) return;
    for (const family of FAMILIES) this.tables.deferred.add(family);
    this.#deferUntil = now + deferMs;
  }

  /** Takes another configuration. Sessions that were agreed as another AS or router must have ended. */
  configure(config: RibConfig, now: number): void {
    this.tables.configure(config);
    for (const table of [this.tables.families[4], this.tables.families[6]])
      table.forEach(undefined, (route) => table.touchPrefix(table.prefixOf(route)));
    for (const peer of this.tables.neighbors()) {
      readmit(this.tables, peer, now);
      this.#tellAll(peer);
    }
  }

  /** Throws a RangeError if there is one of that key. */
  addPeer(key: string, policy: PeerPolicy): void {
    this.tables.addPeer(key, policy);
  }

  /** Takes another policy for a peer, without harm to its session: both directions are gone through again. */
  setPolicy(key: string, policy: PeerPolicy, now: number): void {
    const peer = this.tables.peer(key);
    const wasClient = peer.policy.isReflectorClient;
    peer.policy = policy;
    this.tables.refreshExportKind(peer);
    this.#listen();
    readmit(this.tables, peer, now);
    this.#tellAll(peer);
    // What a client says goes to more peers, and may be held back no more.
    if (wasClient !== policy.isReflectorClient)
      for (const other of this.tables.neighbors()) if (other !== peer) this.#tellAll(other);
  }

  /** Forgets a peer and its routes. */
  removePeer(key: string): void {
    const peer = this.tables.peer(key);
    this.#down(peer, false, 0);
    // Nobody may refer to the number when another peer gets it.
    this.settle(0);
    this.tables.removePeer(peer);
  }

  /** Takes in what a session says. Nothing is decided yet. */
  take(key: string, news: SessionNews, now: number): void {
    const peer = this.tables.peer(key);
    switch (news.type) {
      case 'established':
        if (peer.agreed !== undefined) this.#down(peer, false, now);
        this.tables.establish(peer, news.agreed);
        resume(this.tables, peer, news.agreed, now);
        this.#listen();
        for (const family of news.agreed.families.keys()) peer.families[family].out.owesEndOfRib = true;
        this.#tellAll(peer);
        return;
      case 'announced':
        announce(this.tables, peer, news.update, now);
        return;
      case 'withdrawn':
        withdraw(this.tables, peer, news.withdrawal);
        return;
      case 'end-of-rib':
        endStale(this.tables, peer, news.family);
        this.#endDeferral();
        return;
      case 'refresh':
        if (news.subtype === 'request') this.resend(key, news.family);
        else refresh(this.tables, peer, news.family, news.subtype);
        return;
      case 'down':
        // One that was not up has lost nothing; what is stale of the session before stays for its time.
        if (peer.agreed !== undefined || !news.keepsRoutes) this.#down(peer, news.keepsRoutes, now);
    }
  }

  /** Has a peer told everything of a family again (RFC 2918), within begin and end if it knows them (RFC 7313). */
  resend(key: string, family: IpFamily): void {
    const peer = this.tables.peer(key);
    const { out, agreed } = peer.families[family];
    if (agreed === undefined) return;
    if (peer.agreed?.hasEnhancedRefresh === true) out.refresh = 'begin';
    out.forEachSent((prefix) => {
      out.force(prefix);
      this.#owe(family, peer, prefix);
    });
  }

  /** Asks the filters again about what a peer has said. */
  readmit(key: string, now: number): void {
    readmit(this.tables, this.tables.peer(key), now);
  }

  announce(route: LocalRoute, now: number): void {
    this.#local.announce(route, now);
  }

  /** False if there was no such route. */
  withdraw(prefix: IpPrefix, origin: string): boolean {
    return this.#local.withdraw(prefix, origin);
  }

  setAggregates(aggregates: readonly Aggregate[], now: number): void {
    this.settle(now);
    this.#local.setAggregates(aggregates, now);
  }

  /** The way to any next hop may be another. */
  refreshMetrics(): void {
    const changed = this.tables.pool.refreshMetrics();
    if (changed.size === 0) return;
    for (const table of [this.tables.families[4], this.tables.families[6]])
      table.forEach(undefined, (route) => {
        if (!table.isRefused(route) && changed.has(table.nextHopOf(route)))
          table.touchPrefix(table.prefixOf(route));
      });
  }

  /** Decides about all prefixes that have changed; the number of those whose best route is another. */
  settle(now: number): number {
    let count = 0;
    for (const family of FAMILIES) {
      if (this.tables.deferred.has(family)) continue;
      const table = this.tables.families[family];
      for (let prefix = table.changed.shift(); prefix !== 0; prefix = table.changed.shift()) {
        if (this.#decide(table, prefix, now)) count++;
        table.prefixes.release(prefix);
      }
    }
    return count;
  }

  hasPending(key: string): boolean {
    const { families } = this.tables.peer(key);
    return FAMILIES.some((family) => {
      const { agreed, out } = families[family];
      if (agreed === undefined || this.tables.deferred.has(family)) return false;
      return out.pending.size > 0 || out.owesEndOfRib || out.refresh !== 'none';
    });
  }

  /** What a peer is owed, up to `budget` prefixes of each family; the rest waits, however often it changes. */
  drain(key: string, budget: number, now: number): SessionSend[] {
    const peer = this.tables.peer(key);
    this.settle(now);
    return FAMILIES.flatMap((family) => {
      const side = peer.families[family];
      if (side.agreed === undefined || this.tables.deferred.has(family)) return [];
      return drainFamily(this.tables, peer, side, budget, this.#listeners[family].length > FEW_LISTENERS);
    });
  }

  /** Whether changes of best routes are noted for takeBest; those that nobody has taken are forgotten when they are not. */
  trackBest(isTracked: boolean): void {
    this.#tracksBest = isTracked;
    if (isTracked) return;
    for (const family of FAMILIES) {
      const waiting = this.tables.unprogrammed[family];
      while (waiting.size > 0) this.tables.families[family].prefixes.release(waiting.shift());
    }
  }

  /** Whether takeBest has anything to give, once all is decided. */
  get hasBest(): boolean {
    return this.tables.unprogrammed[4].size > 0 || this.tables.unprogrammed[6].size > 0;
  }

  /** Best routes that have changed since they were last taken, up to `max` of each family. */
  takeBest(max: number, now: number): BestChange[] {
    this.settle(now);
    const changes: BestChange[] = [];
    for (const family of FAMILIES) {
      const table = this.tables.families[family];
      const waiting = this.tables.unprogrammed[family];
      for (let left = max; left > 0 && waiting.size > 0; left--) {
        const prefix = waiting.shift();
        changes.push(bestChange(this.tables, table, prefix));
        table.prefixes.release(prefix);
      }
    }
    return changes;
  }

  takeEvents(): RibEvent[] {
    return this.tables.events.splice(0);
  }

  /** When `expire` has something to do, in milliseconds. */
  get deadline(): number | undefined {
    const stale = staleDeadline(this.tables);
    if (this.#deferUntil === undefined || stale === undefined) return this.#deferUntil ?? stale;
    return Math.min(this.#deferUntil, stale);
  }

  expire(now: number): void {
    if (this.#deferUntil !== undefined && this.#deferUntil <= now) {
      this.#deferUntil = undefined;
      this.tables.deferred.clear();
    }
    expireStale(this.tables, now);
  }

  /** The name of who announced an own route. */
  originOf(pathId: number): string {
    return this.#local.originOf(pathId);
  }

  #down(peer: RibPeer, keepsRoutes: boolean, now: number): void {
    peer.agreed = undefined;
    for (const family of FAMILIES) {
      peer.families[family].agreed = undefined;
      forgetSent(this.tables, peer.families[family]);
    }
    this.#listen();
    keepOrRemove(this.tables, peer, keepsRoutes, now);
  }

  /** Works out anew who is told of changes. What a peer was told before it became silent is its own matter, by #tellAll. */
  #listen(): void {
    const of = (family: IpFamily): RibPeer[] =>
      [...this.tables.neighbors()].filter(
        (peer) => peer.families[family].agreed !== undefined && !isSilent(peer, family),
      );
    this.#listeners = { 4: of(4), 6: of(6) };
  }

  // RFC 4724 section 4.1: until all peers that are there have said all, but for those that wait for us.
  #endDeferral(): void {
    for (const family of this.tables.deferred) {
      const isAwaited = [...this.tables.neighbors()].some(({ agreed, families }) => {
        if (agreed === undefined) return true;
        if (agreed.restart === undefined || agreed.restart.isRestarting) return false;
        return families[family].agreed !== undefined && !families[family].isComplete;
      });
      if (!isAwaited) this.tables.deferred.delete(family);
    }
    if (this.tables.deferred.size === 0) this.#deferUntil = undefined;
  }

  #decide(table: FamilyTable, prefix: number, now: number): boolean {
    const { decision, unprogrammed } = this.tables;
    const old = table.best[prefix] as number;
    const best = decision.best(table, prefix);
    const equals = best === 0 ? [] : decision.equals(table, prefix, best);
    const wereEqual = table.multipath.get(prefix);
    const isOther = best !== old || (best !== 0 && table.hasFlag(best, ROUTE_FLAGS.changed));
    let isSpread =
      equals.length !== (wereEqual?.length ?? 0) || equals.some((route, at) => route !== wereEqual?.[at]);
    for (let route = table.first(prefix); route !== 0; route = table.next(route)) {
      if (equals.length > 0 && table.hasFlag(route, ROUTE_FLAGS.changed)) isSpread = true;
      table.setFlag(route, ROUTE_FLAGS.changed, false);
    }
    table.best[prefix] = best;
    if (equals.length > 0) table.multipath.set(prefix, equals);
    else if (wereEqual !== undefined) table.multipath.delete(prefix);
    if (this.#tracksBest && (isOther || isSpread) && unprogrammed[table.family].add(prefix))
      table.prefixes.hold(prefix);
    this.#tell(table, prefix, best, isOther);
    if ((old === 0) !== (best === 0)) this.#local.changed(table.family, prefix, old === 0 ? 1 : -1, now);
    return isOther;
  }

  #tell(table: FamilyTable, prefix: number, best: number, isOther: boolean): void {
    const { family } = table;
    const source = best === 0 ? undefined : this.tables.peers[table.peerOf(best)];
    for (const peer of this.#listeners[family]) {
      const side = peer.families[family];
      if (!sendsPaths(side)) {
        if (!isOther) continue;
        const isNews = source !== undefined && isPassedOn(source, peer);
        if (!isNews && !side.out.has(prefix)) continue;
      }
      this.#owe(family, peer, prefix);
    }
  }

  #owe(family: IpFamily, peer: RibPeer, prefix: number): void {
    if (peer.families[family].out.pending.add(prefix)) this.tables.families[family].prefixes.hold(prefix);
  }

  /** Goes through all prefixes for one peer. */
  #tellAll(peer: RibPeer): void {
    for (const family of FAMILIES) {
      const { agreed, out } = peer.families[family];
      if (agreed === undefined) continue;
      const table = this.tables.families[family];
      const hears = !isSilent(peer, family);
      if (!hears && out.count === 0) continue;
      for (let prefix = 1; prefix < table.prefixes.end; prefix++) {
        const isThere = hears && table.best[prefix] !== 0;
        if (isThere || out.has(prefix)) this.#owe(family, peer, prefix);
      }
    }
  }

  /** What is within a summary is looked at again for all. */
  #retell(family: IpFamily, summary: number): void {
    const table = this.tables.families[family];
    for (let prefix = 1; prefix < table.prefixes.end; prefix++) {
      if (prefix === summary || table.best[prefix] === 0 || !table.prefixes.isWithin(prefix, summary))
        continue;
      for (const peer of this.#listeners[family]) this.#owe(family, peer, prefix);
    }
  }
}
