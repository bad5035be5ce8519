import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT, toolEnvironment } from '../command.ts';
import { isWorthAgain, joined, type Run, resultOf } from './run.ts';
import { readTally, type Tally } from './tally.ts';

const NOTHING: Tally = { passed: [], failed: [], skipped: [], seconds: {}, broken: [], unfinished: [] };

function ended(code: number | null, tally?: Partial<Tally>): Run {
  const whole = tally === undefined ? undefined : { ...NOTHING, ...tally };
  return { outcome: { code, output: 'said', seconds: 2 }, tally: whole };
}

it('a run is gone on with where node broke, and not where a test failed or time was up', () => {
  expect(isWorthAgain(ended(1))).toBe(true);
  expect(isWorthAgain(ended(1, { unfinished: ['b.test.ts'] }))).toBe(true);
  expect(isWorthAgain(ended(1, { unfinished: ['b.test.ts'], failed: ['a test'] }))).toBe(false);
  expect(isWorthAgain(ended(1, { broken: ['an error'] }))).toBe(false);
  expect(isWorthAgain(ended(null))).toBe(false);
  expect(isWorthAgain(ended(0, {}))).toBe(false);
});

it('what was left is added to what had been run, and only its own end counts', () => {
  const first = ended(1, { passed: ['a'], broken: ['the process ended'], unfinished: ['b.test.ts'] });
  const second = ended(0, { passed: ['b'], seconds: { 'b.test.ts': 1 } });
  expect(resultOf('vm', joined(first, second))).toEqual({
    passed: ['a', 'b'],
    failed: [],
    skipped: [],
    seconds: { 'b.test.ts': 1 },
    totalSeconds: 4,
    output: 'said\nsaid',
  });
  expect(resultOf('vm', joined(first, ended(1))).failed).toEqual([
    'vm: outside any test: the process ended',
    'b.test.ts: not run to its end',
  ]);
  expect(resultOf('vm', joined(ended(1), second)).passed).toEqual(['b']);
});

it('a run that did not end well has a failure that says so', () => {
  expect(resultOf('vm', ended(1)).failed).toEqual(['vm: vitest ended with 1']);
  expect(resultOf('vm', ended(null)).failed).toEqual(['vm: broken off after 2 s']);
  expect(resultOf('vm', ended(1, { failed: ['a test'] })).failed).toEqual(['a test']);
});

it('a process of tests that is killed leaves its file and all after it unfinished', () => {
  // Where what it imports is found; nothing may have been built yet.
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, 'dist', 'tally-test-'));
  try {
    mkdirSync(join(folder, 'tests'));
    const test = (body: string) => `import { it } from 'vitest';\nit('one', () => {${body}});\n`;
    writeFileSync(
      join(folder, 'tests', 'a.test.ts'),
      `${test('')}${'// the largest is run first\n'.repeat(9)}`,
    );
    writeFileSync(
      join(folder, 'tests', 'b.test.ts'),
      test(" process.kill(process.pid, 'SIGSEGV'); /* second */"),
    );
    writeFileSync(join(folder, 'tests', 'c.test.ts'), test(''));
    const tally = join(folder, 'tally.json');
    writeFileSync(
      join(folder, 'vitest.config.ts'),
      `import { TallyReporter } from '${join(ROOT, 'tools/test/tally.ts')}';
export default { test: { pool: 'forks', isolate: false, maxWorkers: 1, include: ['tests/*.test.ts'], reporters: [new TallyReporter('${tally}')] } };`,
    );
    const { status } = spawnSync('vitest', ['run', '--root', folder], {
      env: toolEnvironment(),
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    const found = readTally(tally);
    expect(found?.passed).toEqual([expect.stringContaining('a.test.ts > one')]);
    expect(found?.unfinished).toEqual([
      expect.stringContaining('b.test.ts'),
      expect.stringContaining('c.test.ts'),
    ]);
    expect(found?.failed).toEqual([]);
    expect(found?.broken).toEqual([expect.stringContaining('exited unexpectedly')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
