import { describe, expect, it } from 'vitest';
import { EXPECTED_SKIPS, filesRunInstead, passedInstead, skipDifferences, uncoveredSkips } from './skips.ts';
import { filesOf, partsOf, TIERS } from './tier.ts';

const skip = (test: string, reason = 'kernel has no vxlan', tier = 'kernel') => ({ tier, test, reason });
const passed = (tests: string[]) => new Map([['vm', new Set(tests)]]);

describe('skip differences', () => {
  it('are none when exactly the expected tests were skipped, in any order', () => {
    expect(skipDifferences([skip('a'), skip('b')], [skip('b'), skip('a')])).toEqual([]);
  });

  it('name a skip that is not expected, and that it gave no reason', () => {
    expect(skipDifferences([skip('a', '')], [])).toEqual([
      'skipped, which is not expected: kernel: a (no reason given)',
    ]);
  });

  it('name a skip for another reason', () => {
    expect(skipDifferences([skip('a', 'kernel has no ipip')], [skip('a')])).toEqual([
      'skipped for "kernel has no ipip", expected "kernel has no vxlan": kernel: a',
    ]);
  });

  it('name an expected skip that was run', () => {
    expect(skipDifferences([], [skip('a')])).toEqual(['expected to be skipped, but was not: kernel: a']);
  });

  it('tell a skip in one tier from that of the same test in another', () => {
    expect(skipDifferences([skip('a', 'r', 'vm')], [skip('a', 'r')])).toHaveLength(2);
  });
});

describe('a test that is skipped in one tier and passes in another', () => {
  const expected = [{ ...skip('x.test.ts > a'), passesIn: 'vm' }];

  it('is covered if it passed there', () => {
    expect(uncoveredSkips([skip('x.test.ts > a')], expected, passed(['x.test.ts > a']))).toEqual([]);
    expect(passedInstead(skip('x.test.ts > a'), passed(['x.test.ts > a']))).toBe('vm');
  });

  it('is named if the other tier ran and did not pass it', () => {
    expect(uncoveredSkips([skip('x.test.ts > a')], expected, passed(['x.test.ts > b']))).toEqual([
      'skipped, and did not pass in vm instead: kernel: x.test.ts > a',
    ]);
    expect(passedInstead(skip('x.test.ts > a'), passed(['x.test.ts > b']))).toBeUndefined();
  });

  it('is not judged if the other tier did not run', () => {
    expect(uncoveredSkips([skip('x.test.ts > a')], expected, new Map())).toEqual([]);
  });

  it('makes its file one of the other tier', () => {
    expect(filesRunInstead('vm', [...expected, ...expected])).toEqual(['x.test.ts']);
    expect(filesRunInstead('kernel', expected)).toEqual([]);
  });
});

describe('the list of expected skips', () => {
  it('names tiers that there are, and files they run', () => {
    for (const { tier: name, test, passesIn } of EXPECTED_SKIPS) {
      for (const each of passesIn === undefined ? [name] : [name, passesIn]) {
        const tier = TIERS.find((one) => one.name === each);
        const files = tier && partsOf(tier).flatMap((part) => filesOf(part, []));
        expect(files, test).toContain(test.split(' > ')[0]);
      }
    }
  });
});
