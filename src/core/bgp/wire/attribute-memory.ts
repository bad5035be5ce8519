/**
 * Remembers what attributes were read from which bytes: in a full table many UPDATEs carry the same ones, and tables compare attributes by
 * identity first. Only what was without fault is kept, so that what is found here needs no other look. It is as large as what a peer says needs,
 * up to a limit: a speaker has one for each session, most of which say little.
 */
import { equal } from '#base/bytes.ts';
import type { PathAttributes } from '../model.ts';
import { holdsRoutes } from './attribute-reader.ts';
import type { Piece } from './attribute-scan.ts';

interface Memory {
  readonly key: Uint8Array;
  readonly hash: number;
  readonly attributes: PathAttributes;
}

/** Powers of two. */
const FIRST_SLOTS = 8;
const MAX_SLOTS = 4096;
/** Longer ones are rare, and not kept. */
const MAX_KEY_BYTES = 512;
const FNV_PRIME = 0x0100_0193;
const FNV_OFFSET = 0x811c_9dc5;

export class AttributeMemory {
  #slots: (Memory | undefined)[] = Array.from({ length: FIRST_SLOTS });
  #used = 0;
  readonly #maxSlots: number;
  readonly #scratch = new Uint8Array(MAX_KEY_BYTES);
  #keyBytes = 0;
  #hash = 0;

  /** `maxSlots`: how many sets are kept at most, a power of two. Sessions that share one want more. */
  constructor(maxSlots = MAX_SLOTS) {
    this.#maxSlots = maxSlots;
  }

  /** What was kept for these attributes and, from MP_REACH_NLRI, this next hop; a miss can be followed by keep(). */
  find(
    bytes: Uint8Array,
    pieces: readonly Piece[],
    nextHopAt: number,
    nextHopEnd: number,
  ): PathAttributes | undefined {
    this.#begin(nextHopEnd - nextHopAt);
    this.#add(bytes, nextHopAt, nextHopEnd);
    for (const piece of pieces) {
      if (holdsRoutes(piece.type)) continue;
      this.#addOctets(piece);
      this.#add(bytes, piece.at, piece.end);
      if (this.#keyBytes > MAX_KEY_BYTES) return undefined;
    }
    const memory = this.#slots[this.#hash & (this.#slots.length - 1)];
    if (memory === undefined || !equal(memory.key, this.#scratch.subarray(0, this.#keyBytes)))
      return undefined;
    return memory.attributes;
  }

  /** Keeps what find() did not find. */
  keep(attributes: PathAttributes): void {
    if (this.#keyBytes > MAX_KEY_BYTES) return;
    const key = this.#scratch.slice(0, this.#keyBytes);
    if (this.#used * 2 >= this.#slots.length && this.#slots.length < this.#maxSlots) this.#widen();
    this.#put({ key, hash: this.#hash, attributes });
  }

  /** Of two that want the same place the later one has it. */
  #put(memory: Memory): void {
    const slot = memory.hash & (this.#slots.length - 1);
    if (this.#slots[slot] === undefined) this.#used++;
    this.#slots[slot] = memory;
  }

  #widen(): void {
    const old = this.#slots;
    this.#slots = Array.from({ length: old.length * 2 });
    this.#used = 0;
    for (const memory of old) if (memory !== undefined) this.#put(memory);
  }

  #begin(first: number): void {
    this.#keyBytes = 0;
    this.#hash = FNV_OFFSET;
    this.#mix(first);
  }

  /** Type, flags and length. */
  #addOctets({ type, flags, at, end }: Piece): void {
    this.#mix(type);
    this.#mix(flags);
    this.#mix((end - at) >>> 8);
    this.#mix((end - at) & 0xff);
  }

  #add(bytes: Uint8Array, from: number, to: number): void {
    if (this.#keyBytes + to - from > MAX_KEY_BYTES) this.#keyBytes = MAX_KEY_BYTES + 1;
    else for (let at = from; at < to; at++) this.#mix(bytes[at] as number);
  }

  #mix(octet: number): void {
    if (this.#keyBytes < MAX_KEY_BYTES) this.#scratch[this.#keyBytes] = octet;
    this.#keyBytes++;
    const mixed = Math.imul(this.#hash ^ octet, FNV_PRIME);
    this.#hash = mixed ^ (mixed >>> 15);
  }
}
