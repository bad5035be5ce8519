import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FLANNELD_DOCUMENT, withFlagBlocks } from './flanneld-blocks.ts';

test('docs/flanneld.md is what `node tools/docs.ts` writes', () => {
  const document = readFileSync(FLANNELD_DOCUMENT, 'utf8');
  expect(document).toBe(withFlagBlocks(document));
});

test('a document without its markers is refused', () => {
  expect(() => withFlagBlocks('<!-- flags -->\n<!-- end -->')).toThrow('no marker "variables"');
});
