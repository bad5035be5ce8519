import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatLabelSelector,
  type LabelRequirement,
  type LabelSelector,
  matchesLabels,
  parseLabelSelector,
  SelectorError,
} from './label.ts';

const LABELS = { app: 'web', tier: 'front', 'example.com/weight': '10', empty: '' };

describe('a label selector', () => {
  it.each([
    ['', true],
    ['app', true],
    ['!app', false],
    ['missing', false],
    ['!missing', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app!=web', false],
    ['app!=db', true],
    ['missing!=x', true],
    ['app in (db,web)', true],
    ['app in (db)', false],
    ['app in (web )', true],
    ['app notin (db, cache)', true],
    ['app notin (web)', false],
    ['missing notin (x)', true],
    ['missing in (x)', false],
    ['app=web,tier=front', true],
    ['app=web,tier=back', false],
    ['app=web, !missing ,tier in (front,back)', true],
    ['example.com/weight=10', true],
    ['example.com/weight>9', true],
    ['example.com/weight > 10', false],
    ['example.com/weight<11', true],
    ['app>1', false],
    ['empty=', true],
    ['empty', true],
    ['app=', false],
    ['empty in (,x)', true],
    ['in', false],
    ['in in (in)', false],
  ])('%j matches: %j', (text, expected) => {
    expect(matchesLabels(parseLabelSelector(text), LABELS)).toBe(expected);
  });

  it.each([
    ['a=b,', 'nothing follows'],
    [',a', "found ','"],
    ['a in b', "expected '('"],
    ['a in (b', "expected ',' or ')'"],
    ['a b', "found 'b'"],
    ['a=b c=d', "found 'c'"],
    ['a=b=c', "found '='"],
    ['-a=b', 'key "-a"'],
    ['a=b_', 'value "b_"'],
    ['a>x', 'needs a whole number'],
    ['!', 'expected a label key'],
    ['Example.com/a', 'prefix part'],
    [`${'k'.repeat(64)}=v`, 'at most 63'],
  ])('%j is refused: %s', (text, message) => {
    expect(() => parseLabelSelector(text)).toThrow(SelectorError);
    expect(() => parseLabelSelector(text)).toThrow(message);
  });

  it('treats absent labels as none', () => {
    expect(matchesLabels(parseLabelSelector('!a'), undefined)).toBe(true);
    expect(matchesLabels(parseLabelSelector('toString'), {})).toBe(false);
  });
});

const word = fc.stringMatching(/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])?$/);
const value = fc.oneof(word, fc.constant(''));
const requirement: fc.Arbitrary<LabelRequirement> = fc.oneof(
  fc.record({
    key: word,
    operator: fc.constantFrom('=' as const, '!=' as const),
    values: fc.tuple(value),
  }),
  fc.record({
    key: word,
    operator: fc.constantFrom('in' as const, 'notin' as const),
    values: fc.uniqueArray(value, { minLength: 1, maxLength: 4 }).map((values) => values.sort()),
  }),
  fc.record({
    key: word,
    operator: fc.constantFrom('exists' as const, '!exists' as const),
    values: fc.constant([]),
  }),
  fc.record({
    key: word,
    operator: fc.constantFrom('>' as const, '<' as const),
    values: fc.tuple(fc.nat().map(String)),
  }),
);
const selector: fc.Arbitrary<LabelSelector> = fc.array(requirement, { maxLength: 4 });

describe('the text of a label selector', () => {
  it('reads back as the selector it was printed from', () => {
    fc.assert(
      fc.property(selector, (requirements) => {
        expect(parseLabelSelector(formatLabelSelector(requirements))).toEqual(requirements);
      }),
    );
  });

  it('throws nothing but SelectorError, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z=!<>(), ]*$/)), (text) => {
        try {
          parseLabelSelector(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SelectorError);
        }
      }),
    );
  });

  it('selects with in what notin leaves out', () => {
    fc.assert(
      fc.property(
        word,
        fc.uniqueArray(word, { minLength: 1 }),
        fc.dictionary(word, word),
        (key, values, labels) => {
          const inside = matchesLabels([{ key, operator: 'in', values }], labels);
          expect(matchesLabels([{ key, operator: 'notin', values }], labels)).toBe(!inside);
        },
      ),
    );
  });
});
