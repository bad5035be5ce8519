/** A set of small numbers in the order they came, each once: what is to be looked at again. It is as large as the table at most. */
import { grown } from './prefix-table.ts';

export class DirtySet {
  #bits = new Uint32Array(1);
  #ring = new Uint32Array(16);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False if it was in it already. */
  add(value: number): boolean {
    const word = value >>> 5;
    if (word >= this.#bits.length) this.#bits = grown(this.#bits, Math.max(word + 1, this.#bits.length * 2));
    const bit = 1 << (value & 31);
    const bits = this.#bits[word] as number;
    if ((bits & bit) !== 0) return false;
    this.#bits[word] = bits | bit;
    if (this.#size === this.#ring.length) this.#widen();
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = value;
    this.#size++;
    return true;
  }

  has(value: number): boolean {
    return ((this.#bits[value >>> 5] ?? 0) & (1 << (value & 31))) !== 0;
  }

  /** Takes the first one out; 0 if there is none. */
  shift(): number {
    if (this.#size === 0) return 0;
    const value = this.#ring[this.#head] as number;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size--;
    this.#bits[value >>> 5] = (this.#bits[value >>> 5] as number) & ~(1 << (value & 31));
    // What a burst needed is given back when it is over.
    if (this.#size === 0 && this.#ring.length > 1024) {
      this.#ring = new Uint32Array(16);
      this.#head = 0;
    }
    return value;
  }

  #widen(): void {
    const ring = new Uint32Array(this.#ring.length * 2);
    for (let at = 0; at < this.#size; at++)
      ring[at] = this.#ring[(this.#head + at) & (this.#ring.length - 1)] as number;
    this.#ring = ring;
    this.#head = 0;
  }
}
