/**
 * Attributes, each set once: routes hold small numbers, and what the decision asks of attributes is worked out once for all routes that have
 * them. A set is forgotten when the last route that has it is gone.
 */
import type { IpAddress } from '#base/ip/index.ts';
import { type Asn, COMMUNITIES, type PathAttributes, type RouterId } from '../model.ts';
import { hashAttributes, sameAttributes, type TableAttributes } from './attribute-identity.ts';

/** What is known of a next hop, shared by all attributes that have it. */
export interface NextHop {
  readonly address: IpAddress;
  /** Undefined: it cannot be reached. */
  metric: number | undefined;
  uses: number;
}

/** More kinds of peers than any set of attributes meets, but at reflectors of very many. */
const MAX_EXPORTS = 32;
const ORIGIN_RANK = { igp: 0, egp: 1, incomplete: 2 } as const;

/** What the decision asks of attributes. */
export interface Rank {
  readonly nextHop: NextHop;
  readonly localPref: number;
  /** RFC 4271 section 9.1.2.2 (a): a set counts once, confederation segments not at all (RFC 5065 section 5.3). */
  readonly pathLength: number;
  readonly origin: number;
  readonly med: number;
  /** The AS the route came from; 0: our own or our confederation. */
  readonly neighborAsn: Asn;
  readonly originatorId: RouterId | undefined;
  readonly clusterLength: number;
  readonly isLongStale: boolean;
}

/** A set of attributes in a table. */
export class Entry {
  readonly id: number;
  readonly attributes: TableAttributes;
  readonly hash: number;
  /** Undefined until it is compared: what is only sent never is. */
  rank: Rank | undefined;
  /** Routes and tables that have it. */
  uses = 0;
  /** What it becomes on the way out: kind of peer and entry in turn. */
  exports: readonly (number | Entry)[] | undefined;
  /** The next one with a like hash. */
  next: Entry | undefined;

  constructor(id: number, attributes: TableAttributes, hash: number) {
    this.id = id;
    this.attributes = attributes;
    this.hash = hash;
    this.rank = undefined;
    this.exports = undefined;
    this.next = undefined;
  }

  /** What it becomes for a kind of peer, if that has been asked before. */
  exportFor(kind: number): Entry | undefined {
    const { exports } = this;
    if (exports === undefined) return undefined;
    for (let at = 0; at < exports.length; at += 2) if (exports[at] === kind) return exports[at + 1] as Entry;
    return undefined;
  }
}

/** All attributes of a table. Numbers are from 1; 0 is none. */
export class AttributePool {
  #entries: (Entry | undefined)[] = [undefined];
  readonly #free: number[] = [];
  #buckets: (Entry | undefined)[] = Array.from({ length: 16 });
  #size = 0;
  readonly #nextHops = new Map<IpAddress, NextHop>();
  readonly #metricOf: (nextHop: IpAddress) => number | undefined;
  #lastAttributes: TableAttributes | undefined;
  #lastEntry: Entry | undefined;

  /** `metricOf`: what it costs to reach a next hop, undefined if it cannot be. */
  constructor(metricOf: (nextHop: IpAddress) => number | undefined) {
    this.#metricOf = metricOf;
  }

  /** Sets of attributes. */
  get size(): number {
    return this.#size;
  }

  at(id: number): Entry {
    return this.#entries[id] as Entry;
  }

  rankOf(entry: Entry): Rank {
    entry.rank ??= this.#rank(entry.attributes);
    return entry.rank;
  }

  /** Notes what an entry becomes for a kind of peer; of very many kinds the last ones. */
  setExport(entry: Entry, kind: number, out: Entry): void {
    this.hold(out);
    const kept = entry.exports ?? [];
    if (kept.length < MAX_EXPORTS * 2) {
      entry.exports = [...kept, kind, out];
      return;
    }
    entry.exports = [...kept.slice(2), kind, out];
    this.release(kept[1] as Entry);
  }

  /** The entry of attributes, which is forgotten unless somebody holds it. */
  intern(attributes: TableAttributes): Entry {
    if (attributes === this.#lastAttributes) return this.#lastEntry as Entry;
    const hash = hashAttributes(attributes);
    let entry = this.#buckets[hash & (this.#buckets.length - 1)];
    while (entry !== undefined && !(entry.hash === hash && sameAttributes(entry.attributes, attributes)))
      entry = entry.next;
    entry ??= this.#add(attributes, hash);
    this.#lastAttributes = attributes;
    this.#lastEntry = entry;
    return entry;
  }

  hold(entry: Entry): void {
    entry.uses++;
  }

  release(entry: Entry): void {
    if (--entry.uses === 0) this.#drop(entry);
  }

  /** Asks again what a next hop costs, all if none is named; the next hops whose cost is another now. */
  refreshMetrics(address?: IpAddress): Set<NextHop> {
    const changed = new Set<NextHop>();
    for (const nextHop of address === undefined ? this.#nextHops.values() : [this.#nextHops.get(address)]) {
      if (nextHop === undefined) continue;
      const metric = this.#metricOf(nextHop.address);
      if (metric !== nextHop.metric) changed.add(nextHop);
      nextHop.metric = metric;
    }
    return changed;
  }

  /** Forgets what entries become on the way out to peers of one kind, or of all. */
  forgetExports(): void {
    for (const entry of [...this.#entries]) if (entry?.exports !== undefined) this.#releaseExports(entry);
  }

  #add(attributes: TableAttributes, hash: number): Entry {
    if (this.#size >= this.#buckets.length) this.#widen();
    const id = this.#free.pop() ?? this.#entries.length;
    const entry = new Entry(id, attributes, hash);
    this.#entries[id] = entry;
    const bucket = hash & (this.#buckets.length - 1);
    entry.next = this.#buckets[bucket];
    this.#buckets[bucket] = entry;
    this.#size++;
    return entry;
  }

  #rank(attributes: TableAttributes): Rank {
    return {
      nextHop: this.#nextHop(attributes.nextHop),
      localPref: attributes.localPref ?? 100,
      pathLength: pathLength(attributes),
      origin: ORIGIN_RANK[attributes.origin],
      med: attributes.med ?? 0,
      neighborAsn: neighborAsn(attributes),
      originatorId: attributes.originatorId,
      clusterLength: attributes.clusterList?.length ?? 0,
      isLongStale: attributes.communities?.includes(COMMUNITIES.llgrStale) ?? false,
    };
  }

  #nextHop(address: IpAddress): NextHop {
    let nextHop = this.#nextHops.get(address);
    if (nextHop === undefined) {
      nextHop = { address, metric: this.#metricOf(address), uses: 0 };
      this.#nextHops.set(address, nextHop);
    }
    nextHop.uses++;
    return nextHop;
  }

  #drop(entry: Entry): void {
    if (entry.exports !== undefined) this.#releaseExports(entry);
    const bucket = entry.hash & (this.#buckets.length - 1);
    let at = this.#buckets[bucket];
    if (at === entry) this.#buckets[bucket] = entry.next;
    else {
      while (at !== undefined && at.next !== entry) at = at.next;
      if (at !== undefined) at.next = entry.next;
    }
    this.#entries[entry.id] = undefined;
    this.#free.push(entry.id);
    this.#size--;
    const nextHop = entry.rank?.nextHop;
    if (nextHop !== undefined && --nextHop.uses === 0) this.#nextHops.delete(nextHop.address);
    if (this.#lastEntry === entry) this.#lastAttributes = this.#lastEntry = undefined;
  }

  #releaseExports(entry: Entry): void {
    const exports = entry.exports;
    entry.exports = undefined;
    for (const out of exports ?? []) if (typeof out !== 'number') this.release(out);
  }

  #widen(): void {
    const old = this.#buckets;
    this.#buckets = Array.from({ length: old.length * 2 });
    const mask = this.#buckets.length - 1;
    for (let entry of old) {
      while (entry !== undefined) {
        const next: Entry | undefined = entry.next;
        entry.next = this.#buckets[entry.hash & mask];
        this.#buckets[entry.hash & mask] = entry;
        entry = next;
      }
    }
  }
}

function pathLength({ asPath }: PathAttributes): number {
  let length = 0;
  for (const { type, asns } of asPath) {
    if (type === 'sequence') length += asns.length;
    else if (type === 'set') length += 1;
  }
  return length;
}

// RFC 4271 section 9.1.2.2 (c): the AS the route was received from is the first of the path, confederation segments apart.
function neighborAsn({ asPath }: PathAttributes): Asn {
  for (const { type, asns } of asPath) {
    if (type === 'sequence') return asns[0] ?? 0;
    if (type === 'set') return 0;
  }
  return 0;
}
