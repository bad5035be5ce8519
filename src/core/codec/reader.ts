/** A cursor over bytes. Reading past the end is a DecodeError; nothing is ever clamped. */
import { DecodeError } from './error.ts';

/** Reads from `offset` to `end`; every read moves the offset. */
export class Reader {
  readonly bytes: Uint8Array;
  /** Position of the next byte, counted from the start of the outermost buffer. */
  offset: number;
  private limit: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.limit = end;
  }

  get end(): number {
    return this.limit;
  }

  get remaining(): number {
    return this.limit - this.offset;
  }

  private take(count: number): number {
    const at = this.offset;
    if (count > this.limit - at) throw new DecodeError(`needs ${count} bytes, has ${this.limit - at}`, at);
    this.offset = at + count;
    return at;
  }

  // Without a DataView, whose making costs more than the reading: this is the inner loop of all decoding.
  u8(): number {
    return this.bytes[this.take(1)] as number;
  }
  u16le(): number {
    const at = this.take(2);
    return (this.bytes[at] as number) | ((this.bytes[at + 1] as number) << 8);
  }
  u16be(): number {
    const at = this.take(2);
    return ((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number);
  }
  u32le(): number {
    return int32le(this.bytes, this.take(4)) >>> 0;
  }
  u32be(): number {
    return int32be(this.bytes, this.take(4)) >>> 0;
  }
  i32le(): number {
    return int32le(this.bytes, this.take(4));
  }
  i32be(): number {
    return int32be(this.bytes, this.take(4));
  }
  u64le(): bigint {
    const at = this.take(8);
    return bigOf(int32le(this.bytes, at + 4), int32le(this.bytes, at));
  }
  u64be(): bigint {
    const at = this.take(8);
    return bigOf(int32be(this.bytes, at), int32be(this.bytes, at + 4));
  }

  /** A copy of the next `count` bytes. */
  copy(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.slice(at, at + count);
  }

  skip(count: number): void {
    this.take(count);
  }

  /** A reader over the next `count` bytes, which this reader then has behind it. */
  sub(count: number): Reader {
    const at = this.take(count);
    return new Reader(this.bytes, at, at + count);
  }

  /** Ends this reader after the next `count` bytes, without a reader of their own; returns the end it had, for widen(). */
  narrow(count: number): number {
    const { offset, limit } = this;
    if (count > limit - offset) throw new DecodeError(`needs ${count} bytes, has ${limit - offset}`, offset);
    this.limit = offset + count;
    return limit;
  }

  /** Gives back the end that narrow() returned. */
  widen(end: number): void {
    this.limit = end;
  }

  /** Throws if bytes are left. */
  finish(): void {
    if (this.offset < this.limit)
      throw new DecodeError(`${this.limit - this.offset} trailing bytes`, this.offset);
  }
}

function int32le(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function int32be(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

function bigOf(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
