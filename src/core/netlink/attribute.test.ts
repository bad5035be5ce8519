import { describe, expect, test } from 'vitest';
import {
  type Codec,
  decodeAll,
  encodeAll,
  flag,
  isDecodeError,
  text,
  u8,
  u16,
  u32,
} from '#core/codec/index.ts';
import {
  attribute,
  attributeList,
  attributes,
  dependentNest,
  MAX_ATTRIBUTE_BYTES,
  nest,
  repeatedAttribute,
} from './index.ts';

const table = attributes({
  size: attribute(1, u32),
  name: attribute(2, text),
  on: attribute(3, flag),
  inner: nest(4, attributes({ byte: attribute(1, u8) })),
  many: repeatedAttribute(6, u16),
  items: nest(5, attributeList(1, attributes({ short: attribute(7, u16) }))),
});

const cases: readonly [string, Parameters<typeof encodeAll<unknown>>[1], number[]][] = [
  ['nothing', {}, []],
  ['a number', { size: 258 }, [8, 0, 1, 0, 2, 1, 0, 0]],
  ['text, padded to four bytes', { name: 'ab' }, [7, 0, 2, 0, 0x61, 0x62, 0, 0]],
  ['a flag, which is a header alone', { on: true }, [4, 0, 3, 0]],
  ['a nest, flagged as such', { inner: { byte: 7 } }, [12, 0, 4, 0x80, 5, 0, 1, 0, 7, 0, 0, 0]],
  [
    'a list of nests of one type',
    { items: [{ short: 1 }, {}] },
    [20, 0, 5, 0x80, 12, 0, 1, 0x80, 6, 0, 7, 0, 1, 0, 0, 0, 4, 0, 1, 0x80],
  ],
  ['one that comes twice', { many: [7, 8] }, [6, 0, 6, 0, 7, 0, 0, 0, 6, 0, 6, 0, 8, 0, 0, 0]],
  [
    'attributes nobody declared, with their flags',
    { size: 1, unknown: [{ type: 0x4009, bytes: Uint8Array.of(5) }] },
    [8, 0, 1, 0, 1, 0, 0, 0, 5, 0, 9, 0x40, 5, 0, 0, 0],
  ],
];

describe('attributes on the wire', () => {
  test.each(cases)('%s', (_name, value, expected) => {
    expect(encodeAll(table as Codec<unknown>, value)).toEqual(Uint8Array.from(expected));
    expect(decodeAll(table, Uint8Array.from(expected))).toEqual(value);
  });

  test('the last attribute need not be padded', () => {
    expect(decodeAll(table, Uint8Array.of(6, 0, 2, 0, 0x61, 0))).toEqual({ name: 'a' });
  });

  test('of an attribute that comes twice the last one counts', () => {
    expect(decodeAll(table, Uint8Array.of(8, 0, 1, 0, 1, 0, 0, 0, 8, 0, 1, 0, 2, 0, 0, 0))).toEqual({
      size: 2,
    });
  });

  test('flags of a declared attribute are not looked at', () => {
    expect(decodeAll(table, Uint8Array.of(12, 0, 4, 0, 5, 0, 1, 0x40, 7, 0, 0, 0))).toEqual({
      inner: { byte: 7 },
    });
  });
});

const faults: readonly [string, number[], string][] = [
  ['a length shorter than the header', [3, 0, 1, 0], 'attribute length 3 is under 4 (byte 0)'],
  ['a length beyond the end', [9, 0, 1, 0, 0, 0], 'needs 5 bytes, has 2 (byte 4)'],
  ['half a header', [8, 0, 1], 'needs 2 bytes, has 1 (byte 2)'],
  ['a payload too short', [6, 0, 1, 0, 1, 2, 0, 0], 'size: needs 4 bytes, has 2 (byte 4)'],
  ['a payload too long', [5, 0, 3, 0, 1], 'on: 1 trailing bytes (byte 4)'],
  ['a fault within a nest', [8, 0, 4, 0x80, 3, 0, 1, 0], 'inner: attribute length 3 is under 4 (byte 4)'],
  [
    'a fault within a list',
    [12, 0, 5, 0, 8, 0, 1, 0, 9, 0, 7, 0],
    'items.[0]: needs 5 bytes, has 0 (byte 12)',
  ],
];

test.each(faults)('%s is refused', (_name, input, expected) => {
  let error: unknown;
  try {
    decodeAll(table, Uint8Array.from(input));
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toSatisfy(isDecodeError);
  expect((error as Error).message).toBe(expected);
});

describe('a nest whose content depends on a sibling', () => {
  const choice = attributes({
    kind: attribute(1, text),
    data: dependentNest(2, 'kind', { a: attributes({ one: attribute(1, u8) }) }),
  });
  const a = [6, 0, 1, 0, 0x61, 0, 0, 0];
  const one = [12, 0, 2, 0x80, 5, 0, 1, 0, 9, 0, 0, 0];

  test('is decoded by it, before or behind it', () => {
    const expected = { kind: 'a', data: { one: 9 } };
    expect(decodeAll(choice, Uint8Array.from([...a, ...one]))).toEqual(expected);
    expect(decodeAll(choice, Uint8Array.from([...one, ...a]))).toEqual(expected);
  });

  test('stays bytes beside a value nobody declared, or none', () => {
    const data = Uint8Array.from(one.slice(4));
    expect(decodeAll(choice, Uint8Array.from(one))).toEqual({ data });
    expect(decodeAll(choice, Uint8Array.of(6, 0, 1, 0, 0x62, 0, 0, 0, ...one))).toEqual({ kind: 'b', data });
    expect(encodeAll(choice, { kind: 'toString', data }).slice(-12)).toEqual(Uint8Array.from(one));
  });
});

test('an attribute longer than its length field can say is a RangeError', () => {
  const long = 'x'.repeat(MAX_ATTRIBUTE_BYTES - 5);
  expect(encodeAll(table, { name: long }).length).toBe(MAX_ATTRIBUTE_BYTES + 1);
  expect(() => encodeAll(table, { name: `${long}x` })).toThrow(RangeError);
});
