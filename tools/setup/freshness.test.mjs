// @ts-check
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  fingerprint,
  isStamped,
  lacksOnlyForeignPackages,
  lockDifferences,
  writeStamp,
} from './freshness.mjs';

describe('lock differences', () => {
  const lock = {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/zod': { version: '4.0.0' },
      'node_modules/node-other-cpu': { version: '24.0.0', optional: true },
      web: { version: '0.1.0' },
      'node_modules/web': { link: true },
    },
  };
  const zod = (/** @type {string} */ version) => ({ 'node_modules/zod': { version } });

  it('are none when everything wanted is there, other platforms and workspaces apart', () => {
    expect(lockDifferences(lock, { packages: zod('4.0.0') })).toEqual([]);
  });

  it('name a package that is missing, of another version, or left over', () => {
    expect(lockDifferences(lock, { packages: {} })).toEqual(['node_modules/zod is missing']);
    expect(lockDifferences(lock, { packages: zod('3.9.0') })).toEqual([
      'node_modules/zod is 3.9.0, not 4.0.0',
    ]);
    const extra = { packages: { ...zod('4.0.0'), 'node_modules/left': { version: '1.0.0' } } };
    expect(lockDifferences(lock, extra)).toEqual(['node_modules/left is not in the lock file']);
  });

  it('count an optional package of the wrong version', () => {
    const stale = { packages: { ...zod('4.0.0'), 'node_modules/node-other-cpu': { version: '23.0.0' } } };
    expect(lockDifferences(lock, stale)).toEqual(['node_modules/node-other-cpu is 23.0.0, not 24.0.0']);
  });
});

describe("npm ci's complaint", () => {
  const foreign = 'npm error Missing: @oxlint/binding-win32-x64-msvc@ from lock file';

  it('is about foreign packages only when all it misses has no version', () => {
    expect(lacksOnlyForeignPackages(`npm error code EUSAGE\n${foreign}\n${foreign}\n`)).toBe(true);
    expect(lacksOnlyForeignPackages(`${foreign}\nnpm error Missing: zod@4.0.0 from lock file`)).toBe(false);
    expect(lacksOnlyForeignPackages(`${foreign}\nnpm error Invalid: lock file's zod@3.0.0`)).toBe(false);
    expect(lacksOnlyForeignPackages('npm error code ENOTFOUND')).toBe(false);
  });
});

describe('a fingerprint', () => {
  /** @type {string} */
  let base;
  const at = new Date('2020-01-01T00:00:00Z');
  const write = (/** @type {string} */ path, /** @type {string} */ text) => {
    writeFileSync(join(base, path), text);
    utimesSync(join(base, path), at, at);
  };
  const take = () => fingerprint(base, ['src', 'package.json']);

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'poplin-fingerprint-'));
    mkdirSync(join(base, 'src/inner'), { recursive: true });
    write('src/one.ts', 'one');
    write('src/inner/two.ts', 'two');
    write('package.json', '{}');
  });
  afterEach(() => rmSync(base, { recursive: true }));

  it('stays the same while nothing changes', () => {
    expect(take()).toBe(take());
  });

  it.each([
    ['a file grows', () => write('src/one.ts', 'longer')],
    ['a file gets older', () => utimesSync(join(base, 'src/one.ts'), new Date(0), new Date(0))],
    ['a file is added', () => write('src/inner/three.ts', '')],
    ['a file is removed', () => rmSync(join(base, 'src/inner/two.ts'))],
    ['a root is removed', () => rmSync(join(base, 'package.json'))],
  ])('changes when %s', (_, change) => {
    const before = take();
    change();
    expect(take()).not.toBe(before);
  });

  it('is known again from its stamp, and from no other', () => {
    const stamp = join(base, 'stamp');
    expect(isStamped(stamp, take())).toBe(false);
    writeStamp(stamp, take());
    expect(isStamped(stamp, take())).toBe(true);
    write('src/one.ts', 'changed');
    expect(isStamped(stamp, take())).toBe(false);
  });
});
