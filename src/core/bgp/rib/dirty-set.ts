/**
 * A set of small numbers, each taken out once: what is to be looked at again. It goes round them in ascending order, so that what is put in
 * again waits until all the others have been out. It takes a bit for each number up to the largest, however many are in it: a speaker has
 * one for each peer.
 */
import { grown } from './prefix-table.ts';

export class DirtySet {
  #bits = new Uint32Array(1);
  /** A bit for each word of those that is not zero. */
  #marks = new Uint32Array(1);
  #next = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False if it was in it already. */
  add(value: number): boolean {
    const word = value >>> 5;
    if (word >= this.#bits.length) this.#widen(word + 1);
    const bit = 1 << (value & 31);
    const bits = this.#bits[word] as number;
    if ((bits & bit) !== 0) return false;
    this.#bits[word] = bits | bit;
    if (bits === 0) this.#marks[word >>> 5] = (this.#marks[word >>> 5] as number) | (1 << (word & 31));
    this.#size++;
    return true;
  }

  has(value: number): boolean {
    return ((this.#bits[value >>> 5] ?? 0) & (1 << (value & 31))) !== 0;
  }

  /** Takes the next one out; 0 if there is none. */
  shift(): number {
    if (this.#size === 0) return 0;
    const value = this.#from(this.#next) ?? this.#from(0) ?? 0;
    const word = value >>> 5;
    const bits = (this.#bits[word] as number) & ~(1 << (value & 31));
    this.#bits[word] = bits;
    if (bits === 0) this.#marks[word >>> 5] = (this.#marks[word >>> 5] as number) & ~(1 << (word & 31));
    this.#next = value + 1;
    this.#size--;
    return value;
  }

  /** The least one that is not less; undefined if there is none. */
  #from(least: number): number | undefined {
    const first = least >>> 5;
    const bits = (this.#bits[first] ?? 0) & (-1 << (least & 31));
    if (bits !== 0) return first * 32 + lowest(bits);
    let at = (first + 1) >>> 5;
    let marks = (this.#marks[at] ?? 0) & (-1 << ((first + 1) & 31));
    while (marks === 0 && ++at < this.#marks.length) marks = this.#marks[at] as number;
    if (marks === 0) return undefined;
    const word = at * 32 + lowest(marks);
    return word * 32 + lowest(this.#bits[word] as number);
  }

  #widen(words: number): void {
    const length = Math.max(words, this.#bits.length * 2);
    this.#bits = grown(this.#bits, length);
    this.#marks = grown(this.#marks, (length + 31) >>> 5);
  }
}

/** The place of the lowest bit that is set. */
function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
