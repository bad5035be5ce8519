import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { RFC_DOCUMENT, rfcDocument } from './rfc-blocks.ts';

test('docs/rfc.md is what `node tools/docs.ts` writes', () => {
  expect(readFileSync(RFC_DOCUMENT, 'utf8')).toBe(rfcDocument());
});

test('it names the files that obey what BGP is made of', () => {
  const document = rfcDocument();
  for (const number of [
    ...[1997, 2385, 2918, 4271, 4360, 4456, 4724, 4760, 5065, 5082, 5492, 5880, 5881, 5882, 5883],
    ...[6396, 6793, 7313, 7606, 7854, 7911, 8092, 8212, 8654, 8950, 9003, 9494],
  ])
    expect(document, `RFC ${number}`).toMatch(new RegExp(`^## RFC ${number}\\b`, 'm'));
});
