import { globSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../command.ts';
import { ALONE } from './alone.ts';
import { filesOf, type Part, partsOf, TIERS } from './tier.ts';

const PARTS = TIERS.flatMap(partsOf);
const partOf = (name: string) => PARTS.find((part) => part.name === name) as Part;

describe('the parts of the tiers', () => {
  it('hold every test file, each in one part, and the virtual machine some of them again', () => {
    const exclude = (path: string) => /(^|\/)(node_modules|dist|\.git)$/.test(path);
    const all = globSync('**/*.{test,spec}.*', { cwd: ROOT, exclude }).toSorted();
    const borrowed = new Set(TIERS.flatMap((tier) => tier.borrowed ?? []));
    const inParts = PARTS.flatMap((part) => {
      const files = filesOf(part, []);
      return part.tier.borrowed === undefined ? files : files.filter((path) => !borrowed.has(path));
    });
    expect(inParts.toSorted()).toEqual(all);
  });

  it('have names of their own, the first that of its tier', () => {
    expect(new Set(PARTS.map(({ name }) => name)).size).toBe(PARTS.length);
    for (const tier of TIERS) expect(partsOf(tier)[0]?.name).toBe(tier.name);
  });

  it('put each file that wants the machine for itself in a part that has it', () => {
    const alone = PARTS.filter(({ isAlone }) => isAlone).flatMap((part) => filesOf(part, []));
    expect(alone.toSorted()).toEqual(Object.keys(ALONE).toSorted());
  });

  it('run borrowed files of other tiers beside their own', () => {
    const { tier } = partOf('vm');
    expect(filesOf(partOf('vm'), [])).toEqual(expect.arrayContaining([...(tier.borrowed ?? [''])]));
    expect(tier.borrowed?.filter((path) => !path.startsWith('test/kernel/'))).toEqual([]);
  });

  it('give the files whose path contains a filter', () => {
    expect(filesOf(partOf('unit'), ['tools/test/tier.t', 'no such file'])).toEqual([
      'tools/test/tier.test.ts',
    ]);
  });
});
