/** Sets and maps between the vocabulary and their messages, and the layout of their keys and data in bytes. */
import {
  bytesValue,
  DATA_TYPES,
  dataTypeOfId,
  type NftDataType,
  type NftFamily,
  type NftSet,
  type NftValue,
  paddedBytes,
  valueBytes,
} from '#core/nft/index.ts';
import type { SetMessage } from './messages.ts';
import { headerOf } from './objects.ts';
import {
  commentDatum,
  commentOf,
  encodeUserData,
  SET_COMMENT,
  SET_DATA_BYTE_ORDER,
  SET_KEY_BYTE_ORDER,
  type UserDatum,
} from './user-data.ts';

/** enum nft_set_flags. */
const SET_FLAG = {
  anonymous: 0x1,
  constant: 0x2,
  interval: 0x4,
  map: 0x8,
  timeout: 0x10,
  evaluated: 0x20,
  concatenation: 0x80,
} as const;

/** NFT_DATA_VERDICT. */
const VERDICT_TYPE = 0xffffff00;
/** nft joins the numbers of a concatenation's types, six bits each. */
const TYPE_BITS = 6;
const MAX_FIELDS = 5;
/** enum byteorder in nft. */
const HOST_ENDIAN = 1;
const BIG_ENDIAN = 2;

/** How a set's keys and data lie in bytes, and how its ranges are told to the kernel. */
export interface SetLayout {
  readonly set: NftSet;
  /**
   * `single`: no ranges. `boundaries`: a range is two elements, its first key and, marked as an end, the key after its last.
   * `pair`: one element has both its first and its last key (concatenations).
   */
  readonly ranges: 'single' | 'boundaries' | 'pair';
  readonly keyBytes: number;
}

/** How a set’s keys lie in its elements. */
export function layoutOf(set: NftSet): SetLayout {
  const ranges = !set.interval ? 'single' : set.keyType.length > 1 ? 'pair' : 'boundaries';
  return { set, ranges, keyBytes: typesBytes(set.keyType) };
}

/** Throws RangeError if the values are not of the set's types. */
export function encodeKey({ set }: SetLayout, values: readonly NftValue[]): Uint8Array {
  return joinValues(set, set.keyType, values, set.interval === true);
}

/** The values of a key’s bytes. */
export function decodeKey({ set }: SetLayout, bytes: Uint8Array): NftValue[] {
  return splitValues(set.keyType, bytes, set.interval === true);
}

/** The bytes of a map’s values; throws a RangeError for sets that are no map of values. */
export function encodeData({ set }: SetLayout, values: readonly NftValue[]): Uint8Array {
  if (set.dataType === undefined || set.dataType === 'verdict')
    throw new RangeError(`set ${set.table} ${set.name} is no map of values`);
  return joinValues(set, set.dataType, values, false);
}

/** The values of a map’s data. */
export function decodeData({ set }: SetLayout, bytes: Uint8Array): NftValue[] {
  const types = set.dataType;
  return splitValues(types === undefined || types === 'verdict' ? ['integer'] : types, bytes, false);
}

/** `id` is any number that no other set of the same transaction has. */
export function setToWire(set: NftSet, id: number): SetMessage {
  const { dataType } = set;
  return {
    ...headerOf(set.family),
    attributes: {
      table: set.table,
      name: set.name,
      flags: flagsOf(set),
      keyType: typesId(set.keyType),
      keyLength: typesBytes(set.keyType),
      ...(dataType === 'verdict' && { dataType: VERDICT_TYPE, dataLength: 0 }),
      ...(Array.isArray(dataType) && { dataType: typesId(dataType), dataLength: typesBytes(dataType) }),
      ...descriptionOf(set),
      id,
      ...(set.timeoutMs !== undefined && { timeoutMs: BigInt(set.timeoutMs) }),
      userData: encodeUserData(userDataOf(set)),
    },
  };
}

/** Undefined for sets that have no name of their own (literals inside a rule). */
export function setFromWire(family: NftFamily, { attributes }: SetMessage): NftSet | undefined {
  const { table, name, flags = 0, description } = attributes;
  if (table === undefined || name === undefined || (flags & SET_FLAG.anonymous) !== 0) return undefined;
  const timeoutMs = Number(attributes.timeoutMs ?? 0n);
  const comment = commentOf(attributes.userData, SET_COMMENT);
  const has = (flag: number) => (flags & flag) !== 0;
  return {
    kind: 'nft-set',
    family,
    table,
    name,
    keyType: typesOfId(attributes.keyType ?? 0),
    ...(has(SET_FLAG.map) && {
      dataType:
        attributes.dataType === VERDICT_TYPE ? ('verdict' as const) : typesOfId(attributes.dataType ?? 0),
    }),
    ...(has(SET_FLAG.interval) && { interval: true }),
    ...(timeoutMs > 0 && { timeoutMs }),
    ...(has(SET_FLAG.timeout) && timeoutMs === 0 && { timeouts: true }),
    ...(has(SET_FLAG.evaluated) && { dynamic: true }),
    ...(has(SET_FLAG.constant) && { constant: true }),
    ...(description?.size ? { size: description.size } : {}),
    ...(comment !== undefined && { comment }),
  };
}

function flagsOf(set: NftSet): number {
  return (
    (set.constant ? SET_FLAG.constant : 0) |
    (set.interval ? SET_FLAG.interval : 0) |
    (set.dataType === undefined ? 0 : SET_FLAG.map) |
    (set.timeouts || set.timeoutMs !== undefined ? SET_FLAG.timeout : 0) |
    (set.dynamic ? SET_FLAG.evaluated : 0) |
    (set.keyType.length > 1 ? SET_FLAG.concatenation : 0)
  );
}

function descriptionOf(set: NftSet): Pick<SetMessage['attributes'], 'description'> {
  const concatenation = set.keyType.map((type) => ({ length: DATA_TYPES[type].bytes }));
  if (set.size === undefined && concatenation.length < 2) return {};
  return {
    description: {
      ...(set.size !== undefined && { size: set.size }),
      ...(concatenation.length > 1 && { concatenation }),
    },
  };
}

function userDataOf(set: NftSet): UserDatum[] {
  const items: UserDatum[] = [
    { type: SET_KEY_BYTE_ORDER, bytes: byteOrder(set.keyType, set.interval === true) },
  ];
  if (Array.isArray(set.dataType))
    items.push({ type: SET_DATA_BYTE_ORDER, bytes: byteOrder(set.dataType, false) });
  if (set.comment !== undefined) items.push(commentDatum(SET_COMMENT, set.comment));
  return items;
}

/** What nft must know to show the values: it takes names of links, too, for numbers in host order. */
function byteOrder(types: readonly NftDataType[], sortable: boolean): Uint8Array {
  const [type] = types;
  const host =
    types.length === 1 &&
    type !== undefined &&
    !sortable &&
    (DATA_TYPES[type].order === 'host' || type === 'ifname');
  return Uint8Array.of(host ? HOST_ENDIAN : BIG_ENDIAN, 0, 0, 0);
}

function typesId(types: readonly NftDataType[]): number {
  if (types.length === 0 || types.length > MAX_FIELDS)
    throw new RangeError(`a key has 1 to ${MAX_FIELDS} fields, not ${types.length}`);
  return types.reduce((id, type) => id * (1 << TYPE_BITS) + DATA_TYPES[type].id, 0);
}

function typesOfId(id: number): NftDataType[] {
  const types: NftDataType[] = [];
  for (let left = id; left > 0; left = Math.floor(left / (1 << TYPE_BITS)))
    types.unshift(dataTypeOfId(left % (1 << TYPE_BITS)));
  return types.length === 0 ? ['integer'] : types;
}

/** Bytes of a key: a single type's own, or whole registers for each field of a concatenation. */
function typesBytes(types: readonly NftDataType[]): number {
  const [first] = types;
  if (types.length === 1 && first !== undefined) return DATA_TYPES[first].bytes;
  return types.reduce((sum, type) => sum + paddedBytes(type), 0);
}

function joinValues(
  set: NftSet,
  types: readonly NftDataType[],
  values: readonly NftValue[],
  sortable: boolean,
): Uint8Array {
  const [type] = types;
  const [value] = values;
  if (values.length !== types.length)
    throw new RangeError(`set ${set.table} ${set.name}: ${values.length} values for ${types.length} fields`);
  if (types.length === 1 && type !== undefined && value !== undefined)
    return valueBytes(type, value, sortable);
  const out = new Uint8Array(typesBytes(types));
  let at = 0;
  for (const [index, each] of types.entries()) {
    out.set(valueBytes(each, values[index] as NftValue, sortable), at);
    at += paddedBytes(each);
  }
  return out;
}

function splitValues(types: readonly NftDataType[], bytes: Uint8Array, sortable: boolean): NftValue[] {
  const [type] = types;
  if (types.length === 1 && type !== undefined) return [bytesValue(type, bytes, sortable)];
  let at = 0;
  return types.map((each) => {
    const value = bytesValue(each, bytes.subarray(at, at + DATA_TYPES[each].bytes), sortable);
    at += paddedBytes(each);
    return value;
  });
}
