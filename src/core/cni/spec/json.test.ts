import { expect, test } from 'vitest';
import { thrownBy } from '#testing/thrown.ts';
import { CniError } from './error.ts';
import { folderProblem } from './fields.ts';
import { parseJson, withoutNulls } from './json.ts';

const nested = (levels: number) => `${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`;

test('JSON of a thousand levels is read, and one more is CniError 6, whether or not it ends', () => {
  expect(withoutNulls(parseJson(nested(1000), 'it'))).toEqual(JSON.parse(nested(1000)));
  for (const text of [nested(1002), nested(100_000), '['.repeat(100_000), `/**/ ${nested(1002)}`])
    expect(thrownBy(CniError, () => parseJson(text, 'it'))).toMatchObject({
      code: 6,
      msg: 'cannot decode it',
      details: 'it has more than 1000 levels of objects and lists',
    });
});

test('brackets in strings, and any number of them side by side, are no levels', () => {
  const value = { text: '[{"'.repeat(2000), list: Array.from({ length: 2000 }, () => [{}]) };
  expect(parseJson(JSON.stringify(value), 'it')).toEqual(value);
});

test('the folder of a plugin’s files is absolute, has no "..", and is not the kernel’s', () => {
  for (const path of ['', '/var/lib/cni/networks', '/a/..b/c..', '/process/x', '/run//cni/.'])
    expect(folderProblem(path)).toBeUndefined();
  for (const path of ['a', './a', '../a', '/a/../b', '/..', '/a\0b'])
    expect(folderProblem(path)).toBe(`${JSON.stringify(path)} is not an absolute path without ".."`);
  for (const path of ['/proc', '/proc/1', '//proc/1', '/./sys/x'])
    expect(folderProblem(path)).toBe(`${JSON.stringify(path)} is below /proc or /sys`);
});
