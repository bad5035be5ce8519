/** The tiers of tests, and the run of one of them through vitest. */
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandOptions, ROOT, runCommand } from '../command.ts';
import { readTally, type Tally } from './tally.ts';

/** A tier; its name is that of its vitest project. */
export interface Tier {
  readonly name: string;
  readonly files: readonly string[];
  /** True if its tests need root and touch the machine's kernel. */
  readonly privileged: boolean;
  readonly testTimeoutMs: number;
  /** For the whole tier; not in a soak run. */
  readonly limitMinutes: number;
}

export const TIERS: readonly Tier[] = [
  {
    name: 'unit',
    files: ['{src,tools}/**/*.test.{ts,mjs}'],
    privileged: false,
    testTimeoutMs: 30_000,
    limitMinutes: 5,
  },
  privileged('kernel', 60_000, 15),
  privileged('interop', 120_000, 20),
  privileged('e2e', 180_000, 20),
];

export interface TierRun extends Tally {
  readonly seconds: number;
  /** What vitest said, when it was not shown. */
  readonly output: string;
}

/** The tier's test files whose path contains one of the filters; all of them without filters. */
export function filesOf(tier: Tier, filters: readonly string[]): string[] {
  const paths = globSync([...tier.files], { cwd: ROOT });
  return paths.filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)));
}

/** Runs a tier to its end. A run that breaks off, or fails without a failed test, counts as one failure. */
export async function runTier(
  tier: Tier,
  args: readonly string[],
  options: Pick<CommandOptions, 'env' | 'inherit'> & { readonly limited?: boolean } = {},
): Promise<TierRun> {
  const { limited = true, ...rest } = options;
  const folder = mkdtempSync(join(tmpdir(), 'poplin-tally-'));
  const path = join(folder, 'tally.json');
  try {
    const { code, output, seconds } = await runCommand('vitest', ['run', '--project', tier.name, ...args], {
      ...rest,
      env: { ...rest.env, POPLIN_TALLY: path },
      ...(limited ? { timeoutMs: tier.limitMinutes * 60_000 } : {}),
    });
    const tally = readTally(path) ?? { passed: 0, failed: [], skipped: [] };
    if (code === 0 || tally.failed.length > 0) return { ...tally, seconds, output };
    const cause = code === null ? `broken off after ${seconds.toFixed(0)} s` : `vitest ended with ${code}`;
    return { ...tally, failed: [`${tier.name}: ${cause}`], seconds, output };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function privileged(name: string, testTimeoutMs: number, limitMinutes: number): Tier {
  return { name, files: [`test/${name}/**/*.test.ts`], privileged: true, testTimeoutMs, limitMinutes };
}
