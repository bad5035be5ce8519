import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex } from '#base/bytes.ts';
import { formatIp, networkOf } from '#base/ip/index.ts';
import { isDecodeError } from '#core/codec/index.ts';
import { runs } from '#testing/soak.ts';
import type { Nlri, RouteFamily } from '../model.ts';
import { MAX_NLRI_BYTES, putNlri, readNlri } from './nlri.ts';

const bytesOf = (text: string) => fromHex(text.replaceAll(/\s/g, ''));
const read = (text: string, family: RouteFamily, hasPathIds = false) => {
  const bytes = bytesOf(text);
  return readNlri(bytes, 0, bytes.length, family, hasPathIds);
};

function write(nlri: readonly Nlri[], family: RouteFamily, hasPathIds: boolean): Uint8Array {
  const bytes = new Uint8Array(nlri.length * MAX_NLRI_BYTES + 16);
  let at = 0;
  for (const each of nlri) at = putNlri(bytes, at, each, family, hasPathIds);
  return bytes.slice(0, at);
}

/** Addresses with many zero groups, which is where texts of IPv6 differ. */
const octets = (family: RouteFamily) => {
  const size = family === 4 ? 4 : 16;
  return fc.array(fc.constantFrom(0, 0, 0, 1, 0xfd, 0xff), { minLength: size, maxLength: size });
};
const prefixOf = (family: RouteFamily) =>
  fc
    .tuple(octets(family), fc.integer({ min: 0, max: family === 4 ? 32 : 128 }))
    .map(([bytes, length]) => networkOf(`${formatIp(Uint8Array.from(bytes))}/${length}`));

describe.each([4, 6] as const)('prefixes of IPv%i', (family) => {
  test('are the same, written and read again, with numbers of paths and without', () => {
    const pathId = fc.integer({ min: 0, max: 0xffff_ffff });
    const nlri = fc.array(fc.record({ prefix: prefixOf(family), pathId }, { noNullPrototype: true }));
    fc.assert(
      fc.property(nlri, (each) => {
        const bytes = write(each, family, true);
        expect(readNlri(bytes, 0, bytes.length, family, true)).toEqual(each);
        const bare = each.map(({ prefix }) => ({ prefix }));
        const shorter = write(bare, family, false);
        expect(readNlri(shorter, 0, shorter.length, family, false)).toEqual(bare);
      }),
      runs(300, 20_000),
    );
  });

  test('of any bytes are canonical, or a DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, hasPathIds) => {
        let found: Nlri[];
        try {
          found = readNlri(bytes, 0, bytes.length, family, hasPathIds);
        } catch (error) {
          if (!isDecodeError(error)) throw error;
          return;
        }
        for (const { prefix } of found) expect(networkOf(prefix)).toBe(prefix);
      }),
      runs(1000, 100_000),
    );
  });
});

describe('a prefix', () => {
  test.each<[string, RouteFamily, string]>([
    ['00', 4, '0.0.0.0/0'],
    ['08 0a', 4, '10.0.0.0/8'],
    ['0d 0aff', 4, '10.248.0.0/13'],
    ['18 c00002', 4, '192.0.2.0/24'],
    ['20 c0000201', 4, '192.0.2.1/32'],
    ['19 c00002ff', 4, '192.0.2.128/25'],
    ['00', 6, '::/0'],
    ['30 20010db80001', 6, '2001:db8:1::/48'],
    ['40 00000000000000ff', 6, '0:0:0:ff::/64'],
    ['80 fd000000000000000000000000000001', 6, 'fd00::1/128'],
    ['2c fd00000000ff', 6, 'fd00:0:f0::/44'],
  ])('%s is read in its canonical form', (text, family, prefix) => {
    expect(read(text, family)).toEqual([{ prefix }]);
  });

  test.each<[string, RouteFamily, boolean, string]>([
    ['21 0a000000 00', 4, false, 'a prefix of 33 bits'],
    ['81 ' + '00'.repeat(17), 6, false, 'a prefix of 129 bits'],
    ['18 0a00', 4, false, '2 bytes where 3 of a prefix are due'],
    ['00000001', 4, true, "4 bytes where a path's number is due"],
  ])('%s is refused', (text, family, hasPathIds, reason) => {
    expect(() => read(text, family, hasPathIds)).toThrow(reason);
  });

  test.each([
    ['fd00::/16', 4],
    ['10.0.0.0', 4],
    ['10.0.0.0/33', 4],
    ['10.0.0.0/16', 6],
    ['fd00::/129', 6],
    ['', 6],
  ] as const)('%j is no prefix of IPv%i', (prefix, family) => {
    expect(() => write([{ prefix }], family, false)).toThrow(`not an IPv${family} prefix: "${prefix}"`);
  });
});
