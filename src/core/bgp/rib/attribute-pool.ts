/**
 * Attributes, each set once: routes hold small numbers, and what the decision asks of attributes is worked out once for all routes that have
 * them. A set is forgotten when the last route that has it is gone.
 */
import type { IpAddress } from '#base/ip/index.ts';
import { compacted, hashAttributes, sameAttributes, type TableAttributes } from './attribute-identity.ts';
import { type Rank, RankPool } from './rank.ts';

/** What it costs to reach a next hop, or the link-local one beside it; undefined if neither can be reached. */
export type MetricOf = (nextHop: IpAddress, linkLocal: IpAddress | undefined) => number | undefined;

/** What is known of a next hop, shared by all attributes that have it. */
export interface NextHop {
  readonly address: IpAddress;
  readonly linkLocal: IpAddress | undefined;
  /** Undefined: it cannot be reached. */
  metric: number | undefined;
  uses: number;
}

/** Some kinds of peers more than any set of attributes meets, but at reflectors of very many. */
const MAX_EXPORTS = 32;

/** A set of attributes in a table. */
export class Entry {
  readonly id: number;
  readonly attributes: TableAttributes;
  readonly hash: number;
  readonly nextHop: NextHop;
  /** Undefined until it is compared: what is only sent never is. */
  rank: Rank | undefined;
  /** Routes and tables that have it. */
  uses = 0;
  /** What it becomes on the way out: for one kind of peer, and for the others. */
  outKind: number;
  out: Entry | undefined;
  otherOuts: Map<number, Entry> | undefined;
  /** The next one with a like hash. */
  next: Entry | undefined;

  constructor(id: number, attributes: TableAttributes, hash: number, nextHop: NextHop) {
    this.id = id;
    this.attributes = attributes;
    this.hash = hash;
    this.nextHop = nextHop;
    this.rank = undefined;
    this.outKind = 0;
    this.out = undefined;
    this.otherOuts = undefined;
    this.next = undefined;
  }

  /** What it becomes for a kind of peer, if that has been asked before. */
  exportFor(kind: number): Entry | undefined {
    return this.outKind === kind && this.out !== undefined ? this.out : this.otherOuts?.get(kind);
  }
}

/** All attributes of a table. Numbers are from 1; 0 is none. */
export class AttributePool {
  #entries: (Entry | undefined)[] = [undefined];
  readonly #free: number[] = [];
  #buckets: (Entry | undefined)[] = Array.from({ length: 16 });
  #size = 0;
  /** By address, with the link-local one behind it where there is one. */
  readonly #nextHops = new Map<string, NextHop>();
  readonly #ranks = new RankPool();
  readonly #metricOf: MetricOf;
  #lastAttributes: TableAttributes | undefined;
  #lastEntry: Entry | undefined;

  constructor(metricOf: MetricOf) {
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
    entry.rank ??= this.#ranks.take(entry.attributes);
    return entry.rank;
  }

  /** Notes what an entry becomes for a kind of peer; of very many kinds the last ones. */
  setExport(entry: Entry, kind: number, out: Entry): void {
    this.hold(out);
    if (entry.out === undefined) {
      entry.outKind = kind;
      entry.out = out;
      return;
    }
    entry.otherOuts ??= new Map();
    entry.otherOuts.set(kind, out);
    if (entry.otherOuts.size <= MAX_EXPORTS) return;
    for (const [first, old] of entry.otherOuts) {
      entry.otherOuts.delete(first);
      this.release(old);
      return;
    }
  }

  /** The entry of attributes, which is forgotten unless somebody holds it. `isCompact`: they may be kept as they are. */
  intern(attributes: TableAttributes, isCompact = false): Entry {
    if (attributes === this.#lastAttributes) return this.#lastEntry as Entry;
    const hash = hashAttributes(attributes);
    let entry = this.#buckets[hash & (this.#buckets.length - 1)];
    while (entry !== undefined && !(entry.hash === hash && sameAttributes(entry.attributes, attributes)))
      entry = entry.next;
    entry ??= this.#add(attributes, hash, isCompact);
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

  /** Asks again what each next hop costs; those whose cost is another now. */
  refreshMetrics(): Set<NextHop> {
    const changed = new Set<NextHop>();
    for (const nextHop of this.#nextHops.values()) {
      const metric = this.#metricOf(nextHop.address, nextHop.linkLocal);
      if (metric !== nextHop.metric) changed.add(nextHop);
      nextHop.metric = metric;
    }
    return changed;
  }

  /** Forgets what entries become on the way out to peers of one kind, or of all. */
  forgetExports(): void {
    for (const entry of [...this.#entries]) if (entry?.out !== undefined) this.#releaseExports(entry);
  }

  #add(attributes: TableAttributes, hash: number, isCompact: boolean): Entry {
    if (this.#size >= this.#buckets.length) this.#widen();
    const id = this.#free.pop() ?? this.#entries.length;
    const nextHop = this.#nextHop(attributes);
    const kept = isCompact ? attributes : compacted(attributes, nextHop.address);
    const entry = new Entry(id, kept, hash, nextHop);
    this.#entries[id] = entry;
    const bucket = hash & (this.#buckets.length - 1);
    entry.next = this.#buckets[bucket];
    this.#buckets[bucket] = entry;
    this.#size++;
    return entry;
  }

  #nextHop({ nextHop: address, linkLocalNextHop: linkLocal }: TableAttributes): NextHop {
    const key = keyOf(address, linkLocal);
    let nextHop = this.#nextHops.get(key);
    if (nextHop === undefined) {
      nextHop = { address, linkLocal, metric: this.#metricOf(address, linkLocal), uses: 0 };
      this.#nextHops.set(key, nextHop);
    }
    nextHop.uses++;
    return nextHop;
  }

  #drop(entry: Entry): void {
    this.#releaseExports(entry);
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
    if (entry.rank !== undefined) this.#ranks.release(entry.rank);
    const { nextHop } = entry;
    if (--nextHop.uses === 0) this.#nextHops.delete(keyOf(nextHop.address, nextHop.linkLocal));
    if (this.#lastEntry === entry) this.#lastAttributes = this.#lastEntry = undefined;
  }

  #releaseExports(entry: Entry): void {
    const { out, otherOuts } = entry;
    entry.out = undefined;
    entry.otherOuts = undefined;
    if (out !== undefined) this.release(out);
    for (const other of otherOuts?.values() ?? []) this.release(other);
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

function keyOf(address: IpAddress, linkLocal: IpAddress | undefined): string {
  return linkLocal === undefined ? address : `${address} ${linkLocal}`;
}
