import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, suggest } from './suggestion.ts';

const KEYS = ['Network', 'SubnetLen', 'SubnetMin', 'SubnetMax', 'Backend', 'Port', 'VNI', 'MTU'];
const cases: readonly [string, string | undefined][] = [
  ['Subnetlen', 'SubnetLen'],
  ['SubnetLeng', 'SubnetLen'],
  ['Netwrok', 'Network'],
  ['Prot', 'Port'],
  ['vni', 'VNI'],
  ['Backends', 'Backend'],
  ['Hairpin', undefined],
  ['x', undefined],
  ['', undefined],
];
test.each(cases)('suggests for %s: %s', (word, expected) => {
  expect(suggest(word, KEYS)).toBe(expected);
});

const distances: readonly [string, string, number][] = [
  ['', '', 0],
  ['', 'abc', 3],
  ['port', 'prot', 1],
  ['kitten', 'sitting', 3],
  ['ca', 'abc', 3],
];
test.each(distances)('counts the edits from "%s" to "%s" as %i', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});

test('is a symmetric distance that is zero for equal words alone', () => {
  const word = fc.string({ maxLength: 8, unit: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
    }),
  );
});
