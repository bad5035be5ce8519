/** The result of one tier's run: the vitest reporter that writes it, and the reader. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** A skipped test, with the note it gave (`context.skip('kernel has no …')`), which names what is missing. */
export interface Skip {
  readonly test: string;
  readonly reason: string;
}

export interface Tally {
  /** Names of the tests that passed. */
  readonly passed: readonly string[];
  /** Names of failed tests, of files that did not load, and of errors outside any test. */
  readonly failed: readonly string[];
  readonly skipped: readonly Skip[];
}

/** Writes a Tally as JSON when the run ends; used beside a reporter for people. */
export class TallyReporter implements Reporter {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tally = { passed: [] as string[], failed: [] as string[], skipped: [] as Skip[] };
    for (const module of modules) {
      const file = module.relativeModuleId;
      for (const error of module.errors()) tally.failed.push(`${file}: ${error.message}`);
      for (const suite of module.children.allSuites())
        for (const error of suite.errors())
          tally.failed.push(`${file} > ${suite.fullName}: ${error.message}`);
      for (const test of module.children.allTests()) {
        const name = `${file} > ${test.fullName}`;
        const result = test.result();
        if (result.state === 'passed') tally.passed.push(name);
        else if (result.state === 'skipped') tally.skipped.push({ test: name, reason: result.note ?? '' });
        else tally.failed.push(name);
      }
    }
    for (const error of unhandled) tally.failed.push(`outside any test: ${error.message}`);
    writeFileSync(this.#path, JSON.stringify(tally));
  }
}

/** Reads what the reporter wrote; undefined if the run ended before it could. */
export function readTally(path: string): Tally | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Tally;
  } catch {
    return undefined;
  }
}
