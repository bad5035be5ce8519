/**
 * Every backend of this kernel × family × registry, through the life of a node (test/backends/situations.ts). A usual run has every backend in
 * dual stack, its registry in turn; a soak has all. IP in IP and WireGuard are in test/vm.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cellsOf } from '../backends/cell.ts';
import { describeCells } from '../backends/matrix.ts';
import { ALL_ROWS, COMMON_ROWS } from '../backends/rows.ts';
import { SITUATIONS } from '../backends/situations.ts';

test('docs/backends.md names every situation, and every backend that is tried', () => {
  const lines = readFileSync(new URL('../../docs/backends.md', import.meta.url), 'utf8').split('\n');
  expect(lines).toEqual(expect.arrayContaining(SITUATIONS.map(({ name }) => `- ${name}`)));
  const begins = ALL_ROWS.map(({ name, second }) => `| ${name} | ${second.Type} | `);
  expect(begins.filter((begin) => !lines.some((line) => line.startsWith(begin)))).toEqual([]);
});

describeCells(cellsOf(COMMON_ROWS));
