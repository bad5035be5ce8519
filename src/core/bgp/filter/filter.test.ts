import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { familyBits, familyOf, networkOf, prefixContains, prefixParts } from '#base/ip/index.ts';
import { runs } from '#testing/soak.ts';
import type { FilteredRoute, TableAttributes } from '../rib/index.ts';
import {
  compileFilter,
  explainFilter,
  type Filter,
  type FilterContext,
  type FilterOperation,
  formatCommunity,
  type PrefixMatch,
  parseCommunity,
  type RouteMatch,
  rejectsAll,
} from './index.ts';

const CONTEXT: FilterContext = { peerType: 'external', interfaceOf: () => 'eth0' };

function route(
  prefix: string,
  attributes: Partial<TableAttributes> = {},
  source: FilteredRoute['source'] = 'external',
): FilteredRoute {
  const all = {
    origin: 'igp',
    asPath: [{ type: 'sequence', asns: [65_001, 7, 8] }],
    nextHop: '10.0.0.1',
    ...attributes,
  } as const;
  return { family: familyOf(prefix), prefix, attributes: all, source };
}

/** Both ways of asking must agree. */
function run(filter: Filter, asked: FilteredRoute, context = CONTEXT): TableAttributes | undefined {
  const outcome = compileFilter(filter, context)(asked);
  const explanation = explainFilter(filter, asked, context);
  expect(explanation.attributes).toEqual(outcome);
  expect(explanation.verdict).toBe(outcome === undefined ? 'reject' : 'accept');
  if (rejectsAll(filter)) expect(outcome).toBeUndefined();
  return outcome;
}

const matching = (match: RouteMatch): Filter => ({
  rules: [{ origin: 'rule', match, action: 'accept' }],
  otherwise: 'reject',
});

test('a filter rejects all if nothing in it accepts', () => {
  const rule = (action: 'accept' | 'reject' | 'next') => ({ origin: 'rule', match: {}, action });
  expect(rejectsAll({ rules: [], otherwise: 'reject' })).toBe(true);
  expect(rejectsAll({ rules: [rule('next'), rule('reject')], otherwise: 'reject' })).toBe(true);
  expect(rejectsAll({ rules: [rule('reject'), rule('accept')], otherwise: 'reject' })).toBe(false);
  expect(rejectsAll({ rules: [rule('reject')], otherwise: 'accept' })).toBe(false);
});

describe('a rule matches by', () => {
  test.each<[string, RouteMatch, FilteredRoute, string | undefined]>([
    ['nothing', {}, route('10.1.0.0/16'), undefined],
    ['its prefix', { prefix: { operator: 'equal', prefix: '10.1.0.0/16' } }, route('10.1.0.0/16'), undefined],
    [
      'its prefix, and no longer one',
      { prefix: { operator: 'equal', prefix: '10.1.0.0/16' } },
      route('10.1.0.0/24'),
      'it is not 10.1.0.0/16',
    ],
    [
      'any prefix but one',
      { prefix: { operator: 'not-equal', prefix: '10.1.0.0/16' } },
      route('10.1.0.0/16'),
      'it is 10.1.0.0/16',
    ],
    [
      'a prefix it is in',
      { prefix: { operator: 'in', prefix: 'fd00::/16' } },
      route('fd00:1::/64'),
      undefined,
    ],
    [
      'a prefix it is not in',
      { prefix: { operator: 'not-in', prefix: 'fd00::/16' } },
      route('fd00:1::/64'),
      'it is within fd00::/16',
    ],
    [
      'a prefix of the other family',
      { prefix: { operator: 'not-in', prefix: 'fd00::/16' } },
      route('10.1.0.0/16'),
      undefined,
    ],
    [
      'lengths',
      { prefix: { operator: 'in', prefix: '10.0.0.0/8', minLength: 16, maxLength: 24 } },
      route('10.1.2.128/25'),
      'it is not within 10.0.0.0/8 with a length from 16 to 24',
    ],
    [
      'one prefix of a list',
      {
        prefixes: [
          { operator: 'equal', prefix: '10.9.0.0/16' },
          { operator: 'in', prefix: '10.0.0.0/8' },
        ],
      },
      route('10.1.0.0/16'),
      undefined,
    ],
    ['none of a list', { prefixes: [] }, route('10.1.0.0/16'), 'its prefix is none of the list'],
    ['where it is from', { source: 'remote' }, route('10.1.0.0/16', {}, 'local'), 'it is not remote'],
    ['that it is our own', { source: 'local' }, route('10.1.0.0/16', {}, 'local'), undefined],
    ['the kind of peer', { peerType: 'internal' }, route('10.1.0.0/16'), 'the peer is not internal'],
    ['the link', { interface: 'eth*' }, route('10.1.0.0/16'), undefined],
    ['another link', { interface: 'eth?.1' }, route('10.1.0.0/16'), 'it leaves by eth0, not eth?.1'],
    ['a community', { communities: [5] }, route('10.1.0.0/16', { communities: [4, 5] }), undefined],
    [
      'a community it has not',
      { communities: [0xffff_ff01] },
      route('10.1.0.0/16', { communities: [4, 5] }),
      'it has no community NO_EXPORT',
    ],
    [
      'a large community',
      { communities: [[1, 2, 3]] },
      route('10.1.0.0/16', { largeCommunities: [[1, 2, 3]] }),
      undefined,
    ],
    [
      'a large community it has not',
      { communities: [[1, 2, 3]] },
      route('10.1.0.0/16'),
      'it has no community 1:2:3',
    ],
    ['the beginning of the path', { asPathPrefix: [65_001, 7] }, route('10.1.0.0/16'), undefined],
    ['another beginning', { asPathPrefix: [7] }, route('10.1.0.0/16'), 'its path does not begin with 7'],
    [
      'a beginning longer than the path',
      { asPathPrefix: [65_001, 7, 8, 9] },
      route('10.1.0.0/16'),
      'its path does not begin with 65001 7 8 9',
    ],
    ['an AS on the way', { asPathContains: [7] }, route('10.1.0.0/16'), undefined],
    ['an AS not on the way', { asPathContains: [7, 9] }, route('10.1.0.0/16'), 'AS 9 is not in its path'],
    ['the AS it is from', { originAsn: 8 }, route('10.1.0.0/16'), undefined],
    ['another AS', { originAsn: 7 }, route('10.1.0.0/16'), 'it is not from AS 7'],
    ['the length of the path', { asPathLength: { max: 2 } }, route('10.1.0.0/16'), 'its path has 3 ASes'],
    ['the priority', { priority: 512 }, route('10.1.0.0/16', { priority: 512 }), undefined],
    ['another priority', { priority: 512 }, route('10.1.0.0/16'), 'its priority is not 512'],
  ])('%s', (_name, match, asked, mismatch) => {
    const filter = matching(match);
    expect(run(filter, asked) === undefined).toBe(mismatch !== undefined);
    expect(explainFilter(filter, asked, CONTEXT).steps[0]?.mismatch).toBe(mismatch);
  });

  test('no link if nobody knows it', () => {
    const explanation = explainFilter(matching({ interface: '*' }), route('10.1.0.0/16'), {
      peerType: 'external',
    });
    expect(explanation.steps[0]?.mismatch).toBe('nobody knows whether it leaves by *');
  });

  it('prefixes as the arithmetic of prefixes says', () => {
    const prefix = fc
      .tuple(fc.constantFrom('10.255.128.0', '10.255.0.0', '11.0.0.0', 'fd00:ff80::', 'fd00::'), fc.nat(128))
      .map(([address, length]) => networkOf(`${address}/${length % (familyBits(familyOf(address)) + 1)}`));
    fc.assert(
      fc.property(prefix, prefix, fc.nat(32), fc.nat(32), (wide, narrow, min, max) => {
        const isIn = (match: PrefixMatch): boolean =>
          run(matching({ prefix: match }), route(narrow)) !== undefined;
        const { length } = prefixParts(narrow);
        const within = prefixContains(wide, narrow);
        expect(isIn({ operator: 'in', prefix: wide })).toBe(within);
        expect(isIn({ operator: 'not-in', prefix: wide })).toBe(!within);
        expect(isIn({ operator: 'equal', prefix: wide })).toBe(wide === narrow);
        expect(isIn({ operator: 'in', prefix: wide, minLength: min, maxLength: max })).toBe(
          within && length >= min && length <= max,
        );
      }),
      runs(300, 20_000),
    );
  });
});

describe('a rule does', () => {
  const [prefix, before] = ['10.1.0.0/16', { communities: [1] }];
  test.each<[string, readonly FilterOperation[], Partial<TableAttributes>]>([
    ['nothing', [], {}],
    ['add a community', [{ type: 'add-community', community: 2 }], { communities: [1, 2] }],
    ['not add it twice', [{ type: 'add-community', community: 1 }], { communities: [1] }],
    [
      'add a large community',
      [
        { type: 'add-community', community: [1, 2, 3] },
        { type: 'add-community', community: [1, 2, 3] },
      ],
      { largeCommunities: [[1, 2, 3]] },
    ],
    [
      'remove the last community',
      [{ type: 'remove-community', community: 1 }],
      { communities: undefined } as never,
    ],
    [
      'lengthen the path',
      [{ type: 'prepend-as-path', asns: [9, 9] }],
      { asPath: [{ type: 'sequence', asns: [9, 9, 65_001, 7, 8] }] },
    ],
    [
      'set numbers',
      [
        { type: 'set-priority', priority: 5 },
        { type: 'set-local-pref', localPref: 6 },
        { type: 'set-med', med: 7 },
      ],
      { priority: 5, localPref: 6, med: 7 },
    ],
  ])('%s', (_name, operations, after) => {
    const filter: Filter = {
      rules: [{ origin: 'rule', match: {}, action: 'accept', operations }],
      otherwise: 'reject',
    };
    const asked = route(prefix, before);
    const { communities, ...rest } = { ...asked.attributes, ...after };
    expect(run(filter, asked)).toEqual(communities === undefined ? rest : { communities, ...rest });
  });
});

describe('rules', () => {
  const rules: Filter['rules'] = [
    { origin: 'tag', match: {}, action: 'next', operations: [{ type: 'add-community', community: 9 }] },
    {
      origin: 'tagged',
      match: { communities: [9], prefix: { operator: 'in', prefix: '10.0.0.0/8' } },
      action: 'accept',
    },
    { origin: 'no v6', match: { prefix: { operator: 'in', prefix: '::/0' } }, action: 'reject' },
  ];

  test('are asked in turn, each about what those before have made of the route', () => {
    const filter: Filter = { rules, otherwise: 'accept' };
    expect(run(filter, route('10.1.0.0/16'))?.communities).toEqual([9]);
    expect(run(filter, route('fd00::/64'))).toBeUndefined();
    expect(run(filter, route('11.0.0.0/16'))?.communities).toEqual([9]);
    expect(explainFilter(filter, route('fd00::/64'), CONTEXT)).toEqual({
      verdict: 'reject',
      decidedBy: 'no v6',
      steps: [
        { origin: 'tag', operations: ['add-community 0:9'] },
        { origin: 'tagged', mismatch: 'it is not within 10.0.0.0/8', operations: [] },
        { origin: 'no v6', operations: [] },
      ],
    });
  });

  test('that decide nothing leave it to what is written last, and change nothing', () => {
    const asked = route('11.0.0.0/16');
    expect(run({ rules: [], otherwise: 'accept' }, asked)).toBe(asked.attributes);
    expect(run({ rules: [], otherwise: 'reject' }, asked)).toBeUndefined();
  });
});

test.each<[string, ReturnType<typeof parseCommunity>]>([
  ['64512:1', 64_512 * 65_536 + 1],
  ['4200000000:1:2', [4_200_000_000, 1, 2]],
  ['no-export', 0xffff_ff01],
  ['65536:1', undefined],
  ['1:65536', undefined],
  ['1', undefined],
  ['1:2:3:4', undefined],
  ['1:4294967296:3', undefined],
  ['01:2', undefined],
  ['a:b', undefined],
])('the community %s', (text, community) => {
  expect(parseCommunity(text)).toEqual(community);
  if (community !== undefined) expect(parseCommunity(formatCommunity(community))).toEqual(community);
});
