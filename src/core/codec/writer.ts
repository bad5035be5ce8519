/** A growing buffer. Values that do not fit their field are a RangeError: an encoder's input is ours, never a peer's. */
export class Writer {
  private bytes: Uint8Array;
  private view: DataView;
  length = 0;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Advances by `count` zero bytes and returns where they begin. */
  reserve(count: number): number {
    const at = this.length;
    const needed = at + count;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    this.length = needed;
    return at;
  }

  // In all of these reserve comes first, as a statement: it may replace the view.
  u8(value: number): void {
    const at = this.reserve(1);
    this.view.setUint8(at, checked(value, 0xff));
  }
  u16le(value: number): void {
    const at = this.reserve(2);
    this.view.setUint16(at, checked(value, 0xffff), true);
  }
  u16be(value: number): void {
    const at = this.reserve(2);
    this.view.setUint16(at, checked(value, 0xffff), false);
  }
  u32le(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, checked(value, 0xffffffff), true);
  }
  u32be(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, checked(value, 0xffffffff), false);
  }
  i32le(value: number): void {
    const at = this.reserve(4);
    this.view.setInt32(at, value, true);
  }
  i32be(value: number): void {
    const at = this.reserve(4);
    this.view.setInt32(at, value, false);
  }
  u64le(value: bigint): void {
    const at = this.reserve(8);
    this.view.setBigUint64(at, value, true);
  }
  u64be(value: bigint): void {
    const at = this.reserve(8);
    this.view.setBigUint64(at, value, false);
  }

  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  /** Zero bytes up to the next multiple of `unit` from the start of the buffer. */
  align(unit: number): void {
    const over = this.length % unit;
    if (over !== 0) this.reserve(unit - over);
  }

  /** Overwrites two bytes already written. */
  patchU16le(at: number, value: number): void {
    this.view.setUint16(at, checked(value, 0xffff), true);
  }
  patchU32le(at: number, value: number): void {
    this.view.setUint32(at, checked(value, 0xffffffff), true);
  }
  patchU16be(at: number, value: number): void {
    this.view.setUint16(at, checked(value, 0xffff), false);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** Forgets what was written, so that the buffer serves again. */
  reset(): void {
    this.bytes.fill(0, 0, this.length);
    this.length = 0;
  }
}

function checked(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw new RangeError(`${value} does not fit 0..${max}`);
  return value;
}
