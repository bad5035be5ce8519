import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha512Hex } from './sha512.ts';

const byNode = (text: string) => createHash('sha512').update(text).digest('hex');

test.each([0, 1, 110, 111, 112, 127, 128, 129, 239, 240, 1000])(
  'a text of %i bytes has the digest that node:crypto computes',
  (length) => {
    const text = 'x'.repeat(length);
    expect(sha512Hex(text)).toBe(byNode(text));
  },
);

test('any text has the digest that node:crypto computes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
      expect(sha512Hex(text)).toBe(byNode(text));
    }),
    { numRuns: 50 },
  );
});
