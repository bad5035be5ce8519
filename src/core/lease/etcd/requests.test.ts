import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bigIntToIp, networkOf } from '#base/ip/index.ts';
import { etcdLayout, pairsOverlap, type SubnetPair, subnetKey } from './layout.ts';
import { rivalRanges, writeTxn } from './requests.ts';

const layout = etcdLayout();

/** True if a new key for `mine` is compared with that of `theirs`. */
function isCompared(mine: SubnetPair, theirs: SubnetPair): boolean {
  const name = subnetKey(layout, theirs);
  return rivalRanges(layout, mine).some(({ key, end }) => name >= key && name < end);
}

const v4 = fc
  .tuple(fc.bigInt(0x0a050000n, 0x0a05ffffn), fc.integer({ min: 9, max: 30 }))
  .map(([value, length]) => networkOf(`${bigIntToIp(value, 4)}/${length}`));
const v6 = fc
  .tuple(fc.bigInt(0n, 15n), fc.integer({ min: 48, max: 66 }))
  .map(([value, length]) => networkOf(`${bigIntToIp((0xfd05n << 112n) | (value << 62n), 6)}/${length}`));
const pair: fc.Arbitrary<SubnetPair> = fc.oneof(
  v4.map((ipv4) => ({ ipv4 })),
  v6.map((ipv6) => ({ ipv6 })),
  fc.tuple(v4, v6).map(([ipv4, ipv6]) => ({ ipv4, ipv6 })),
);

describe('a new key', () => {
  it('is compared with every key that may overlap it', () => {
    let overlaps = 0;
    const check = (mine: SubnetPair, theirs: SubnetPair) => {
      if (!pairsOverlap(mine, theirs)) return;
      overlaps++;
      expect(isCompared(mine, theirs)).toBe(true);
    };
    fc.assert(fc.property(pair, pair, check), { numRuns: 3000 });
    expect(overlaps).toBeGreaterThan(100);
  });

  it('of IPv4 alone is not compared with its neighbours, and fits a transaction', () => {
    const mine = { ipv4: '10.5.52.0/24' };
    expect(isCompared(mine, { ipv4: '10.5.53.0/24', ipv6: 'fd00::/64' })).toBe(false);
    expect(isCompared(mine, { ipv4: '10.5.5.0/24' })).toBe(false);
    expect(rivalRanges(layout, { ipv4: '10.5.52.0/30' }).length).toBeLessThan(64);
    expect(rivalRanges(layout, { ipv4: '10.0.0.0/8' }).at(0)).toEqual({
      key: '/coreos.com/network/subnets/10.',
      end: '/coreos.com/network/subnets/10/',
    });
    expect(rivalRanges(layout, { ipv4: '64.0.0.0/7' })).toEqual([layout.subnets]);
  });

  it('or one written again touches nothing that has changed since it was read', () => {
    const kv = { key: 'k', value: 'v', createRevision: 3, modRevision: 7, lease: '1' };
    const plan = { key: 'k', value: 'w', subnets: { ipv4: '10.5.52.0/24' }, reserved: false };
    const again = writeTxn(
      layout,
      { ...plan, before: kv, deletes: [{ ...kv, key: 'old' }] },
      { revision: 9 },
      '5',
    );
    expect(again).toEqual({
      compare: [
        { key: 'k', target: 'mod', is: 'equal', revision: 7 },
        { key: 'old', target: 'mod', is: 'equal', revision: 7 },
      ],
      success: [
        { type: 'delete', key: 'old' },
        { type: 'put', key: 'k', value: 'w', lease: '5' },
      ],
      failure: [],
    });
    const made = writeTxn(layout, { ...plan, before: undefined, deletes: [] }, { revision: 9 }, '5');
    for (const compare of made.compare)
      expect(compare).toMatchObject({ target: 'create', is: 'less', revision: 10 });
    expect(made.failure).toMatchObject([{ type: 'range', minCreateRevision: 10 }]);
  });
});
