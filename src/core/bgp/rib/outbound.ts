/**
 * What one peer has been told of one family (Adj-RIB-Out), and which prefixes it is to be told again. What waits is a set of prefixes, never a
 * queue of updates: a peer that reads slowly misses what changed and changed back, and costs no more than the table.
 */
import { DirtySet } from './dirty-set.ts';
import { grown } from './prefix-table.ts';

const NONE: readonly number[] = [];

export class Outbound {
  readonly pending = new DirtySet();
  /** Sent again even if it is the same. */
  #forced: DirtySet | undefined;
  /** By prefix the number of the attributes it was told; 0: none. */
  #sent = new Uint32Array(0);
  /** With additional paths: by prefix, path identifier and attributes in turn. */
  #paths: Map<number, readonly number[]> | undefined;
  /** Prefixes, or paths, that the peer has. */
  count = 0;
  /** An End-of-RIB is due once nothing waits. */
  owesEndOfRib = false;
  /** A refresh was asked for: `begin` is due, or has been sent and `end` is due. */
  refresh: 'none' | 'begin' | 'end' = 'none';

  sentOf(prefix: number): number {
    return this.#sent[prefix] ?? 0;
  }

  setSent(prefix: number, attributes: number, capacity: number): void {
    if (prefix >= this.#sent.length) this.#sent = grown(this.#sent, capacity);
    const old = this.#sent[prefix] as number;
    this.#sent[prefix] = attributes;
    this.count += (attributes === 0 ? 0 : 1) - (old === 0 ? 0 : 1);
  }

  pathsOf(prefix: number): readonly number[] {
    return this.#paths?.get(prefix) ?? NONE;
  }

  setPaths(prefix: number, paths: readonly number[]): void {
    this.#paths ??= new Map();
    this.count += (paths.length - this.pathsOf(prefix).length) / 2;
    if (paths.length === 0) this.#paths.delete(prefix);
    else this.#paths.set(prefix, paths);
  }

  /** True if the peer has been told anything of the prefix. */
  has(prefix: number): boolean {
    return this.sentOf(prefix) !== 0 || (this.#paths !== undefined && this.#paths.has(prefix));
  }

  force(prefix: number): void {
    this.#forced ??= new DirtySet();
    this.#forced.add(prefix);
  }

  /** Whether the prefix is to be sent again whatever was sent, for as long as the refresh goes on. */
  isForced(prefix: number): boolean {
    return this.#forced?.has(prefix) ?? false;
  }

  /** Nothing is forced any more. */
  endForced(): void {
    this.#forced = undefined;
  }

  /** Calls with each prefix the peer has been told something of. */
  forEachSent(fn: (prefix: number) => void): void {
    for (let prefix = 1; prefix < this.#sent.length; prefix++) if (this.#sent[prefix] !== 0) fn(prefix);
    if (this.#paths !== undefined) for (const prefix of [...this.#paths.keys()]) fn(prefix);
  }

  /** Forgets all, once the caller has released what was held. */
  clear(): void {
    this.#sent = new Uint32Array(0);
    this.#paths = undefined;
    this.#forced = undefined;
    this.count = 0;
    this.owesEndOfRib = false;
    this.refresh = 'none';
  }
}
