import { globSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../command.ts';
import { filesRunInstead } from './skips.ts';
import { filesOf, TIERS } from './tier.ts';

describe('the tiers', () => {
  it('hold every test file, each in one tier and those that are skipped there in a second', () => {
    const exclude = (path: string) => /(^|\/)(node_modules|dist|\.git)$/.test(path);
    const all = globSync('**/*.{test,spec}.*', { cwd: ROOT, exclude }).toSorted();
    const inTiers = TIERS.flatMap((tier) => {
      const borrowed = filesRunInstead(tier.name);
      return filesOf(tier, []).filter((path) => !borrowed.includes(path));
    });
    expect(inTiers.toSorted()).toEqual(all);
  });

  it('give the files whose path contains a filter', () => {
    const unit = TIERS.find((tier) => tier.name === 'unit');
    expect(unit && filesOf(unit, ['tools/test/tier.t', 'no such file'])).toEqual(['tools/test/tier.test.ts']);
  });
});
