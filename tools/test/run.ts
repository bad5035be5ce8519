/** The run of one part of a tier through vitest, on this machine or in a virtual one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandOptions, type Outcome, ROOT, runCommand } from '../command.ts';
import { guestEnvironment, Machine } from '../vm/index.ts';
import { type Progress, readProgress, readTally, type Tally } from './tally.ts';
import type { Part } from './tier.ts';

export interface PartRun extends Tally {
  /** The whole run's. */
  readonly totalSeconds: number;
  /** What vitest said, when it was not shown. */
  readonly output: string;
}

export interface RunOptions extends Pick<CommandOptions, 'env' | 'inherit'> {
  readonly limited?: boolean;
  /** Called once, with what tells how far the run is. */
  readonly onStart?: (progress: () => Progress | undefined) => void;
}

interface Run {
  readonly outcome: Outcome;
  readonly tally: Tally | undefined;
  /** Node itself broke, not a test. */
  readonly isNodeBroken?: boolean;
}

/** V8's last words. On an emulated processor a check in its compiler fails once in many runs, whatever it is that runs. */
const V8_BROKE = /^# Fatal error in .*, line \d+\r?$/m;
/** Enough for a line that comes in pieces. */
const SAID_CHARS = 400;

type RunHere = CommandOptions & Pick<RunOptions, 'onStart'>;

/** Runs a part to its end. A run that breaks off, or fails without a failed test, counts as one failure. */
export async function runPart(
  { tier, name }: Part,
  args: readonly string[],
  options: RunOptions = {},
): Promise<PartRun> {
  const { limited = true, env, inherit, onStart } = options;
  const command = ['vitest', 'run', '--project', name, ...args];
  const limits = limited ? { timeoutMs: tier.limitMinutes * 60_000 } : {};
  const run = tier.virtual === true ? runInMachine : runHere;
  const runOptions = {
    ...(inherit === undefined ? {} : { inherit }),
    ...(onStart === undefined ? {} : { onStart }),
    ...limits,
    env: env ?? {},
  };
  const first = await run(command, runOptions);
  const { outcome, tally } = isWorthAgain(first) ? await again(name, run, command, runOptions) : first;
  const { code, seconds: totalSeconds, output } = outcome;
  const { passed = [], failed = [], skipped = [], seconds = {} } = tally ?? {};
  const rest = { passed, skipped, seconds, totalSeconds, output };
  if (code === 0 || failed.length > 0) return { ...rest, failed };
  const cause = code === null ? `broken off after ${totalSeconds.toFixed(0)} s` : `vitest ended with ${code}`;
  return { ...rest, failed: [`${name}: ${cause}`] };
}

/** A run that node broke off, and no test: it says nothing of what is tested. */
export function isWorthAgain({ isNodeBroken = false, tally }: Pick<Run, 'isNodeBroken' | 'tally'>): boolean {
  return isNodeBroken && (tally?.failed.length ?? 0) === 0;
}

function again(
  name: string,
  run: typeof runHere,
  command: readonly string[],
  options: RunHere,
): Promise<Run> {
  process.stdout.write(`${name}: node itself broke (V8) in the virtual machine; once more from the start\n`);
  return run(command, options);
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
  let said = '';
  let isNodeBroken = false;
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
        said = (said + text).slice(-SAID_CHARS);
        isNodeBroken ||= V8_BROKE.test(said);
      },
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
  } catch (error) {
    code = 1; // the tally is missing, so the run counts as one failure
    kept.push(String(error));
    if (options.inherit === true) process.stdout.write(`${String(error)}\n`);
  }
  const outcome = { code, output: kept.join(''), seconds: (performance.now() - started) / 1000 };
  return { outcome, tally: readTally(path), isNodeBroken };
}
