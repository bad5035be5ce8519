/**
 * Elements of sets in canonical form, and the arithmetic of their ranges. A range is kept as its first and last key; where
 * it is one key the end is left out, so that every element has one form.
 */
import { firstIp, lastIp, networkOf } from '#base/ip/index.ts';
import { canonicalValue, DATA_TYPES, type NftDataType, type NftValue } from './datatype.ts';
import type { NftVerdict } from './expression.ts';
import type { NftElement, NftSet } from './objects.ts';

export interface ElementOptions {
  readonly data?: readonly NftValue[] | NftVerdict;
  readonly timeoutMs?: number;
  readonly comment?: string;
}

/** A key field: a value, a prefix (`10.0.0.0/8`), or a range as two values, both included. */
export type KeyPart = NftValue | readonly [from: NftValue, to: NftValue];

/**
 * The element of a set with the given key, one part for each field of its type. Values take any spelling their type knows and
 * come out canonical. Throws RangeError for values that are not of the type and for ranges in a set without `interval`.
 */
export function element(
  set: Pick<NftSet, 'family' | 'table' | 'name' | 'keyType' | 'dataType' | 'interval'>,
  key: readonly KeyPart[],
  options: ElementOptions = {},
): NftElement {
  const where = `set ${set.table} ${set.name}`;
  if (key.length !== set.keyType.length)
    throw new RangeError(`${where} has keys of ${set.keyType.length} fields, not ${key.length}`);
  const bounds = key.map((part, index) => boundsOf(set.keyType[index] as NftDataType, part));
  const from = bounds.map((bound) => bound[0]);
  const to = bounds.map((bound) => bound[1]);
  const isRange = from.some((value, index) => value !== to[index]);
  if (isRange && !set.interval) throw new RangeError(`${where} holds no ranges: "${key.join(' . ')}"`);
  return {
    kind: 'nft-element',
    family: set.family,
    table: set.table,
    set: set.name,
    key: from,
    ...(isRange && { keyEnd: to }),
    ...(options.data !== undefined && { data: canonicalData(set, options.data) }),
    ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
    ...(options.comment !== undefined && { comment: options.comment }),
  };
}

function boundsOf(type: NftDataType, part: KeyPart): readonly [NftValue, NftValue] {
  if (typeof part === 'object') return [canonicalValue(type, part[0]), canonicalValue(type, part[1])];
  if (DATA_TYPES[type].form === 'ip' && typeof part === 'string' && part.includes('/')) {
    const prefix = networkOf(part);
    return [canonicalValue(type, firstIp(prefix)), canonicalValue(type, lastIp(prefix))];
  }
  const value = canonicalValue(type, part);
  return [value, value];
}

function canonicalData(
  set: Pick<NftSet, 'name' | 'dataType'>,
  data: readonly NftValue[] | NftVerdict,
): readonly NftValue[] | NftVerdict {
  const types = set.dataType;
  if ('verdict' in data) {
    if (types === 'verdict') return data;
  } else if (Array.isArray(types) && types.length === data.length) {
    return data.map((value, index) => canonicalValue(types[index] as NftDataType, value));
  }
  throw new RangeError(`set ${set.name} cannot hold the data ${JSON.stringify(data)}`);
}

/** The length of the prefix a range of keys is, in bits; undefined if it is none. Both have the same number of bytes. */
export function prefixLength(from: Uint8Array, to: Uint8Array): number | undefined {
  const bits = from.length * 8;
  let length = 0;
  while (length < bits && bitAt(from, length) === bitAt(to, length)) length++;
  for (let i = length; i < bits; i++) if (bitAt(from, i) !== 0 || bitAt(to, i) !== 1) return undefined;
  return length;
}

function bitAt(bytes: Uint8Array, index: number): number {
  return ((bytes[index >> 3] as number) >> (7 - (index & 7))) & 1;
}
