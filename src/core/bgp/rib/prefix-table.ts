/**
 * Prefixes of one family as small numbers from 1, so that everything known of a prefix is a place in an array. A prefix costs 13 bytes
 * (IPv4) or 25 (IPv6) and its share of the hash table; its text is made when it is asked for. A number is given away again when nobody
 * holds it.
 */
import { familyBits, formatIp, type IpFamily, type IpPrefix, parseIp, putIpv4 } from '#base/ip/index.ts';

const FIRST_CAPACITY = 16;
const DOUBLED_BELOW = 0x1_0000;
const SLASH = 0x2f;
const OCTETS = Array.from({ length: 256 }, (_, octet) => String(octet));

/** The numbers of prefixes. Zero is no prefix. */
export class PrefixTable {
  readonly family: IpFamily;
  readonly #width: number;
  #words: Uint32Array<ArrayBuffer>;
  #lengths: Uint8Array<ArrayBuffer>;
  /** How many hold each. */
  #holds: Uint32Array<ArrayBuffer>;
  /** Numbers by hash, linear probing; twice as many places as numbers at least. */
  #slots: Uint32Array;
  /** The highest number ever given. */
  #last = 0;
  /** The first number that is free; the next one is in its first word. */
  #free = 0;
  #size = 0;
  #drops = 0;
  readonly #parsed = new Uint32Array(4);
  #parsedLength = 0;
  readonly #bytes = new Uint8Array(16);

  constructor(family: IpFamily) {
    this.family = family;
    this.#width = family === 4 ? 1 : 4;
    this.#words = new Uint32Array(FIRST_CAPACITY * this.#width);
    this.#lengths = new Uint8Array(FIRST_CAPACITY);
    this.#holds = new Uint32Array(FIRST_CAPACITY);
    this.#slots = new Uint32Array(FIRST_CAPACITY * 2);
  }

  /** Prefixes that somebody holds, or that were asked for since. */
  get size(): number {
    return this.#size;
  }

  /** How often a number was taken away from a prefix. */
  get drops(): number {
    return this.#drops;
  }

  /** Arrays by number need this many places. */
  get capacity(): number {
    return this.#lengths.length;
  }

  /** One more than the highest number ever given. */
  get end(): number {
    return this.#last + 1;
  }

  /** The number of a canonical prefix, or 0. */
  find(prefix: IpPrefix): number {
    this.#parse(prefix);
    return this.#slots[this.#slotOf()] as number;
  }

  /** The number of a canonical prefix, a new one if need be, which is free again unless somebody holds it. Throws a RangeError on what is none. */
  intern(prefix: IpPrefix): number {
    this.#parse(prefix);
    let slot = this.#slotOf();
    const known = this.#slots[slot] as number;
    if (known !== 0) return known;
    const index = this.#take();
    if (this.#size * 2 >= this.#slots.length) {
      this.#rehash(this.#slots.length * 2);
      slot = this.#slotOf();
    }
    for (let at = 0; at < this.#width; at++)
      this.#words[index * this.#width + at] = this.#parsed[at] as number;
    this.#lengths[index] = this.#parsedLength;
    this.#slots[slot] = index;
    this.#size++;
    return index;
  }

  hold(index: number): void {
    (this.#holds[index] as number)++;
  }

  /** Frees the number when nobody holds it any more. */
  release(index: number): void {
    const left = (this.#holds[index] as number) - 1;
    this.#holds[index] = left;
    if (left === 0) this.#drop(index);
  }

  /** Frees the number if nobody holds it. */
  forget(index: number): void {
    if (this.#holds[index] === 0) this.#drop(index);
  }

  lengthOf(index: number): number {
    return this.#lengths[index] as number;
  }

  /** True if one prefix lies within another, or is it. */
  isWithin(inner: number, outer: number): boolean {
    const length = this.lengthOf(outer);
    if (this.lengthOf(inner) < length) return false;
    for (let at = 0; at * 32 < length; at++) {
      const bits = Math.min(32, length - at * 32);
      const difference =
        (this.#words[inner * this.#width + at] as number) ^ (this.#words[outer * this.#width + at] as number);
      if (difference >>> (32 - bits) !== 0) return false;
    }
    return true;
  }

  textOf(index: number): IpPrefix {
    const length = this.#lengths[index] as number;
    if (this.#width === 1) {
      const word = this.#words[index] as number;
      return `${OCTETS[word >>> 24]}.${OCTETS[(word >>> 16) & 255]}.${OCTETS[(word >>> 8) & 255]}.${OCTETS[word & 255]}/${length}`;
    }
    const bytes = this.#bytes;
    for (let at = 0; at < 4; at++) {
      const word = this.#words[index * 4 + at] as number;
      bytes[at * 4] = word >>> 24;
      bytes[at * 4 + 1] = word >>> 16;
      bytes[at * 4 + 2] = word >>> 8;
      bytes[at * 4 + 3] = word;
    }
    return `${formatIp(bytes)}/${length}`;
  }

  #parse(prefix: IpPrefix): void {
    const slash = prefix.lastIndexOf('/');
    let length = 0;
    for (let at = slash + 1; at < prefix.length; at++) length = length * 10 + prefix.charCodeAt(at) - 0x30;
    const isShaped = slash > 0 && slash < prefix.length - 1 && length >= 0;
    if (!isShaped || length > familyBits(this.family) || prefix.charCodeAt(slash) !== SLASH)
      throw new RangeError(`not a prefix of IPv${this.family}: "${prefix}"`);
    this.#parsedLength = length;
    if (this.#width === 1) {
      if (!putIpv4(prefix, slash, this.#bytes, 0)) throw new RangeError(`not a prefix of IPv4: "${prefix}"`);
      this.#parsed[0] = wordOf(this.#bytes, 0);
      return;
    }
    const bytes = parseIp(prefix.slice(0, slash));
    if (bytes?.length !== 16) throw new RangeError(`not a prefix of IPv6: "${prefix}"`);
    for (let at = 0; at < 4; at++) this.#parsed[at] = wordOf(bytes, at * 4);
  }

  /** Where what was parsed is, or the empty place where it would be. */
  #slotOf(): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(this.#parsed, 0, this.#parsedLength) & mask;
    for (;;) {
      const index = this.#slots[slot] as number;
      if (index === 0 || this.#isParsed(index)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #isParsed(index: number): boolean {
    if (this.#lengths[index] !== this.#parsedLength) return false;
    for (let at = 0; at < this.#width; at++)
      if (this.#words[index * this.#width + at] !== this.#parsed[at]) return false;
    return true;
  }

  #hash(words: Uint32Array, from: number, length: number): number {
    let hash = Math.imul(length + 1, 0x9e3779b1);
    for (let at = 0; at < this.#width; at++) {
      hash = Math.imul(hash ^ (words[from + at] as number), 0x85ebca6b);
      hash ^= hash >>> 13;
    }
    hash = Math.imul(hash, 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #homeOf(index: number): number {
    return (
      this.#hash(this.#words, index * this.#width, this.#lengths[index] as number) & (this.#slots.length - 1)
    );
  }

  #take(): number {
    if (this.#free !== 0) {
      const index = this.#free;
      this.#free = this.#words[index * this.#width] as number;
      return index;
    }
    const index = ++this.#last;
    if (index < this.#lengths.length) return index;
    const capacity = widerThan(this.#lengths.length);
    this.#words = grown(this.#words, capacity * this.#width);
    this.#holds = grown(this.#holds, capacity);
    this.#lengths = new Uint8Array(widened(this.#lengths, capacity));
    return index;
  }

  #rehash(places: number): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(places);
    for (const index of old) {
      if (index === 0) continue;
      let slot = this.#homeOf(index);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (places - 1);
      this.#slots[slot] = index;
    }
  }

  /** Takes the number out and moves those behind it up, so that none is cut off from its place. */
  #drop(index: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = this.#homeOf(index);
    while (slots[hole] !== index) hole = (hole + 1) & mask;
    for (let at = (hole + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const home = this.#homeOf(slots[at] as number);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = slots[at] as number;
      hole = at;
    }
    slots[hole] = 0;
    this.#words[index * this.#width] = this.#free;
    this.#free = index;
    this.#size--;
    this.#drops++;
  }
}

/** How many places columns get that are full: twice as many, and where they are many a quarter more, since places that are free are memory too. */
export function widerThan(places: number): number {
  return places < DOUBLED_BELOW ? places * 2 : places + (places >>> 2);
}

/** What a column holds and zeros behind it. The array that was given is of no use then: its memory is free at once, not when it is collected. */
export function grown(words: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(widened(words, length));
}

/** Like grown(), for arrays of other types to be made of. */
export function widened(
  { buffer, BYTES_PER_ELEMENT }: Pick<Uint8Array<ArrayBuffer>, 'buffer' | 'BYTES_PER_ELEMENT'>,
  length: number,
): ArrayBuffer {
  return buffer.transfer(length * BYTES_PER_ELEMENT);
}

function wordOf(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
