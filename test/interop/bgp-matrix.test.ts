/** docs/bgp-interop.md is of the features that are tried: POPLIN_WRITE_MATRIX=1 writes it anew. They are tried by bgp-matrix-*.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bgpInteropDocument } from './bgp/matrix/document.ts';

const DOCUMENT = new URL('../../docs/bgp-interop.md', import.meta.url);

test('the table in the documentation is of all features and peers', () => {
  if (process.env['POPLIN_WRITE_MATRIX'] === '1') writeFileSync(DOCUMENT, bgpInteropDocument());
  expect(readFileSync(DOCUMENT, 'utf8')).toBe(bgpInteropDocument());
});
