/**
 * The desired state of a namespace, put together from parts. A part (one remote node, one pod, the base of the overlay) is
 * replaced as a whole, or a large one (all of policy) amended by its changes; only keys whose object changed become dirty, so that reconciling costs what the change costs. Where
 * parts want different objects of one key, the part first in the alphabet wins, whatever the order in which they came; of a
 * WireGuard peer first of all the wish with the lowest rank.
 */
import { keyOf } from './key.ts';
import type { KernelObject, KernelState } from './state.ts';

const NO_KEYS: readonly string[] = [];

/** A change of a part: objects that are new or others than before, and keys it does not want any more. */
export interface Amendment {
  readonly put: readonly KernelObject[];
  readonly removed: readonly string[];
}

export class DesiredState {
  /** A list for a part that is replaced as a whole, a set for one that was amended. */
  private readonly parts = new Map<string, readonly string[] | Set<string>>();
  private readonly objects = new Map<string, KernelObject>();
  /** By key, the part whose object counts. Kept from the first time on that two parts want one key: else nobody asks. */
  private winners: Map<string, string> | undefined;
  /** Of keys that several parts want: each part's object. */
  private readonly contended = new Map<string, Map<string, KernelObject>>();
  /** Undefined until somebody has looked at everything: then all of it is. */
  private dirty: Set<string> | undefined;

  get state(): KernelState {
    return this.objects;
  }

  partNames(): IterableIterator<string> {
    return this.parts.keys();
  }

  has(part: string): boolean {
    return this.parts.has(part);
  }

  /** The keys a part wants. */
  keysOf(part: string): Iterable<string> {
    return this.parts.get(part) ?? NO_KEYS;
  }

  /** Keys that more than one part wants. */
  contendedKeys(): IterableIterator<string> {
    return this.contended.keys();
  }

  /** Replaces a part; an empty list removes it. */
  set(part: string, objects: readonly KernelObject[]): void {
    const before = this.parts.get(part);
    if (before === undefined) return this.begin(part, objects);
    const next = new Map<string, KernelObject>();
    for (const object of objects) next.set(keyOf(object), object);
    const kept = new Set<string>();
    for (const key of before)
      if (next.has(key)) kept.add(key);
      else this.drop(part, key);
    this.parts.set(part, kept);
    for (const [key, object] of next) {
      this.put(part, key, object, kept);
      kept.add(key);
    }
    if (next.size === 0) this.parts.delete(part);
    else this.parts.set(part, [...next.keys()]);
  }

  /** Changes a part by what changes in it, however much it holds otherwise. What is removed and put is put. */
  amend(part: string, { put, removed }: Amendment): void {
    const before = this.parts.get(part);
    const keys = before instanceof Set ? before : new Set(before);
    this.parts.set(part, keys);
    for (const key of removed) if (keys.delete(key)) this.drop(part, key);
    for (const object of put) {
      const key = keyOf(object);
      this.put(part, key, object, keys);
      keys.add(key);
    }
    if (keys.size === 0) this.parts.delete(part);
  }

  /** A part that was not there: thousands come at once, and all of them small. Of two objects with one key the last counts. */
  private begin(part: string, objects: readonly KernelObject[]): void {
    if (objects.length === 0) return;
    const keys: string[] = [];
    this.parts.set(part, keys);
    for (const object of objects) {
      const key = keyOf(object);
      if (this.put(part, key, object, keys)) keys.push(key);
    }
    // A copy has no room to grow in: there are thousands to keep.
    this.parts.set(part, keys.slice());
  }

  /** The keys that changed since the last call of this or of settle(). */
  takeDirty(): Set<string> {
    const taken = this.dirty ?? new Set(this.objects.keys());
    this.settle();
    return taken;
  }

  /** Something changed since everything was looked at, or since the keys were last taken. */
  get isDirty(): boolean {
    return this.dirty !== undefined && this.dirty.size > 0;
  }

  /** Everything is about to be looked at: what changed until now is not told of any more. */
  settle(): void {
    this.dirty = new Set();
  }

  /** True if the part did not want this key before; `own` are the keys it wants. */
  private put(
    part: string,
    key: string,
    object: KernelObject,
    own: ReadonlySet<string> | readonly string[],
  ): boolean {
    if (!this.objects.has(key)) {
      this.install(part, key, object);
      return true;
    }
    const isNew = own instanceof Set ? !own.has(key) : !(own as readonly string[]).includes(key);
    let wishes = this.contended.get(key);
    if (wishes === undefined && !isNew) {
      this.install(part, key, object);
      return false;
    }
    const winner = this.winnerOf(key);
    if (wishes === undefined) {
      wishes = new Map([[winner, this.objects.get(key) as KernelObject]]);
      this.contended.set(key, wishes);
    }
    wishes.set(part, object);
    if (isRanked(object)) this.elect(key, wishes);
    // The first part by name wins: one that comes behind it changes nothing.
    else if (part <= winner) this.install(part, key, object);
    return isNew;
  }

  private drop(part: string, key: string): void {
    const wishes = this.contended.get(key);
    if (wishes === undefined) {
      this.objects.delete(key);
      this.winners?.delete(key);
      this.dirty?.add(key);
      return;
    }
    wishes.delete(part);
    if (this.winnerOf(key) === part) this.elect(key, wishes);
    if (wishes.size === 1) this.contended.delete(key);
  }

  /** The part whose object counts of a key that some part wants. A part under way has the keys that were put, and no others. */
  private winnerOf(key: string): string {
    if (this.winners === undefined) {
      this.winners = new Map();
      for (const [part, keys] of this.parts) for (const each of keys) this.winners.set(each, part);
    }
    return this.winners.get(key) as string;
  }

  private elect(key: string, wishes: ReadonlyMap<string, KernelObject>): void {
    let first: string | undefined;
    let lowest = 0;
    for (const [part, object] of wishes) {
      const rank = rankOf(object);
      if (first !== undefined && (rank > lowest || (rank === lowest && part > first))) continue;
      first = part;
      lowest = rank;
    }
    if (first !== undefined) this.install(first, key, wishes.get(first) as KernelObject);
  }

  private install(part: string, key: string, object: KernelObject): void {
    const { dirty } = this;
    if (dirty !== undefined) {
      const before = this.objects.get(key);
      if (before === undefined || JSON.stringify(before) !== JSON.stringify(object)) dirty.add(key);
    }
    this.objects.set(key, object);
    this.winners?.set(key, part);
  }
}

function isRanked(object: KernelObject): boolean {
  return object.kind === 'wireguard-peer';
}

function rankOf(object: KernelObject): number {
  return object.kind === 'wireguard-peer' ? (object.rank ?? 0) : 0;
}
