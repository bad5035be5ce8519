/** Prefixes as messages have them, kept for a while: where many peers are told the same, each prefix is made text once and not for each peer. */
import type { Nlri } from '../model.ts';
import type { PrefixTable } from './prefix-table.ts';

/** As many as one peer is given at a time; a power of two. */
const SLOTS = 1024;

export class NlriCache {
  readonly #prefixes: PrefixTable;
  readonly #kept: Nlri[] = [];
  /** By slot, which prefix is kept there. */
  readonly #numbers = new Uint32Array(SLOTS);
  #drops = 0;

  constructor(prefixes: PrefixTable) {
    this.#prefixes = prefixes;
  }

  /** Without a path identifier. */
  of(prefix: number): Nlri {
    const { drops } = this.#prefixes;
    // A number may stand for another prefix since.
    if (drops !== this.#drops) this.#numbers.fill(0);
    this.#drops = drops;
    const slot = prefix & (SLOTS - 1);
    if (this.#numbers[slot] === prefix) return this.#kept[slot] as Nlri;
    const nlri: Nlri = { prefix: this.#prefixes.textOf(prefix) };
    this.#kept[slot] = nlri;
    this.#numbers[slot] = prefix;
    return nlri;
  }
}
