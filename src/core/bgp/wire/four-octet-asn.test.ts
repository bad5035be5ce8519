import { describe, expect, test } from 'vitest';
import type { AsPathSegment } from '../model.ts';
import { mergePaths } from './four-octet-asn.ts';

/** `1 2 {3 4} (5 6) [7]`: sequence, set, confederation's sequence and set. */
function pathOf(text: string): AsPathSegment[] {
  const kinds: Record<string, AsPathSegment['type']> = {
    '{': 'set',
    '(': 'confed-sequence',
    '[': 'confed-set',
  };
  return [...text.matchAll(/([{([])?([\d ]+)/g)].flatMap(([, open, numbers = '']) => {
    const asns = numbers.trim().split(/ +/).filter(Boolean).map(Number);
    return asns.length === 0
      ? []
      : [{ type: open === undefined ? 'sequence' : (kinds[open] ?? 'set'), asns }];
  });
}

describe('a path of four octets beside one of two', () => {
  test.each([
    ['as long', '10 23456', '10 70000', '10 70000'],
    ['shorter, since others were put before it', '5 10 23456', '10 70000', '5 10 70000'],
    ['with a set, which counts as one', '5 {10 23456}', '{10 70000}', '5 {10 70000}'],
    ['longer, which tells that it is not of this route', '10', '10 70000', '10'],
    ['with a confederation before it', '(65001 65002) 5 23456', '70000', '(65001 65002) 5 70000'],
    ['right behind a confederation', '(65001) 23456', '70000', '(65001) 70000'],
    ['with a confederation of its own, which is dropped', '23456', '(65001) 70000', '70000'],
    ['with two more', '1 2 3 23456', '3 70000', '1 2 3 70000'],
  ])('%s', (_name, asPath, as4Path, merged) => {
    expect(mergePaths(pathOf(asPath), pathOf(as4Path))).toEqual(pathOf(merged));
  });
});
