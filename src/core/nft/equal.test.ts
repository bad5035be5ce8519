import { describe, expect, test } from 'vitest';
import { act } from './act.ts';
import { equalNftObject } from './equal.ts';
import { field } from './field.ts';
import { match } from './match.ts';
import type { NftChain, NftElement, NftObject, NftSet, NftTable } from './objects.ts';
import { rule } from './rule.ts';

const here = { family: 'inet', table: 't' } as const;
const hook = { hook: 'input', priority: 0, type: 'filter' } as const;
const table: NftTable = { kind: 'nft-table', family: 'inet', name: 't' };
const chain: NftChain = {
  kind: 'nft-chain',
  ...here,
  name: 'c',
  hook,
  rules: [rule('inet', [act.counter, act.limit({ rate: 1 }), match.is(field.mark, 1), act.drop], 'why')],
};
const set: NftSet = { kind: 'nft-set', ...here, name: 's', keyType: ['ipv4_addr'] };
const element: NftElement = { kind: 'nft-element', ...here, set: 's', key: ['10.0.0.1'] };

const rules = (...parts: Parameters<typeof rule>[1][]) => parts.map((each) => rule('inet', each));

describe('satisfied', () => {
  test.each<[string, NftObject, NftObject]>([
    ['a comment nobody asked for', table, { ...table, comment: 'x' }],
    ['a comment that cannot be changed any more', { ...table, comment: 'y' }, { ...table, comment: 'x' }],
    ['a policy nobody asked for', chain, { ...chain, hook: { ...hook, policy: 'drop' } }],
    [
      'what a counter has counted and the burst the kernel chose',
      chain,
      {
        ...chain,
        rules: [
          {
            ...(chain.rules[0] as NftChain['rules'][0]),
            expressions: (chain.rules[0]?.expressions ?? []).map((e) =>
              e.op === 'counter' ? { ...e, packets: 7, bytes: 9 } : e.op === 'limit' ? { ...e, burst: 5 } : e,
            ),
          },
        ],
      },
    ],
    ['a size nobody asked for', set, { ...set, size: 65_535 }],
    ['a flag that is off', { ...set, interval: false }, set],
    ['an end that is the start', { ...element, keyEnd: ['10.0.0.1'] }, element],
    ['a timeout nobody asked for', element, { ...element, timeoutMs: 1000 }],
  ])('by %s', (_name, desired, actual) => {
    expect(equalNftObject(desired, actual)).toBe(true);
  });
});

describe('not satisfied', () => {
  const inSet = { name: 's', keyType: ['ipv4_addr'] } as const;
  test.each<[string, NftObject, NftObject]>([
    ['a dormant table', table, { ...table, dormant: true }],
    ['another priority', chain, { ...chain, hook: { ...hook, priority: 1 } }],
    [
      'another policy',
      { ...chain, hook: { ...hook, policy: 'accept' } },
      { ...chain, hook: { ...hook, policy: 'drop' } },
    ],
    ['no hook', chain, { kind: 'nft-chain', ...here, name: 'c', rules: chain.rules }],
    ['a rule more', chain, { ...chain, rules: [...chain.rules, rule('inet', [act.accept])] }],
    ['a rule less', chain, { ...chain, rules: [] }],
    [
      'an inverted lookup',
      { ...chain, rules: rules([match.inSet(field.saddr(4), inSet)]) },
      { ...chain, rules: rules([match.notInSet(field.saddr(4), inSet)]) },
    ],
    [
      'another order',
      { ...chain, rules: rules([act.accept], [act.drop]) },
      { ...chain, rules: rules([act.drop], [act.accept]) },
    ],
    ['a set of ranges', set, { ...set, interval: true }],
    ['a map', set, { ...set, dataType: 'verdict' }],
    ['another size', { ...set, size: 1 }, { ...set, size: 2 }],
    ['elements that expire', set, { ...set, timeoutMs: 1 }],
    ['a longer range', element, { ...element, keyEnd: ['10.0.0.2'] }],
    [
      'another verdict',
      { ...element, data: { verdict: 'accept' } },
      { ...element, data: { verdict: 'drop' } },
    ],
    ['another kind', table, set],
  ])('by %s', (_name, desired, actual) => {
    expect(equalNftObject(desired, actual)).toBe(false);
  });
});
