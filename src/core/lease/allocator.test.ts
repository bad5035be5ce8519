import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type IpPrefix, prefixesOverlap, subPrefix } from '#base/ip/index.ts';
import {
  chooseSubnet,
  isOutOfSubnets,
  OutOfSubnetsError,
  type SubnetQuery,
  subnetCount,
  TakenSubnets,
  validateSubnet,
} from './allocator.ts';
import type { NetConfFamily } from './net-conf.ts';

const POOL: NetConfFamily = {
  network: '10.1.0.0/16',
  subnetLen: 24,
  subnetMin: '10.1.1.0',
  subnetMax: '10.1.255.0',
};
const POOL6: NetConfFamily = {
  network: 'fd00::/48',
  subnetLen: 64,
  subnetMin: 'fd00:0:0:1::',
  subnetMax: 'fd00:0:0:ffff::',
};
const TINY: NetConfFamily = {
  network: '10.0.0.0/28',
  subnetLen: 30,
  subnetMin: '10.0.0.4',
  subnetMax: '10.0.0.12',
};

const choose = (query: Partial<SubnetQuery>) =>
  chooseSubnet({ network: POOL, taken: [], random: () => 0, ...query });

describe('chooseSubnet', () => {
  const cases: readonly [string, Partial<SubnetQuery>, string, string][] = [
    ['the lowest subnet of an empty network', {}, '10.1.1.0/24', 'lowest'],
    ['the lowest IPv6 subnet of an empty network', { network: POOL6 }, 'fd00:0:0:1::/64', 'lowest'],
    ['the first gap', { taken: ['10.1.3.0/24', '10.1.1.0/24'] }, '10.1.2.0/24', 'lowest'],
    ["this node's own lease", { own: '10.1.7.0/24', previous: '10.1.5.0/24' }, '10.1.7.0/24', 'own'],
    ['the previous subnet', { previous: '10.1.5.0/24' }, '10.1.5.0/24', 'previous'],
    [
      'another where the previous is taken',
      { previous: '10.1.5.0/24', taken: ['10.1.5.0/24'] },
      '10.1.1.0/24',
      'lowest',
    ],
    ['another where the previous has another length', { previous: '10.1.5.0/25' }, '10.1.1.0/24', 'lowest'],
    [
      'another where the previous is outside the network',
      { previous: '10.2.5.0/24' },
      '10.1.1.0/24',
      'lowest',
    ],
    [
      'another where the previous lies before SubnetMin',
      { previous: '10.1.0.0/24' },
      '10.1.1.0/24',
      'lowest',
    ],
    [
      'another where the previous lies after SubnetMax',
      { network: { ...POOL, subnetMax: '10.1.4.0' }, previous: '10.1.5.0/24' },
      '10.1.1.0/24',
      'lowest',
    ],
    [
      'another where the previous is of the other family',
      { previous: 'fd00:0:0:1::/64' },
      '10.1.1.0/24',
      'lowest',
    ],
    ['another where the own lease no longer fits', { own: '10.1.7.0/25' }, '10.1.1.0/24', 'lowest'],
    ['around a taken prefix that is larger', { taken: ['10.1.0.0/22'] }, '10.1.4.0/24', 'lowest'],
    ['around a taken prefix that is smaller', { taken: ['10.1.1.128/25'] }, '10.1.2.0/24', 'lowest'],
    [
      'around taken prefixes that overlap each other',
      { taken: ['10.1.2.0/24', '10.1.0.0/23', '10.1.2.64/26'] },
      '10.1.3.0/24',
      'lowest',
    ],
    ['regardless of leases of the other family', { taken: ['fd00::/16'] }, '10.1.1.0/24', 'lowest'],
    [
      'regardless of leases outside the range',
      { taken: ['10.1.0.0/24', '10.2.0.0/16', '9.0.0.0/8'] },
      '10.1.1.0/24',
      'lowest',
    ],
    ['around reservations', { reserved: ['10.1.1.0/24', '10.1.2.0/24'] }, '10.1.3.0/24', 'lowest'],
    [
      'not the previous one that is reserved',
      { reserved: ['10.1.5.0/24'], previous: '10.1.5.0/24' },
      '10.1.1.0/24',
      'lowest',
    ],
    ['the first of a hundred after a lost race', { attempt: 1, random: () => 0 }, '10.1.1.0/24', 'random'],
    [
      'the hundredth of a hundred after a lost race',
      { attempt: 1, random: () => 0.9999 },
      '10.1.100.0/24',
      'random',
    ],
    [
      'still within bounds for a random number of 1',
      { attempt: 1, random: () => 1 },
      '10.1.100.0/24',
      'random',
    ],
    ['the last subnet', { network: TINY, taken: ['10.0.0.4/30', '10.0.0.8/30'] }, '10.0.0.12/30', 'lowest'],
    [
      'the last subnet of the address space',
      {
        network: {
          network: '255.255.255.240/28',
          subnetLen: 30,
          subnetMin: '255.255.255.244',
          subnetMax: '255.255.255.252',
        },
        taken: ['255.255.255.244/30', '255.255.255.248/30'],
      },
      '255.255.255.252/30',
      'lowest',
    ],
    [
      'the last IPv6 subnet of the address space',
      {
        network: {
          network: 'ffff:ffff:ffff:ffff::/64',
          subnetLen: 66,
          subnetMin: 'ffff:ffff:ffff:ffff:c000::',
          subnetMax: 'ffff:ffff:ffff:ffff:c000::',
        },
      },
      'ffff:ffff:ffff:ffff:c000::/66',
      'lowest',
    ],
  ];
  test.each(cases)('gives %s', (_, query, subnet, reason) => {
    expect(choose(query)).toEqual({ subnet, reason });
  });

  test('says so when the network is full, naming network and range', () => {
    const attempt = () => choose({ network: TINY, taken: ['10.0.0.0/28'] });
    expect(attempt).toThrow(OutOfSubnetsError);
    expect(attempt).toThrow(
      'out of subnets: all 3 subnets of /30 in 10.0.0.0/28 from 10.0.0.4 to 10.0.0.12 are taken; free one, or widen the range',
    );
    try {
      attempt();
    } catch (error) {
      expect(isOutOfSubnets(error) && error.network).toEqual(TINY);
    }
    expect(isOutOfSubnets(new Error('x'))).toBe(false);
  });

  test('gives every subnet exactly once, then none', () => {
    const given: IpPrefix[] = [];
    for (let count = subnetCount(POOL); count > 0n; count--) given.push(choose({ taken: given }).subnet);
    expect(new Set(given).size).toBe(255);
    expect(given.at(-1)).toBe('10.1.255.0/24');
    expect(() => choose({ taken: given })).toThrow('out of subnets');
  });

  test('spreads lost races evenly over the first hundred', () => {
    const counts = new Map<string, number>();
    for (let step = 0; step < 1000; step++) {
      const { subnet } = choose({ attempt: 1, random: () => (step + 0.5) / 1000 });
      counts.set(subnet, (counts.get(subnet) ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual(Array.from({ length: 100 }, () => 10));
  });

  test('chooses among 20000 taken subnets in a 2^48 pool without walking it', () => {
    const network = {
      network: 'fd00::/16',
      subnetLen: 64,
      subnetMin: 'fd00:0:0:1::',
      subnetMax: 'fd00:ffff:ffff:ffff::',
    };
    const taken = Array.from({ length: 20_000 }, (_, index) => subPrefix('fd00::/16', 64, index * 2 + 1));
    expect(choose({ network, taken }).subnet).toBe('fd00:0:0:2::/64');
    expect(choose({ network, taken: [...taken, 'fd00::/17'] }).subnet).toBe('fd00:8000::/64');
  });

  test('agrees with a plain search, and never gives what overlaps', () => {
    const prefix = fc
      .tuple(fc.integer({ min: 24, max: 32 }), fc.nat({ max: 255 }))
      .map(([length, host]) => subPrefix('10.0.0.0/24', length, BigInt(host) >> BigInt(32 - length)));
    const pool: NetConfFamily = {
      network: '10.0.0.0/24',
      subnetLen: 28,
      subnetMin: '10.0.0.16',
      subnetMax: '10.0.0.224',
    };
    const all = Array.from({ length: 14 }, (_, index) => subPrefix('10.0.0.0/24', 28, index + 1));
    fc.assert(
      fc.property(
        fc.array(prefix, { maxLength: 12 }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (taken, number) => {
          const free = all.filter((subnet) => !taken.some((other) => prefixesOverlap(other, subnet)));
          expect(new TakenSubnets(pool, taken).firstFree(100)).toEqual(free);
          expect(all.filter((subnet) => new TakenSubnets(pool, taken).isFree(subnet))).toEqual(free);
          if (free.length === 0) return;
          expect(choose({ network: pool, taken }).subnet).toBe(free[0]);
          expect(choose({ network: pool, taken, attempt: 3, random: () => number }).subnet).toBe(
            free[Math.floor(number * free.length)],
          );
        },
      ),
    );
  });
});

describe('validateSubnet', () => {
  const cases: readonly [string, IpPrefix, string | undefined][] = [
    ['the first', '10.1.1.0/24', undefined],
    ['the last', '10.1.255.0/24', undefined],
    ['one before the first', '10.1.0.0/24', '10.1.0.0/24 is below the first subnet 10.1.1.0'],
    ['one outside', '10.2.0.0/24', '10.2.0.0/24 is outside the network 10.1.0.0/16'],
    ['a longer one', '10.1.1.0/25', '10.1.1.0/25 is a /25, the network gives out /24'],
    ['a shorter one', '10.1.2.0/23', '10.1.2.0/23 is a /23, the network gives out /24'],
    ['one with host bits', '10.1.2.1/24', '10.1.2.1/24 has host bits set: the subnet would be 10.1.2.0/24'],
    ['one of the other family', 'fd00::/64', 'fd00::/64 is IPv6, the network 10.1.0.0/16 is not'],
  ];
  test.each(cases)('judges %s', (_, subnet, reason) => {
    expect(validateSubnet(POOL, subnet)).toBe(reason);
  });
  test('judges one after the last', () => {
    expect(validateSubnet({ ...POOL, subnetMax: '10.1.4.0' }, '10.1.5.0/24')).toBe(
      '10.1.5.0/24 is above the last subnet 10.1.4.0',
    );
    expect(validateSubnet(POOL6, 'fd00:0:0:ffff::/64')).toBeUndefined();
  });
});
