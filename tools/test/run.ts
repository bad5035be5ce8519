/** The run of one part of a tier through vitest, on this machine or in a virtual one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandOptions, type Outcome, ROOT, runCommand } from '../command.ts';
import { guestEnvironment, Machine } from '../vm/index.ts';
import { type Progress, readProgress, readTally, type Tally } from './tally.ts';
import type { Part } from './tier.ts';

export interface PartRun extends Pick<Tally, 'passed' | 'failed' | 'skipped' | 'seconds'> {
  /** The whole run's. */
  readonly totalSeconds: number;
  /** What vitest said, when it was not shown. */
  readonly output: string;
  /** For each time node itself broke off and what was left was run again: why. */
  readonly resumed: readonly string[];
}

export interface RunOptions extends Pick<CommandOptions, 'env' | 'inherit'> {
  /** Parts of a file's path; all of the part's files without. */
  readonly filters?: readonly string[];
  /** Of the tests' names. */
  readonly pattern?: string | undefined;
  readonly limited?: boolean;
  /** Called whenever vitest is started, with what tells how far the run is. */
  readonly onStart?: (progress: () => Progress | undefined) => void;
}

export interface Run {
  readonly outcome: Outcome;
  /** Undefined if vitest did not get as far as writing it. */
  readonly tally: Tally | undefined;
}

/**
 * On an emulated processor a check in V8's compiler fails once in many runs, whatever it is that runs, and takes the process
 * along in which all files of the part are run. What breaks for a reason breaks each time.
 */
const RUNS_IN_MACHINE = 3;

type RunHere = CommandOptions & Pick<RunOptions, 'onStart'>;

/** Runs a part to its end. A run that breaks off, or fails without a failed test, counts as one failure. */
export async function runPart({ tier, name }: Part, options: RunOptions = {}): Promise<PartRun> {
  const { filters = [], pattern, limited = true, env = {}, inherit, onStart } = options;
  const command = ['vitest', 'run', '--project', name, ...(pattern === undefined ? [] : ['-t', pattern])];
  const deadline = limited ? performance.now() + tier.limitMinutes * 60_000 : undefined;
  const start = (files: readonly string[]): Promise<Run> =>
    (tier.virtual === true ? runInMachine : runHere)([...command, ...files], {
      ...(inherit === undefined ? {} : { inherit }),
      ...(onStart === undefined ? {} : { onStart }),
      ...(deadline === undefined ? {} : { timeoutMs: Math.max(1, Math.round(deadline - performance.now())) }),
      env,
    });
  const resumed: string[] = [];
  let run = await start(filters);
  while (tier.virtual === true && resumed.length + 1 < RUNS_IN_MACHINE && isWorthAgain(run)) {
    const files = run.tally?.unfinished ?? filters;
    resumed.push(`${causeOf(run)}; what was left was run again`);
    process.stdout.write(`${name}: ${causeOf(run)}; going on with what is left\n`);
    run = joined(run, await start(files));
  }
  return { ...resultOf(name, run), resumed };
}

/** A run that node broke off, and no test, and that had time left: it says nothing of what it did not get to. */
export function isWorthAgain({ outcome: { code }, tally }: Run): boolean {
  if (code === null || code === 0) return false;
  return tally === undefined || (tally.failed.length === 0 && tally.unfinished.length > 0);
}

/** A run, and the run of what it had left. */
export function joined(first: Run, second: Run): Run {
  const outcome = {
    code: second.outcome.code,
    output: `${first.outcome.output}\n${second.outcome.output}`,
    seconds: first.outcome.seconds + second.outcome.seconds,
  };
  if (first.tally === undefined || second.tally === undefined)
    return { outcome, tally: second.tally ?? first.tally };
  const { passed, failed, skipped, seconds } = first.tally;
  const next = second.tally;
  return {
    outcome,
    tally: {
      passed: [...passed, ...next.passed],
      failed: [...failed, ...next.failed],
      skipped: [...skipped, ...next.skipped],
      seconds: { ...seconds, ...next.seconds },
      broken: next.broken,
      unfinished: next.unfinished,
    },
  };
}

/** What a run comes to: whatever broke it off, or was not run, is a failure too. */
export function resultOf(name: string, run: Run): Omit<PartRun, 'resumed'> {
  const { code, seconds: totalSeconds, output } = run.outcome;
  const { passed = [], skipped = [], seconds = {}, broken = [], unfinished = [] } = run.tally ?? {};
  const failed = [
    ...(run.tally?.failed ?? []),
    ...broken.map((error) => `${name}: outside any test: ${error}`),
    ...unfinished.map((file) => `${file}: not run to its end`),
  ];
  if (code !== 0 && failed.length === 0) failed.push(`${name}: ${causeOf(run)}`);
  return { passed, failed, skipped, seconds, totalSeconds, output };
}

function causeOf({ outcome: { code, seconds }, tally }: Run): string {
  if (code === null) return `broken off after ${seconds.toFixed(0)} s`;
  return tally?.broken[0] ?? `vitest ended with ${code}`;
}

async function runHere([command = '', ...args]: readonly string[], options: RunHere): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-tally-'));
  const path = join(folder, 'tally.json');
  options.onStart?.(() => readProgress(path));
  try {
    const env = { ...options.env, POPLIN_TALLY: path };
    return { outcome: await runCommand(command, args, { ...options, env }), tally: readTally(path) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runInMachine(command: readonly string[], options: RunHere): Promise<Run> {
  const started = performance.now();
  const kept: string[] = [];
  let code: number | null = null;
  using machine = new Machine();
  const path = join(machine.share, 'tally.json');
  options.onStart?.(() => readProgress(path));
  try {
    const colour: Record<string, string> = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
    code = await machine.run({
      command,
      cwd: ROOT,
      env: guestEnvironment({ ...colour, ...options.env, POPLIN_TALLY: path, POPLIN_VIRTUAL: '1' }),
      onOutput: (text) => {
        if (options.inherit === true) process.stdout.write(text);
        else kept.push(text);
      },
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
  } catch (error) {
    code = 1; // the tally is missing, so the run counts as one failure
    kept.push(String(error));
    if (options.inherit === true) process.stdout.write(`${String(error)}\n`);
  }
  const outcome = { code, output: kept.join(''), seconds: (performance.now() - started) / 1000 };
  return { outcome, tally: readTally(path) };
}
