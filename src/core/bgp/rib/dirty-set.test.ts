import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DirtySet } from './dirty-set.ts';

test('values come out once each, in the order in which they were put, also after a burst was given back', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 4 }), (bursts) => {
      const set = new DirtySet();
      let next = 1;
      for (const count of bursts) {
        const put = Array.from({ length: count }, () => next++);
        for (const value of put) {
          expect(set.add(value)).toBe(true);
          expect(set.add(value)).toBe(false);
        }
        expect(Array.from(put, () => set.shift())).toEqual(put);
        expect(set.shift()).toBe(0);
        expect(put.some((value) => set.has(value))).toBe(false);
      }
    }),
    { numRuns: 50, examples: [[[1500, 3]], [[1025, 1, 2000]]] },
  );
});
