import { expect, test } from 'vitest';
import { NlriCache } from './nlri-cache.ts';
import { PrefixTable } from './prefix-table.ts';

test('a prefix is the same object for all who ask, until its number is given to another', () => {
  const table = new PrefixTable(4);
  const cache = new NlriCache(table);
  const first = table.intern('10.1.0.0/16');
  table.hold(first);
  expect(cache.of(first)).toEqual({ prefix: '10.1.0.0/16' });
  expect(cache.of(first)).toBe(cache.of(first));
  table.release(first);
  const second = table.intern('10.2.0.0/16');
  expect(second).toBe(first);
  expect(cache.of(second)).toEqual({ prefix: '10.2.0.0/16' });
});

test('two prefixes that want the same place are told apart', () => {
  const table = new PrefixTable(4);
  const cache = new NlriCache(table);
  const numbers = Array.from({ length: 4097 }, (_, at) => table.intern(`10.${at >> 8}.${at & 255}.0/24`));
  const [first = 0, last = 0] = [numbers[0], numbers[4096]];
  expect(last - first).toBe(4096);
  expect([cache.of(first), cache.of(last), cache.of(first)].map(({ prefix }) => prefix)).toEqual([
    '10.0.0.0/24',
    '10.16.0.0/24',
    '10.0.0.0/24',
  ]);
});
