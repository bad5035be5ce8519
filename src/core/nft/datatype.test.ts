import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesValue,
  canonicalValue,
  DATA_TYPES,
  dataTypeOfId,
  type NftDataType,
  valueBytes,
} from './datatype.ts';

const TYPES = Object.keys(DATA_TYPES) as NftDataType[];

describe.each(TYPES)('%s', (type) => {
  test.each([false, true])('any bytes are a value that has these bytes (sortable: %s)', (sortable) => {
    fc.assert(
      fc.property(bytesOf(type), (bytes) => {
        expect(valueBytes(type, bytesValue(type, bytes, sortable), sortable)).toEqual(bytes);
      }),
    );
  });

  test('is found by its number', () => {
    // nft knows one type for integers of any size.
    expect(dataTypeOfId(DATA_TYPES[type].id)).toBe(type === 'byte' ? 'integer' : type);
  });

  test('values in sortable form sort as their numbers do', () => {
    if (DATA_TYPES[type].form !== 'number') return;
    const max = 256 ** DATA_TYPES[type].bytes - 1;
    fc.assert(
      fc.property(fc.integer({ min: 0, max }), fc.integer({ min: 0, max }), (a, b) => {
        const [left, right] = [a, b].map((n) => String.fromCharCode(...valueBytes(type, n, true)));
        expect((left as string) < (right as string)).toBe(a < b);
      }),
    );
  });
});

/** Bytes a value of the type may have; names are text with zeros behind. */
function bytesOf(type: NftDataType): fc.Arbitrary<Uint8Array> {
  const { bytes, form } = DATA_TYPES[type];
  if (form !== 'name') return fc.uint8Array({ minLength: bytes, maxLength: bytes });
  return fc.stringMatching(/^[a-z0-9._-]{0,15}$/).map((name) => {
    const padded = new Uint8Array(bytes);
    padded.set(new TextEncoder().encode(name));
    return padded;
  });
}

test.each<[NftDataType, string | number, string | number]>([
  ['inet_proto', 6, 'tcp'],
  ['inet_proto', 99, 99],
  ['ct_state', 6, 'established,related'],
  ['ct_state', 'related,established', 'established,related'],
  ['ct_state', 6 + 128, 134],
  ['ipv6_addr', 'FD00:0:0::1', 'fd00::1'],
  ['ether_addr', '00-11-22-AA-BB-CC', '00:11:22:aa:bb:cc'],
  ['ether_type', 0x0800, 'ip'],
  ['icmpv6_type', 135, 'nd-neighbor-solicit'],
])('the canonical form of %s %j is %j', (type, value, canonical) => {
  expect(canonicalValue(type, value)).toBe(canonical);
});

test.each<[NftDataType, string | number]>([
  ['ipv4_addr', 'fd00::1'],
  ['ipv4_addr', 7],
  ['ipv6_addr', '10.0.0.1'],
  ['ether_addr', '00:11'],
  ['inet_service', 65_536],
  ['inet_service', -1],
  ['inet_service', 1.5],
  ['inet_service', 'http'],
  ['inet_proto', 'nonsense'],
  ['ct_state', 'new,old'],
  ['ifname', 'a234567890123456'],
  ['mark', 2 ** 32],
])('%s %j is refused with its type and value', (type, value) => {
  expect(() => valueBytes(type, value)).toThrow(RangeError);
  expect(() => valueBytes(type, value)).toThrow(String(value));
});
