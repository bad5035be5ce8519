import { globSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../command.ts';
import { filesOf, TIERS } from './tier.ts';

describe('the tiers', () => {
  it('hold every test file, each in one tier', () => {
    const exclude = (path: string) => /(^|\/)(node_modules|dist|\.git)$/.test(path);
    const all = globSync('**/*.{test,spec}.*', { cwd: ROOT, exclude }).toSorted();
    const inTiers = TIERS.flatMap((tier) => globSync([...tier.files], { cwd: ROOT }));
    expect(inTiers.toSorted()).toEqual(all);
  });

  it('run borrowed files of other tiers beside their own', () => {
    const vm = TIERS.find((tier) => tier.name === 'vm');
    expect(vm && filesOf(vm, [])).toEqual(expect.arrayContaining([...(vm?.borrowed ?? [''])]));
    expect(vm?.borrowed?.filter((path) => !path.startsWith('test/kernel/'))).toEqual([]);
  });

  it('give the files whose path contains a filter', () => {
    const unit = TIERS.find((tier) => tier.name === 'unit');
    expect(unit && filesOf(unit, ['tools/test/tier.t', 'no such file'])).toEqual(['tools/test/tier.test.ts']);
  });
});
