/** The result of one run of vitest, and how far it is: the reporter that writes both, and the readers. */
import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, SerializedError, TestModule, TestSpecification } from 'vitest/node';
import { ROOT } from '../command.ts';

/** A skipped test, with the note it gave (`context.skip('kernel has no …')`), which names what is missing. */
export interface Skip {
  readonly test: string;
  readonly reason: string;
}

export interface Tally {
  /** Names of the tests that passed. */
  readonly passed: readonly string[];
  /** Names of failed tests, and of files that did not load. */
  readonly failed: readonly string[];
  readonly skipped: readonly Skip[];
  /** Errors outside any test, with what caused them; a process of vitest's that ended is one. */
  readonly broken: readonly string[];
  /** Files that were not run to their end; none of their tests is in a list above. */
  readonly unfinished: readonly string[];
  /** How long each file took, without what loading it took. */
  readonly seconds: Readonly<Record<string, number>>;
}

export interface Progress {
  readonly files: number;
  readonly ended: number;
  /** Files under way. */
  readonly running: readonly string[];
}

/** Writes a Tally as JSON when the run ends, and a Progress beside it whenever that changes; used beside a reporter for people. */
export class TallyReporter implements Reporter {
  readonly #path: string;
  readonly #running = new Set<string>();
  readonly #left = new Set<string>();
  #files = 0;

  constructor(path: string) {
    this.#path = path;
  }

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    this.#files = specifications.length;
    for (const { moduleId } of specifications) this.#left.add(moduleId);
    this.#tell();
  }

  onTestModuleStart({ relativeModuleId }: TestModule): void {
    this.#running.add(relativeModuleId);
    this.#tell();
  }

  onTestModuleEnd({ relativeModuleId, moduleId }: TestModule): void {
    this.#running.delete(relativeModuleId);
    this.#left.delete(moduleId);
    this.#tell();
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const seconds: Record<string, number> = {};
    const tally = { passed: [] as string[], failed: [] as string[], skipped: [] as Skip[], seconds };
    const unfinished = [...this.#left].map((path) => relative(ROOT, path));
    for (const module of modules) {
      const file = module.relativeModuleId;
      if (this.#left.has(module.moduleId)) continue;
      seconds[file] = module.diagnostic().duration / 1000;
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
    writeFileSync(this.#path, JSON.stringify({ ...tally, broken: unhandled.map(withCause), unfinished }));
  }

  #tell(): void {
    const ended = this.#files - this.#left.size;
    const progress: Progress = { files: this.#files, ended, running: [...this.#running] };
    writeFileSync(progressPath(this.#path), JSON.stringify(progress));
  }
}

/** Reads what the reporter wrote; undefined if the run ended before it could. */
export function readTally(path: string): Tally | undefined {
  return read(path) as Tally | undefined;
}

/** How far the run is whose tally will be at the path; undefined if it is not known now. */
export function readProgress(path: string): Progress | undefined {
  return read(progressPath(path)) as Progress | undefined;
}

/** The longest first. */
export function slowest(
  seconds: Readonly<Record<string, number>>,
  count: number,
): readonly (readonly [file: string, seconds: number])[] {
  return Object.entries(seconds)
    .sort(([, a], [, b]) => b - a)
    .slice(0, count);
}

function withCause({ message, cause }: SerializedError): string {
  return cause === undefined ? message : `${message} ${withCause(cause)}`;
}

function progressPath(tallyPath: string): string {
  return `${tallyPath}.progress`;
}

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
