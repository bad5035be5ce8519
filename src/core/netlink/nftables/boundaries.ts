/**
 * The ranges of a plain interval set, put together from what the kernel tells: first keys, and keys after last ones marked as
 * ends, each on its own and in any order. A range goes up to the next boundary of either sort, or to the last key there is.
 */
import { formatHex, parseHex } from '#core/nft/index.ts';
import { INTERVAL_END, predecessor } from './element.ts';
import type { WireElement } from './messages.ts';

/** Above so many changes at once all boundaries are sorted anew. */
const RESORT_CHANGES = 64;

export interface Range {
  readonly start: WireElement;
  /** The last key of the range. */
  readonly last: Uint8Array;
}

export class Boundaries {
  /** By key in hexadecimal, which sorts as the bytes do. */
  private readonly starts = new Map<string, WireElement>();
  private readonly ends = new Set<string>();
  /** The keys of both, without repetition. */
  private sorted: string[] = [];
  private readonly changed = new Set<string>();

  add(wire: WireElement): void {
    const key = keyText(wire);
    if (key === undefined) return;
    if (isEnd(wire)) this.ends.add(key);
    else this.starts.set(key, wire);
    this.changed.add(key);
  }

  remove(wire: WireElement): void {
    const key = keyText(wire);
    if (key === undefined) return;
    if (isEnd(wire)) this.ends.delete(key);
    else this.starts.delete(key);
    this.changed.add(key);
  }

  /** First keys of all ranges. */
  keys(): Iterable<string> {
    return this.starts.keys();
  }

  /** What became of the ranges touched since the last call, by first key; undefined for those that are gone. */
  takeChanged(): Map<string, Range | undefined> {
    this.sort();
    const out = new Map<string, Range | undefined>();
    for (const key of this.changed) {
      const at = lowerBound(this.sorted, key);
      // A boundary that comes or goes changes the end of the range before it.
      const before = this.sorted[at - 1];
      if (before !== undefined && this.starts.has(before)) out.set(before, this.rangeAt(at - 1));
      out.set(key, this.starts.has(key) ? this.rangeAt(at) : undefined);
    }
    this.changed.clear();
    return out;
  }

  private rangeAt(index: number): Range {
    const key = this.sorted[index] as string;
    const next = this.sorted[index + 1];
    const start = this.starts.get(key) as WireElement;
    const last = next === undefined ? parseHex(key).fill(0xff) : predecessor(parseHex(next));
    return { start, last };
  }

  private sort(): void {
    if (this.changed.size > RESORT_CHANGES) {
      this.sorted = [...new Set([...this.starts.keys(), ...this.ends])].sort();
      return;
    }
    for (const key of this.changed) {
      const at = lowerBound(this.sorted, key);
      const isThere = this.sorted[at] === key;
      const shouldBe = this.starts.has(key) || this.ends.has(key);
      if (isThere !== shouldBe) this.sorted.splice(at, isThere ? 1 : 0, ...(shouldBe ? [key] : []));
    }
  }
}

function isEnd(wire: WireElement): boolean {
  return ((wire.flags ?? 0) & INTERVAL_END) !== 0;
}

function keyText(wire: WireElement): string | undefined {
  const key = wire.key?.value;
  return key && formatHex(key);
}

/** The index of the first item not less than the key. */
function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
