import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { element, prefixLength } from './element.ts';
import { elementKeyText, type NftSet } from './objects.ts';

const base = { kind: 'nft-set', family: 'inet', table: 't', name: 's' } as const;
const nets: NftSet = { ...base, keyType: ['ipv4_addr'], interval: true };
const endpoints: NftSet = { ...base, keyType: ['ipv4_addr', 'inet_proto', 'inet_service'], interval: true };

describe('an element', () => {
  test('of a prefix has its first and its last address', () => {
    expect(element(nets, ['10.1.2.3/8'])).toEqual({
      kind: 'nft-element',
      family: 'inet',
      table: 't',
      set: 's',
      key: ['10.0.0.0'],
      keyEnd: ['10.255.255.255'],
    });
  });

  test('of one address has no end, whatever the spelling', () => {
    for (const part of ['10.0.0.1', '10.0.0.1/32', ['10.0.0.1', '10.0.0.1']] as const)
      expect(element(nets, [part])).not.toHaveProperty('keyEnd');
  });

  test('of a concatenation has a range in each field', () => {
    const { key, keyEnd } = element(endpoints, ['10.0.0.0/24', 6, [80, 90]]);
    expect({ key, keyEnd }).toEqual({ key: ['10.0.0.0', 'tcp', 80], keyEnd: ['10.0.0.255', 'tcp', 90] });
  });

  test('is known by its first key', () => {
    expect(elementKeyText(element(endpoints, ['10.0.0.0/24', 'tcp', [80, 90]]))).toBe('10.0.0.0 . tcp . 80');
  });

  test('comes out the same however its values are spelled', () => {
    const map: NftSet = { ...base, keyType: ['ipv6_addr'], dataType: ['inet_proto', 'ipv6_addr'] };
    expect(element(map, ['FD00:0::1'], { data: [6, 'FE80::0:1'] })).toEqual(
      element(map, ['fd00::1'], { data: ['tcp', 'fe80::1'] }),
    );
  });

  test.each<[string, () => unknown, string]>([
    ['with too few fields', () => element(endpoints, ['10.0.0.1']), 'keys of 3 fields, not 1'],
    ['with a range', () => element({ ...nets, interval: false }, ['10.0.0.0/8']), 'holds no ranges'],
    ['with data in a set', () => element(nets, ['10.0.0.1'], { data: [1] }), 'cannot hold the data [1]'],
    [
      'with a verdict in a map of marks',
      () => element({ ...nets, dataType: ['mark'] }, ['10.0.0.1'], { data: { verdict: 'drop' } }),
      'cannot hold the data',
    ],
    ['of another type', () => element(nets, ['fd00::1']), 'not a value of type ipv4_addr'],
  ])('%s is refused', (_name, make, message) => {
    expect(make).toThrow(message);
  });
});

test('a range is a prefix exactly if it has the first and the last address of one', () => {
  const range = fc
    .tuple(fc.nat(0xffff), fc.nat(0xffff))
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  const bytes = (n: number) => Uint8Array.of(n >> 8, n & 255);
  fc.assert(
    fc.property(range, fc.nat(16), ([from, to], length) => {
      const size = 2 ** (16 - length);
      const start = from - (from % size);
      expect(prefixLength(bytes(start), bytes(start + size - 1))).toBe(length);
      const count = to - from + 1;
      const isPrefix = (count & (count - 1)) === 0 && from % count === 0;
      expect(prefixLength(bytes(from), bytes(to)) !== undefined).toBe(isPrefix);
    }),
  );
});
