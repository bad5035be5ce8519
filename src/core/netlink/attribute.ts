/**
 * Netlink attributes (linux/netlink.h, struct nlattr): length, type, payload, padded to four bytes. A table of them is declared
 * once; attributes it does not name are kept under `unknown` and written back as they came.
 */
import {
  type Codec,
  DecodeError,
  type FieldShape,
  isDecodeError,
  type Reader,
  rest,
  type Writer,
} from '#core/codec/index.ts';

// #define NLA_F_NESTED (1 << 15), NLA_F_NET_BYTEORDER (1 << 14), NLA_TYPE_MASK ~(…)
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const HEADER_BYTES = 4;
/** nla_len is 16 bits: no attribute, nested or not, is longer. */
export const MAX_ATTRIBUTE_BYTES = 0xffff;

/** An attribute without a declaration: its type as on the wire, flags included, and its payload. */
export interface RawAttribute {
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** One row of an attribute table. */
export interface Attribute<T> {
  readonly type: number;
  readonly nested: boolean;
  /** True if the codec depends on a sibling: such rows are decoded after all others, wherever they came. */
  readonly dependent?: boolean;
  /** True if it may come several times: its value is the list of what came, and its codec that of one item. */
  readonly repeated?: boolean;
  /** The codec of the payload, given the attributes read or to be written beside it. */
  codecFor(siblings: Readonly<Record<string, unknown>>): Codec<T>;
  readonly shape: FieldShape;
}

export type AttributeValue<A> = A extends Attribute<infer T> ? T : never;
// oxlint-disable-next-line typescript/no-explicit-any -- a table holds attributes of every type
export type AttributeTable = Readonly<Record<string, Attribute<any>>>;
export type AttributesValue<T extends AttributeTable> = { readonly [K in keyof T]?: AttributeValue<T[K]> } & {
  readonly unknown?: readonly RawAttribute[];
};

/** A plain attribute: `attribute(3, text)`. */
export function attribute<T>(type: number, codec: Codec<T>): Attribute<T> {
  return { type, nested: false, codecFor: () => codec, shape: { shape: codec.shape, optional: true, type } };
}

/** An attribute whose payload is attributes again: NLA_F_NESTED is set on encoding. */
export function nest<T>(type: number, codec: Codec<T>): Attribute<T> {
  return { ...attribute(type, codec), nested: true };
}

/** An attribute that comes as many times as its value, a list that is not empty, has items. */
export function repeatedAttribute<T>(type: number, codec: Codec<T>): Attribute<readonly T[]> {
  return {
    type,
    nested: false,
    repeated: true,
    codecFor: () => codec as unknown as Codec<readonly T[]>,
    shape: { shape: { of: 'list', item: codec.shape, lengthMin: 1 }, optional: true, type },
  };
}

/** A nest whose content depends on a sibling, as IFLA_INFO_DATA does on IFLA_INFO_KIND; others stay bytes. */
export function dependentNest<const C extends Readonly<Record<string, Codec<unknown>>>>(
  type: number,
  by: string,
  cases: C,
): Attribute<{ [K in keyof C]: C[K] extends Codec<infer T> ? T : never }[keyof C] | Uint8Array> {
  type Value = { [K in keyof C]: C[K] extends Codec<infer T> ? T : never }[keyof C] | Uint8Array;
  const shapes = Object.fromEntries(Object.entries(cases).map(([name, codec]) => [name, codec.shape]));
  return {
    type,
    nested: true,
    dependent: true,
    codecFor: (siblings) => {
      const discriminant = siblings[by];
      const found =
        typeof discriminant === 'string' && Object.hasOwn(cases, discriminant) ? cases[discriminant] : rest;
      return found as Codec<Value>;
    },
    shape: { shape: { of: 'choice', by, cases: shapes }, optional: true, type },
  };
}

/** A row as decoding needs it. */
interface KnownRow {
  readonly name: string;
  readonly row: Attribute<unknown>;
  /** Undefined if it depends on a sibling. */
  readonly codec: Codec<unknown> | undefined;
}

/** An attribute that waits for its siblings. */
interface Deferred {
  readonly row: KnownRow;
  readonly payload: Reader;
}

/**
 * A table of attributes that fills what is left of its surroundings. Of an attribute that comes twice the last one counts. Those that the
 * table does not name are kept, or passed over where `isPartial`: for messages that come often and of which little is wanted.
 */
export function attributes<const T extends AttributeTable>(
  table: T,
  isPartial = false,
): Codec<AttributesValue<T>> {
  const entries = Object.entries(table);
  const known: (KnownRow | undefined)[] = [];
  for (const [name, row] of entries)
    known[row.type] = { name, row, codec: row.dependent === true ? undefined : row.codecFor({}) };
  const rows = entries.map(([, row]) => row);
  const places = new Map(entries.map(([name], place) => [name, place]));
  const fields = Object.fromEntries(entries.map(([name, row]) => [name, row.shape]));
  return {
    shape: { of: 'record', fields },
    // Without a closure or a reader for each attribute: this is the inner loop of all decoding.
    decode: (reader) => {
      const value: Record<string, unknown> = {};
      let unknown: RawAttribute[] | undefined;
      let deferred: Deferred[] | undefined;
      while (reader.remaining > 0) {
        const at = reader.offset;
        const end = enter(reader);
        const type = (reader.bytes[at + 2] as number) | ((reader.bytes[at + 3] as number) << 8);
        const row = known[type & NLA_TYPE_MASK];
        if (row === undefined) {
          if (isPartial) reader.skip(reader.remaining);
          else (unknown ??= []).push({ type, bytes: reader.copy(reader.remaining) });
        } else if (row.codec === undefined) {
          deferred ??= [];
          deferred.push({ row, payload: reader.sub(reader.remaining) });
        } else if (row.row.repeated === true) {
          const items = (value[row.name] ??= []) as unknown[];
          items.push(decodeItem(reader, row.codec, row.name, items.length));
        } else value[row.name] = decodePayload(reader, row.codec, row.name);
        leave(reader, at, end);
      }
      if (deferred !== undefined) {
        for (const { row, payload } of deferred)
          value[row.name] = decodePayload(payload, row.row.codecFor(value), row.name);
      }
      if (unknown !== undefined) value['unknown'] = unknown;
      return value as AttributesValue<T>;
    },
    encode: (writer, value) => {
      const given = value as Readonly<Record<string, unknown>>;
      // The few that are there in place of all that there might be: this is the inner loop of all encoding.
      for (const name of presentInOrder(given, places)) {
        const item = given[name];
        const row = rows[places.get(name) as number] as Attribute<unknown>;
        if (row.repeated === true) {
          for (const each of item as readonly unknown[]) encodeAttribute(writer, row, given, each);
        } else encodeAttribute(writer, row, given, item);
      }
      if (value.unknown === undefined) return;
      for (const raw of value.unknown) {
        const at = beginAttribute(writer, raw.type);
        writer.raw(raw.bytes);
        endAttribute(writer, at);
      }
    },
  };
}

function encodeAttribute(
  writer: Writer,
  row: Attribute<unknown>,
  given: Readonly<Record<string, unknown>>,
  item: unknown,
): void {
  const at = beginAttribute(writer, row.nested ? row.type | NLA_F_NESTED : row.type);
  row.codecFor(given).encode(writer, item);
  endAttribute(writer, at);
}

/** The names in `places` that have a value, in the order of their places. */
function presentInOrder(
  given: Readonly<Record<string, unknown>>,
  places: ReadonlyMap<string, number>,
): readonly string[] {
  const names: string[] = [];
  for (const name in given) {
    const place = places.get(name);
    if (place === undefined || given[name] === undefined) continue;
    let at = names.length;
    while (at > 0 && (places.get(names[at - 1] as string) as number) > place) at--;
    if (at === names.length) names.push(name);
    else names.splice(at, 0, name);
  }
  return names;
}

/** The payload of an attribute that is a list: items of one type number, one after the other (`{item}{item}…`). */
export function attributeList<T>(itemType: number, codec: Codec<T>, nested = true): Codec<readonly T[]> {
  return {
    shape: { of: 'list', item: codec.shape },
    decode: (reader) => {
      const out: T[] = [];
      while (reader.remaining > 0) {
        const at = reader.offset;
        const end = enter(reader);
        out.push(decodeItem(reader, codec, '', out.length));
        leave(reader, at, end);
      }
      return out;
    },
    encode: (writer, values) => {
      for (const value of values) {
        const at = beginAttribute(writer, nested ? itemType | NLA_F_NESTED : itemType);
        codec.encode(writer, value);
        endAttribute(writer, at);
      }
    },
  };
}

/** Takes in an attribute's header and narrows the reader to its payload; returns the end that leave() gives back. */
function enter(reader: Reader): number {
  const at = reader.offset;
  const length = reader.u16le();
  reader.skip(2);
  if (length < HEADER_BYTES) throw new DecodeError(`attribute length ${length} is under ${HEADER_BYTES}`, at);
  return reader.narrow(length - HEADER_BYTES);
}

/** Behind the payload of the attribute at `at`, all of which was read, and its padding. */
function leave(reader: Reader, at: number, end: number): void {
  reader.widen(end);
  // #define NLA_ALIGN(len) (((len) + NLA_ALIGNTO - 1) & ~(NLA_ALIGNTO - 1)); the last one need not be padded
  reader.skip(Math.min((at - reader.offset) & 3, reader.remaining));
}

/** What a reader narrowed to a payload holds, to its last byte. */
function decodePayload<T>(payload: Reader, codec: Codec<T>, name: string): T {
  try {
    const value = codec.decode(payload);
    payload.finish();
    return value;
  } catch (error) {
    throw isDecodeError(error) ? error.within(name) : error;
  }
}

function decodeItem<T>(payload: Reader, codec: Codec<T>, name: string, place: number): T {
  try {
    const value = codec.decode(payload);
    payload.finish();
    return value;
  } catch (error) {
    throw isDecodeError(error) ? error.within(`${name}[${place}]`) : error;
  }
}

/** Reserves an attribute's header and returns where it lies; the payload is written next, then endAttribute. */
function beginAttribute(writer: Writer, type: number): number {
  const at = writer.reserve(HEADER_BYTES);
  writer.patchU16le(at + 2, type);
  return at;
}

function endAttribute(writer: Writer, at: number): void {
  const length = writer.length - at;
  if (length > MAX_ATTRIBUTE_BYTES)
    throw new RangeError(`an attribute has ${length} bytes, at most ${MAX_ATTRIBUTE_BYTES} fit`);
  writer.patchU16le(at, length);
  writer.align(4);
}
