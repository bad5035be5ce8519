import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { repeatableRuns } from '#testing/soak.ts';
import type { Member } from '../model.ts';
import { canonical } from './canonical.ts';
import { matchesSelector, type SelectorSubject } from './match.ts';
import type { LabelsOf, Selector } from './selector.ts';
import { selectorText } from './text.ts';

const has = (key: string, of: LabelsOf = 'member'): Selector => ({ op: 'has', of, key });
const isIn = (key: string, ...values: string[]): Selector => ({ op: 'in', of: 'member', key, values });
const part = (op: 'contains' | 'starts' | 'ends', key: string, value: string): Selector => ({
  op,
  of: 'member',
  key,
  value,
});
const not = (selector: Selector): Selector => ({ op: 'not', part: selector });
const and = (...parts: Selector[]): Selector => ({ op: 'and', parts });
const or = (...parts: Selector[]): Selector => ({ op: 'or', parts });
const all: Selector = { op: 'all' };
const none: Selector = { op: 'none' };

const textOf = (selector: Selector): string => selectorText(canonical(selector));

describe('the canonical form of a selector', () => {
  test.each<[string, Selector, string]>([
    ['has its parts in order', and(isIn('b', '1'), isIn('a', '1')), 'a == "1" && b == "1"'],
    ['has each part once', and(has('a'), has('a')), 'has(a)'],
    [
      'has no conjunction in a conjunction',
      and(has('c'), and(has('b'), has('a'))),
      'has(a) && has(b) && has(c)',
    ],
    ['has values in order and once', isIn('a', 'y', 'x', 'y'), 'a in {"x", "y"}'],
    ['knows that nothing is in an empty list', isIn('a'), 'none()'],
    ['knows that an empty conjunction is all', and(), 'all()'],
    ['knows that an empty disjunction is none', or(), 'none()'],
    ['leaves all out of a conjunction', and(all, has('a')), 'has(a)'],
    ['is none if a part of a conjunction is', and(none, has('a')), 'none()'],
    ['is all if a part of a disjunction is', or(all, has('a')), 'all()'],
    ['ends double negation', not(not(has('a'))), 'has(a)'],
    [
      'brings negation to the terms',
      not(and(has('a'), or(has('b'), not(has('c'))))),
      '!has(a) || (!has(b) && has(c))',
    ],
    ['joins lists that are alternatives', or(isIn('a', '1'), isIn('a', '2')), 'a in {"1", "2"}'],
    ['cuts lists that must hold together', and(isIn('a', '1', '2'), isIn('a', '2', '3')), 'a == "2"'],
    ['finds that two values exclude each other', and(isIn('a', '1'), isIn('a', '2')), 'none()'],
    ['joins exclusions', and(not(isIn('a', '2')), not(isIn('a', '1'))), 'a not in {"1", "2"}'],
    ['takes excluded values from a list', and(isIn('a', '1', '2'), not(isIn('a', '1'))), 'a == "2"'],
    ['needs no presence beside a value', and(has('a'), isIn('a', '1')), 'a == "1"'],
    ['finds that a label is not both there and absent', and(has('a'), not(has('a'))), 'none()'],
    ['finds that a label is there or absent', or(has('a'), not(has('a'))), 'all()'],
    ['needs no exclusion of values where there is none', and(not(has('a')), not(isIn('a', '1'))), '!has(a)'],
    ['chooses values by their parts', and(isIn('a', 'xy', 'yx'), part('starts', 'a', 'x')), 'a == "xy"'],
    ['takes a part that is empty for presence', part('contains', 'a', ''), 'has(a)'],
    [
      'leaves labels of others apart',
      and(has('a'), not(has('a', 'namespace'))),
      '!has(namespace:a) && has(a)',
    ],
    ['keeps a negated part', not(part('ends', 'a', 'x')), '!(a ends with "x")'],
  ])('%s', (_, selector, text) => {
    expect(textOf(selector)).toBe(text);
  });

  test('is written alike for what means the same', () => {
    const left = not(or(not(isIn('app', 'web', 'db')), has('legacy')));
    const right = and(not(has('legacy')), isIn('app', 'db', 'web', 'db'));
    expect(textOf(left)).toBe(textOf(right));
  });
});

describe('the text of a selector', () => {
  test('quotes what would make two selectors look alike', () => {
    const texts = [
      has('namespace:kind'),
      has('kind', 'namespace'),
      isIn('a', 'x", "y'),
      isIn('a', 'x', 'y'),
      part('starts', 'a', 'x'),
      isIn('a', 'starts with "x"'),
    ].map(textOf);
    expect(new Set(texts).size).toBe(texts.length);
  });
});

const VALUES = ['', 'a', 'ab', 'ba', 'constructor'];
const KEYS = ['k', 'l', 'constructor'];
const OF: readonly LabelsOf[] = ['member', 'namespace', 'service-account', 'self'];

const term = fc.oneof(
  fc.constant<Selector>(all),
  fc.constant<Selector>(none),
  fc.record({
    op: fc.constant('has' as const),
    of: fc.constantFrom(...OF),
    key: fc.constantFrom(...KEYS, 'name'),
  }),
  fc.record({
    op: fc.constant('in' as const),
    of: fc.constantFrom(...OF),
    key: fc.constantFrom(...KEYS, 'name'),
    values: fc.array(fc.constantFrom(...VALUES), { maxLength: 3 }),
  }),
  fc.record({
    op: fc.constantFrom('contains' as const, 'starts' as const, 'ends' as const),
    of: fc.constantFrom(...OF),
    key: fc.constantFrom(...KEYS),
    value: fc.constantFrom(...VALUES),
  }),
);
const selectors = fc.letrec<{ selector: Selector }>((tie) => ({
  selector: fc.oneof(
    { maxDepth: 4 },
    term,
    fc.record({ op: fc.constant('not' as const), part: tie('selector') }),
    fc.record({
      op: fc.constantFrom('and' as const, 'or' as const),
      parts: fc.array(tie('selector'), { maxLength: 4 }),
    }),
  ),
})).selector;
const labels = fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES));
const subjects: fc.Arbitrary<SelectorSubject> = fc.record({
  member: fc.record({
    key: fc.constant('pod n/x'),
    kind: fc.constantFrom('pod' as const, 'network-set' as const),
    name: fc.constantFrom(...VALUES),
    labels,
    nets: fc.constant([]),
    ports: fc.constant([]),
  }) satisfies fc.Arbitrary<Member>,
  namespaceLabels: fc.option(labels, { nil: undefined }),
  serviceAccountLabels: fc.option(labels, { nil: undefined }),
});

describe('any selector', () => {
  test('selects the same members in its canonical form, which is its own', () => {
    fc.assert(
      fc.property(selectors, fc.array(subjects, { minLength: 1, maxLength: 5 }), (selector, list) => {
        const canon = canonical(selector);
        for (const subject of list)
          expect(matchesSelector(canon, subject)).toBe(matchesSelector(selector, subject));
        // A copy, for what is known to be canonical is not looked at again.
        expect(canonical(structuredClone(canon))).toEqual(canon);
      }),
      repeatableRuns(600, 50_000),
    );
  });
});

test('a member’s labels are those somebody wrote, and what it is has labels of its own', () => {
  const member: Member = {
    key: 'pod shop/web',
    kind: 'pod',
    namespace: 'shop',
    name: 'web',
    labels: { app: 'web' },
    serviceAccount: 'robot',
    node: 'node-a',
    nets: [],
    ports: [],
  };
  const subject = { member, namespaceLabels: { env: 'prod' }, serviceAccountLabels: { team: 'x' } };
  const selects = (selector: Selector) => matchesSelector(selector, subject);
  expect(selects(has('toString'))).toBe(false);
  expect(selects(has('env'))).toBe(false);
  expect(selects(has('env', 'namespace'))).toBe(true);
  expect(selects(has('team', 'service-account'))).toBe(true);
  const self = Object.entries({
    kind: 'pod',
    namespace: 'shop',
    name: 'web',
    serviceAccount: 'robot',
    node: 'node-a',
  });
  for (const [key, value] of self) {
    expect(selects({ op: 'in', of: 'self', key, values: [value] })).toBe(true);
    expect(selects({ op: 'in', of: 'self', key, values: ['other'] })).toBe(false);
  }
  expect(selects(has('labels', 'self'))).toBe(false);
});
