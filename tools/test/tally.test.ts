import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { TestModule, TestSpecification } from 'vitest/node';
import { ROOT } from '../command.ts';
import { readProgress, readTally, slowest, TallyReporter } from './tally.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-tally-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What the reporter looks at of a file. */
const moduleOf = (relativeModuleId: string, duration: number) =>
  ({
    relativeModuleId,
    moduleId: join(ROOT, relativeModuleId),
    diagnostic: () => ({ duration }),
    errors: () => [],
    children: { allSuites: () => [], allTests: () => [] },
  }) as unknown as TestModule;

it('a run is told while it goes on and when it ends', () => {
  const path = join(folder, 'tally.json');
  expect([readProgress(path), readTally(path)]).toEqual([undefined, undefined]);
  const reporter = new TallyReporter(path);
  const modules = [moduleOf('a.test.ts', 1500), moduleOf('b.test.ts', 20)];
  reporter.onTestRunStart(modules as unknown as TestSpecification[]);
  expect(readProgress(path)).toEqual({ files: 2, ended: 0, running: [] });
  for (const module of modules) reporter.onTestModuleStart(module);
  reporter.onTestModuleEnd(modules[0] as TestModule);
  expect(readProgress(path)).toEqual({ files: 2, ended: 1, running: ['b.test.ts'] });
  reporter.onTestRunEnd(modules, [{ message: 'the process ended:', cause: { message: 'SIGSEGV' } }]);
  expect(readTally(path)).toEqual({
    passed: [],
    failed: [],
    skipped: [],
    seconds: { 'a.test.ts': 1.5 },
    broken: ['the process ended: SIGSEGV'],
    unfinished: ['b.test.ts'],
  });
});

it('the slowest files are named first', () => {
  expect(slowest({ a: 1, b: 3, c: 2 }, 2)).toEqual([
    ['b', 3],
    ['c', 2],
  ]);
});
