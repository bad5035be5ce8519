/**
 * Codecs as declarations: one value gives decode, encode, the TypeScript type and the shape from which documentation rows and
 * fuzz inputs are made (src/testing/codec-arbitrary.ts). Combinators for structures live here; netlink's attributes
 * build on them in core/netlink.
 */
import { asciiBetween, fromUtf8, untilNul, utf8 } from '#base/bytes.ts';
import { formatIp, formatMac, type IpAddress, ipBytes, type MacAddress, parseMac } from '#base/ip/index.ts';
import { DecodeError, isDecodeError } from './error.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/** What values a codec carries, as data: the source of documentation rows and of generated test values. */
export type Shape =
  | { readonly of: 'integer'; readonly bits: number; readonly signed?: boolean }
  | { readonly of: 'bigint'; readonly bits: 64 }
  | { readonly of: 'bytes'; readonly length?: number }
  | { readonly of: 'text'; readonly maxBytes?: number }
  | { readonly of: 'ip'; readonly family?: 4 | 6 }
  | { readonly of: 'mac' }
  | { readonly of: 'flag' }
  | { readonly of: 'constant'; readonly value: unknown }
  | {
      readonly of: 'named';
      readonly names: readonly string[];
      /** The values that have the names, in the same order. */
      readonly values?: readonly number[];
      readonly base: Shape;
    }
  | { readonly of: 'list'; readonly item: Shape; readonly lengthMin?: number }
  /** One of several, chosen by the value of the sibling field `by`; any other value of it carries bytes. */
  | { readonly of: 'choice'; readonly by: string; readonly cases: Readonly<Record<string, Shape>> }
  | { readonly of: 'record'; readonly fields: Readonly<Record<string, FieldShape>> };

export interface FieldShape {
  readonly shape: Shape;
  readonly optional: boolean;
  /** The attribute number, where there is one. */
  readonly type?: number;
}

export interface Codec<T> {
  readonly shape: Shape;
  /** Reads one value and leaves the reader behind it; throws nothing but DecodeError. */
  decode(reader: Reader): T;
  /** Throws RangeError for values that do not fit. */
  encode(writer: Writer, value: T): void;
}

export type ValueOf<C> = C extends Codec<infer T> ? T : never;

/** Decodes a whole buffer: bytes left over are a DecodeError. */
export function decodeAll<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes);
  const value = codec.decode(reader);
  reader.finish();
  return value;
}

/** The bytes of one value; throws a RangeError for one that does not fit. */
export function encodeAll<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer();
  codec.encode(writer, value);
  return writer.finish();
}

function integer(
  bits: number,
  read: (r: Reader) => number,
  write: (w: Writer, v: number) => void,
): Codec<number> {
  return { shape: { of: 'integer', bits }, decode: read, encode: write };
}

export const u8 = integer(
  8,
  (r) => r.u8(),
  (w, v) => w.u8(v),
);
/** Host byte order: little-endian on every machine Poplin runs on (x86-64, arm64). */
export const u16 = integer(
  16,
  (r) => r.u16le(),
  (w, v) => w.u16le(v),
);
export const u32 = integer(
  32,
  (r) => r.u32le(),
  (w, v) => w.u32le(v),
);
export const u16be = integer(
  16,
  (r) => r.u16be(),
  (w, v) => w.u16be(v),
);
export const u32be = integer(
  32,
  (r) => r.u32be(),
  (w, v) => w.u32be(v),
);
export const i32: Codec<number> = {
  shape: { of: 'integer', bits: 32, signed: true },
  decode: (r) => r.i32le(),
  encode: (w, v) => w.i32le(v),
};
export const i32be: Codec<number> = {
  shape: { of: 'integer', bits: 32, signed: true },
  decode: (r) => r.i32be(),
  encode: (w, v) => w.i32be(v),
};
export const u64: Codec<bigint> = {
  shape: { of: 'bigint', bits: 64 },
  decode: (r) => r.u64le(),
  encode: (w, v) => w.u64le(v),
};
export const u64be: Codec<bigint> = {
  shape: { of: 'bigint', bits: 64 },
  decode: (r) => r.u64be(),
  encode: (w, v) => w.u64be(v),
};

/** Exactly `length` bytes. */
export function bytes(length: number): Codec<Uint8Array> {
  return {
    shape: { of: 'bytes', length },
    decode: (r) => r.copy(length),
    encode: (w, v) => {
      if (v.length !== length) throw new RangeError(`${v.length} bytes where ${length} are due`);
      w.raw(v);
    },
  };
}

/** All that is left. */
export const rest: Codec<Uint8Array> = {
  shape: { of: 'bytes' },
  decode: (r) => r.copy(r.remaining),
  encode: (w, v) => w.raw(v),
};

/** UTF-8 text that fills what is left, with its closing NUL if there is one; encoded with one. */
export const text: Codec<string> = {
  shape: { of: 'text' },
  decode: (r) => {
    const { offset: at, end } = r;
    const textEnd = r.remaining > 0 && r.bytes[end - 1] === 0 ? end - 1 : end;
    const ascii = asciiBetween(r.bytes, at, textEnd);
    if (ascii !== undefined) {
      r.skip(r.remaining);
      return ascii;
    }
    const raw = r.copy(r.remaining);
    const bytes = untilNul(raw);
    if (raw.subarray(bytes.length).some((byte) => byte !== 0))
      throw new DecodeError('text goes on after NUL', at + bytes.length);
    const value = fromUtf8(bytes);
    if (value === undefined) throw new DecodeError('not UTF-8', at);
    return value;
  },
  encode: (w, v) => {
    if (v.includes('\0')) throw new RangeError('text holds a NUL');
    w.raw(utf8(v));
    w.u8(0);
  },
};

/** An address that fills what is left: 4 or 16 bytes. */
export const ip: Codec<IpAddress> = {
  shape: { of: 'ip' },
  decode: (r) => {
    if (r.remaining !== 4 && r.remaining !== 16) {
      throw new DecodeError(`an address has 4 or 16 bytes, not ${r.remaining}`, r.offset);
    }
    return readIp(r, r.remaining);
  },
  encode: (w, v) => w.raw(ipBytes(v)),
};

/** Of IPv4, the larger part of all, without a copy of its bytes. */
function readIp(r: Reader, size: 4 | 16): IpAddress {
  if (size === 16) return formatIp(r.copy(16));
  const { bytes, offset: at } = r;
  r.skip(4);
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** An address of one family, of fixed size. */
export function ipOf(family: 4 | 6): Codec<IpAddress> {
  const size = family === 4 ? 4 : 16;
  return {
    shape: { of: 'ip', family },
    decode: (r) => readIp(r, size),
    encode: (w, v) => {
      const raw = ipBytes(v);
      if (raw.length !== size) throw new RangeError(`${v} is no IPv${family} address`);
      w.raw(raw);
    },
  };
}

/** A MAC address of 6 bytes. */
export const mac: Codec<MacAddress> = {
  shape: { of: 'mac' },
  decode: (r) => formatMac(r.copy(6)),
  encode: (w, v) => {
    const raw = parseMac(v);
    if (raw === undefined) throw new RangeError(`not a MAC address: "${v}"`);
    w.raw(raw);
  },
};

/** Presence is the value; nothing is read or written. */
export const flag: Codec<true> = { shape: { of: 'flag' }, decode: () => true, encode: () => {} };

/** `length` zero bytes on encoding; anything on decoding. */
export function pad(length: number): Codec<undefined> {
  return {
    shape: { of: 'constant', value: undefined },
    decode: (r) => {
      r.skip(length);
      return undefined;
    },
    encode: (w) => {
      w.reserve(length);
    },
  };
}

/** A number with names for known values: decodes to the name, or to the number where it has none. */
export function named<const N extends Readonly<Record<string, number>>>(
  base: Codec<number>,
  names: N,
): Codec<(keyof N & string) | number> {
  const byValue = new Map(Object.entries(names).map(([name, value]) => [value, name]));
  return {
    shape: { of: 'named', names: Object.keys(names), values: Object.values(names), base: base.shape },
    decode: (r) => {
      const value = base.decode(r);
      return (byValue.get(value) as (keyof N & string) | undefined) ?? value;
    },
    encode: (w, v) => {
      const value = typeof v === 'number' ? v : names[v];
      if (value === undefined) throw new RangeError(`no value is named "${v}"`);
      base.encode(w, value);
    },
  };
}

type Fields = Readonly<Record<string, Codec<unknown>>>;
/** The type of a struct: padding fields vanish. */
export type StructValue<F extends Fields> = {
  readonly [K in keyof F as ValueOf<F[K]> extends undefined ? never : K]: ValueOf<F[K]>;
};

/** Fields one after the other, in order of declaration. */
// oxlint-disable-next-line typescript/no-explicit-any -- the constraint must leave the invariant parameter of Codec open
export function struct<F extends Readonly<Record<string, Codec<any>>>>(fields: F): Codec<StructValue<F>> {
  const entries = Object.entries(fields) as [string, Codec<unknown>][];
  // Two arrays and plain loops: this is the inner loop of all encoding.
  const names = entries.map(([name]) => name);
  const codecs = entries.map(([, codec]) => codec);
  const shapes: Record<string, FieldShape> = {};
  for (const [name, codec] of entries) {
    if (codec.shape.of !== 'constant') shapes[name] = { shape: codec.shape, optional: false };
  }
  return {
    shape: { of: 'record', fields: shapes },
    decode: (reader) => {
      const value: Record<string, unknown> = {};
      let at = 0;
      try {
        for (; at < names.length; at++) {
          const decoded = (codecs[at] as Codec<unknown>).decode(reader);
          if (decoded !== undefined) value[names[at] as string] = decoded;
        }
      } catch (error) {
        throw isDecodeError(error) ? error.within(names[at] as string) : error;
      }
      return value as StructValue<F>;
    },
    encode: (writer, value) => {
      for (let at = 0; at < names.length; at++) {
        (codecs[at] as Codec<unknown>).encode(
          writer,
          (value as Record<string, unknown>)[names[at] as string],
        );
      }
    },
  };
}

/** As many items as fill what is left. */
export function listOf<T>(item: Codec<T>): Codec<readonly T[]> {
  return {
    shape: { of: 'list', item: item.shape },
    decode: (reader) => {
      const out: T[] = [];
      while (reader.remaining > 0) {
        const before = reader.offset;
        try {
          out.push(item.decode(reader));
        } catch (error) {
          throw isDecodeError(error) ? error.within(`[${out.length}]`) : error;
        }
        if (reader.offset === before) throw new DecodeError('an item of no length repeats for ever', before);
      }
      return out;
    },
    encode: (writer, values) => {
      for (const value of values) item.encode(writer, value);
    },
  };
}

/** A codec through a pair of functions; `from` may throw DecodeError by way of the reader it is given. */
export function mapped<A, B>(
  base: Codec<A>,
  to: (value: A, offset: number) => B,
  from: (value: B) => A,
): Codec<B> {
  return {
    shape: base.shape,
    decode: (reader) => {
      const at = reader.offset;
      return to(base.decode(reader), at);
    },
    encode: (writer, value) => base.encode(writer, from(value)),
  };
}
