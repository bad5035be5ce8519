import { describe, expect, it } from 'vitest';
import { skipDifferences } from './skips.ts';

const skip = (test: string, reason = 'kernel has no vxlan') => ({ test, reason });

describe('skip differences', () => {
  it('are none when exactly the expected tests were skipped, in any order', () => {
    expect(skipDifferences([skip('a'), skip('b')], [skip('b'), skip('a')])).toEqual([]);
  });

  it('name a skip that is not expected, and that it gave no reason', () => {
    expect(skipDifferences([skip('a', '')], [])).toEqual([
      'skipped, which is not expected: a (no reason given)',
    ]);
  });

  it('name a skip for another reason', () => {
    expect(skipDifferences([skip('a', 'kernel has no ipip')], [skip('a')])).toEqual([
      'skipped for "kernel has no ipip", expected "kernel has no vxlan": a',
    ]);
  });

  it('name an expected skip that was run', () => {
    expect(skipDifferences([], [skip('a')])).toEqual(['expected to be skipped, but was not: a']);
  });
});
