/** The tiers of tests, and the run of one of them through vitest, on this machine or in a virtual one. */
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandOptions, type Outcome, ROOT, runCommand } from '../command.ts';
import { guestEnvironment, Machine } from '../vm/index.ts';
import { filesRunInstead } from './skips.ts';
import { readTally, type Tally } from './tally.ts';

/** A tier; its name is that of its vitest project. */
export interface Tier {
  readonly name: string;
  readonly files: readonly string[];
  /** Files of other tiers that run in this one as well. */
  readonly borrowed?: readonly string[];
  /** True if its tests need root and touch the machine's kernel. */
  readonly privileged: boolean;
  /** True if it runs under the kernel of tools/vm. */
  readonly virtual?: true;
  /** False if its files share a process, for which they have to be starting quickly more than they have to be apart. */
  readonly isolated: boolean;
  readonly testTimeoutMs: number;
  /** For the whole tier; not in a soak run. */
  readonly limitMinutes: number;
}

export const TIERS: readonly Tier[] = [
  {
    name: 'unit',
    files: ['{src,tools}/**/*.test.{ts,mjs}', 'test/oracle/*.test.ts'],
    privileged: false,
    isolated: false,
    testTimeoutMs: 30_000,
    limitMinutes: 5,
  },
  privileged('kernel', 60_000, 15),
  privileged('interop', 120_000, 20),
  privileged('e2e', 180_000, 20),
  {
    ...privileged('vm', 240_000, 15),
    // What is skipped elsewhere, and what the agent rests on: it has to hold on a kernel that is years older, too.
    borrowed: [
      ...filesRunInstead('vm'),
      'test/kernel/netlink-socket-nft.test.ts',
      'test/kernel/kernel-contract.test.ts',
    ],
    virtual: true,
    isolated: false,
  },
];

export interface TierRun extends Tally {
  readonly seconds: number;
  /** What vitest said, when it was not shown. */
  readonly output: string;
}

/** Of the files a tier runs. */
export function patternsOf({ files, borrowed = [] }: Tier): string[] {
  return [...files, ...borrowed];
}

/** The tier's test files whose path contains one of the filters; all of them without filters. */
export function filesOf(tier: Tier, filters: readonly string[]): string[] {
  const paths = globSync(patternsOf(tier), { cwd: ROOT });
  return paths.filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)));
}

type RunOptions = Pick<CommandOptions, 'env' | 'inherit'> & { readonly limited?: boolean };

/** Runs a tier to its end. A run that breaks off, or fails without a failed test, counts as one failure. */
export async function runTier(
  tier: Tier,
  args: readonly string[],
  options: RunOptions = {},
): Promise<TierRun> {
  const { limited = true, env, inherit } = options;
  const command = ['vitest', 'run', '--project', tier.name, ...args];
  const limits = limited ? { timeoutMs: tier.limitMinutes * 60_000 } : {};
  const run = tier.virtual === true ? runInMachine : runHere;
  const { outcome, tally } = await run(command, {
    ...(inherit === undefined ? {} : { inherit }),
    ...limits,
    env: env ?? {},
  });
  const { code, seconds, output } = outcome;
  const { passed = [], failed = [], skipped = [] } = tally ?? {};
  const rest = { passed, skipped, seconds, output };
  if (code === 0 || failed.length > 0) return { ...rest, failed };
  const cause = code === null ? `broken off after ${seconds.toFixed(0)} s` : `vitest ended with ${code}`;
  return { ...rest, failed: [`${tier.name}: ${cause}`] };
}

interface Run {
  readonly outcome: Outcome;
  readonly tally: Tally | undefined;
}

async function runHere([name = '', ...args]: readonly string[], options: CommandOptions): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-tally-'));
  const path = join(folder, 'tally.json');
  try {
    const env = { ...options.env, POPLIN_TALLY: path };
    return { outcome: await runCommand(name, args, { ...options, env }), tally: readTally(path) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runInMachine(command: readonly string[], options: CommandOptions): Promise<Run> {
  const started = performance.now();
  const kept: string[] = [];
  let code: number | null = null;
  using machine = new Machine();
  const path = join(machine.share, 'tally.json');
  try {
    const colour: Record<string, string> = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
    code = await machine.run({
      command,
      cwd: ROOT,
      env: guestEnvironment({ ...colour, ...options.env, POPLIN_TALLY: path, POPLIN_VIRTUAL: '1' }),
      onOutput: (text) => (options.inherit === true ? process.stdout.write(text) : kept.push(text)),
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

function privileged(name: string, testTimeoutMs: number, limitMinutes: number): Tier {
  return {
    name,
    files: [`test/${name}/**/*.test.ts`],
    privileged: true,
    isolated: true,
    testTimeoutMs,
    limitMinutes,
  };
}
