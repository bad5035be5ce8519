import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DirtySet } from './dirty-set.ts';

test('values come out once each, in ascending order from the last one on, and then from the first', () => {
  const set = new DirtySet();
  for (const value of [70, 3, 2000, 3, 64]) set.add(value);
  expect([set.shift(), set.shift()]).toEqual([3, 64]);
  for (const value of [5, 1999]) set.add(value);
  expect(Array.from({ length: 5 }, () => set.shift())).toEqual([70, 1999, 2000, 5, 0]);
});

test('whatever is put in and taken out, it is a set, and what comes out twice has let all others go before', () => {
  const value = fc.oneof(
    fc.constantFrom(1, 31, 32, 1023, 1024, 1025, 32_768),
    fc.integer({ min: 1, max: 40_000 }),
  );
  const step = fc.oneof({ weight: 3, arbitrary: value }, { weight: 2, arbitrary: fc.constant(0) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const set = new DirtySet();
      /** What is in it, and what has been out since it came. */
      const model = new Map<number, Set<number>>();
      for (const put of [...steps, ...steps.map(() => 0)]) {
        if (put !== 0) {
          expect(set.add(put)).toBe(!model.has(put));
          if (!model.has(put)) model.set(put, new Set());
        } else {
          const taken = set.shift();
          expect(model.delete(taken)).toBe(taken !== 0);
          expect(set.has(taken)).toBe(false);
          for (const passed of taken === 0 ? [] : model.values()) {
            expect(passed.has(taken)).toBe(false);
            passed.add(taken);
          }
        }
        expect(set.size).toBe(model.size);
        for (const each of model.keys()) if (!set.has(each)) expect.fail(`${each} is lost`);
      }
      expect(model.size).toBe(0);
    }),
  );
});
