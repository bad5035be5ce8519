/** A cursor over bytes. Reading past the end is a DecodeError; nothing is ever clamped. */
import { DecodeError } from './error.ts';

export class Reader {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** Position of the next byte, counted from the start of the outermost buffer. */
  offset: number;
  readonly end: number;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length, view?: DataView) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    this.view = view ?? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  private take(count: number): number {
    const at = this.offset;
    if (count > this.end - at) throw new DecodeError(`needs ${count} bytes, has ${this.end - at}`, at);
    this.offset = at + count;
    return at;
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }
  u16le(): number {
    return this.view.getUint16(this.take(2), true);
  }
  u16be(): number {
    return this.view.getUint16(this.take(2), false);
  }
  u32le(): number {
    return this.view.getUint32(this.take(4), true);
  }
  u32be(): number {
    return this.view.getUint32(this.take(4), false);
  }
  i32le(): number {
    return this.view.getInt32(this.take(4), true);
  }
  i32be(): number {
    return this.view.getInt32(this.take(4), false);
  }
  u64le(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }
  u64be(): bigint {
    return this.view.getBigUint64(this.take(8), false);
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
    return new Reader(this.bytes, at, at + count, this.view);
  }

  /** Throws if bytes are left. */
  finish(): void {
    if (this.offset < this.end)
      throw new DecodeError(`${this.end - this.offset} trailing bytes`, this.offset);
  }
}
