/**
 * All routes of one family, whoever they came from: columns of numbers, chained by prefix. A route costs 27 bytes here, and 4 more where there are additional paths. Route numbers are
 * from 1, and are used again. What has changed is in `changed` until it is decided about.
 */
import type { IpFamily, IpPrefix } from '#base/ip/index.ts';
import type { AttributePool, Entry, NextHop } from './attribute-pool.ts';
import { DirtySet } from './dirty-set.ts';
import { NlriCache } from './nlri-cache.ts';
import { grown, PrefixTable, widened, widerThan } from './prefix-table.ts';
import type { Rank } from './rank.ts';

/** Of a route. stale: its peer is restarting; longStale: it has been for long (RFC 9494); refreshing: not yet said again in a refresh. */
export const ROUTE_FLAGS = { stale: 1, longStale: 2, changed: 4, refreshing: 8, discard: 16 } as const;

export class FamilyTable {
  readonly family: IpFamily;
  readonly prefixes: PrefixTable;
  readonly changed = new DirtySet();
  /** By prefix, the best route and the others that are as good, where there are several. */
  best = new Uint32Array(16);
  readonly multipath = new Map<number, readonly number[]>();
  /** For prefixes that several peers are told. */
  readonly nlri: NlriCache;
  readonly #pool: AttributePool;
  #heads = new Uint32Array(16);
  // By route.
  #prefix = new Uint32Array(16);
  #next = new Uint32Array(16);
  #peer = new Uint16Array(16);
  #received = new Uint32Array(16);
  #effective = new Uint32Array(16);
  /** Absent while all are 0: few peers send additional paths. */
  #pathId: Uint32Array<ArrayBuffer> | undefined;
  #flags = new Uint8Array(16);
  #at = new Float64Array(16);
  #last = 0;
  #free = 0;
  #size = 0;

  constructor(family: IpFamily, pool: AttributePool) {
    this.family = family;
    this.prefixes = new PrefixTable(family);
    this.nlri = new NlriCache(this.prefixes);
    this.#pool = pool;
  }

  /** Routes, those that were refused too. */
  get size(): number {
    return this.#size;
  }

  /** The number of a prefix, and places for it in all columns. */
  internPrefix(prefix: IpPrefix): number {
    const index = this.prefixes.intern(prefix);
    if (index >= this.best.length) {
      this.best = grown(this.best, this.prefixes.capacity);
      this.#heads = grown(this.#heads, this.prefixes.capacity);
    }
    return index;
  }

  /** The first route to a prefix; 0 if there is none. */
  first(prefix: number): number {
    return this.#heads[prefix] as number;
  }

  /** The next route to the same prefix, or 0. */
  next(route: number): number {
    return this.#next[route] as number;
  }

  prefixOf(route: number): number {
    return this.#prefix[route] as number;
  }

  peerOf(route: number): number {
    return this.#peer[route] as number;
  }

  pathIdOf(route: number): number {
    return this.#pathId?.[route] ?? 0;
  }

  /** When it was last said, in milliseconds. */
  receivedAt(route: number): number {
    return this.#at[route] as number;
  }

  /** As the peer said it. */
  receivedOf(route: number): Entry {
    return this.#pool.at(this.#received[route] as number);
  }

  isRefused(route: number): boolean {
    return this.#effective[route] === 0;
  }

  /** As the filters made it; only of a route that was not refused. */
  effectiveOf(route: number): Entry {
    return this.#pool.at(this.#effective[route] as number);
  }

  /** What the decision asks of a route that was not refused. */
  rankOf(route: number): Rank {
    return this.#pool.rankOf(this.#pool.at(this.#effective[route] as number));
  }

  nextHopOf(route: number): NextHop {
    return this.#pool.at(this.#effective[route] as number).nextHop;
  }

  hasFlag(route: number, flag: number): boolean {
    return ((this.#flags[route] as number) & flag) !== 0;
  }

  setFlag(route: number, flag: number, on: boolean): void {
    const flags = this.#flags[route] as number;
    this.#flags[route] = on ? flags | flag : flags & ~flag;
  }

  /** The route of a peer to a prefix, or 0. */
  find(prefix: number, peer: number, pathId: number): number {
    let route = this.#heads[prefix] as number;
    while (route !== 0 && !(this.#peer[route] === peer && this.pathIdOf(route) === pathId))
      route = this.#next[route] as number;
    return route;
  }

  /** Adds an empty route to a prefix; `fill` must follow. */
  add(prefix: number, peer: number, pathId: number): number {
    let route = this.#free;
    if (route === 0) {
      route = ++this.#last;
      if (route >= this.#next.length) this.#widen();
    } else this.#free = this.#next[route] as number;
    this.#prefix[route] = prefix;
    this.#peer[route] = peer;
    if (pathId !== 0) this.#pathId ??= new Uint32Array(this.#next.length);
    if (this.#pathId !== undefined) this.#pathId[route] = pathId;
    this.#flags[route] = 0;
    this.#next[route] = this.#heads[prefix] as number;
    this.#heads[prefix] = route;
    this.prefixes.hold(prefix);
    this.#size++;
    return route;
  }

  /** Gives a route its attributes; false if it had them. `effective` is absent if it is refused. The caller's hold on entries is its own. */
  fill(route: number, received: Entry, effective: Entry | undefined, now: number): boolean {
    const [oldReceived, oldEffective] = [this.#received[route] as number, this.#effective[route] as number];
    const newEffective = effective?.id ?? 0;
    if (oldReceived !== received.id) {
      this.#pool.hold(received);
      this.#received[route] = received.id;
      if (oldReceived !== 0) this.#pool.release(this.#pool.at(oldReceived));
      this.#at[route] = now;
    }
    if (oldEffective === newEffective) return false;
    if (effective !== undefined) this.#pool.hold(effective);
    this.#effective[route] = newEffective;
    if (oldEffective !== 0) this.#pool.release(this.#pool.at(oldEffective));
    this.touch(route);
    return true;
  }

  /** Has the route's prefix decided about again, and what was sent of it sent again if it is another. */
  touch(route: number): void {
    this.setFlag(route, ROUTE_FLAGS.changed, true);
    this.touchPrefix(this.#prefix[route] as number);
  }

  touchPrefix(prefix: number): void {
    if (this.changed.add(prefix)) this.prefixes.hold(prefix);
  }

  remove(route: number): void {
    const prefix = this.#prefix[route] as number;
    this.touchPrefix(prefix);
    let at = this.#heads[prefix] as number;
    if (at === route) this.#heads[prefix] = this.#next[route] as number;
    else {
      while (this.#next[at] !== route) at = this.#next[at] as number;
      this.#next[at] = this.#next[route] as number;
    }
    for (const column of [this.#received, this.#effective]) {
      if (column[route] !== 0) this.#pool.release(this.#pool.at(column[route] as number));
      column[route] = 0;
    }
    this.#prefix[route] = 0;
    this.#next[route] = this.#free;
    this.#free = route;
    this.#size--;
    this.prefixes.release(prefix);
  }

  /** Calls with each route of a peer, all peers if none is given; the route may be removed meanwhile. */
  forEach(peer: number | undefined, fn: (route: number) => void): void {
    for (let route = 1; route <= this.#last; route++)
      if (this.#prefix[route] !== 0 && (peer === undefined || this.#peer[route] === peer)) fn(route);
  }

  #widen(): void {
    const length = widerThan(this.#next.length);
    this.#prefix = grown(this.#prefix, length);
    this.#next = grown(this.#next, length);
    this.#received = grown(this.#received, length);
    this.#effective = grown(this.#effective, length);
    if (this.#pathId !== undefined) this.#pathId = grown(this.#pathId, length);
    this.#peer = new Uint16Array(widened(this.#peer, length));
    this.#flags = new Uint8Array(widened(this.#flags, length));
    this.#at = new Float64Array(widened(this.#at, length));
  }
}
