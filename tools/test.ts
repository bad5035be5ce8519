/**
 * Runs the tests tier by tier and ends with the line `N passed, N failed, N skipped`. Around the privileged tiers it
 * compares the host's state and fails on whatever is left behind.
 * Usage: npm test -- [--tier unit|kernel|interop|e2e|vm]... [--soak] [-t name] [part of a file's path]...
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { leftovers, RUN_MARK, readHostState } from './test/host-state.ts';
import {
  EXPECTED_SKIPS,
  passedInstead,
  skipDifferences,
  type TierSkip,
  uncoveredSkips,
} from './test/skips.ts';
import { filesOf, runTier, TIERS, type Tier } from './test/tier.ts';

/** How long an ended test's processes and links may take to go. */
const GRACE_MS = 3_000;

const { values, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    tier: { type: 'string', multiple: true },
    soak: { type: 'boolean', default: false },
    testNamePattern: { type: 'string', short: 't' },
  },
});
const isRoot = process.getuid?.() === 0;
const isCi = process.env['CI'] === 'true';
const isPartial = filters.length > 0 || values.testNamePattern !== undefined;
const total = { passed: 0, failed: [] as string[], skipped: [] as TierSkip[] };
const summary: string[] = [];
/** The tests that passed, by tier, of the tiers that ran. */
const passedIn = new Map<string, ReadonlySet<string>>();

for (const tier of chosenTiers()) {
  const files = filesOf(tier, filters);
  if (files.length === 0) {
    if (!isPartial) fail(tier, `there are no tests in ${tier.files.join(' ')}`);
    continue;
  }
  const lack = lackFor(tier);
  if (lack === undefined) {
    await run(tier);
    continue;
  }
  total.skipped.push(...files.map((test) => ({ tier: tier.name, test, reason: `needs ${lack}` })));
  summary.push(`${tier.name.padEnd(8)} not run: its ${files.length} files need ${lack}`);
}
if (total.passed + total.failed.length + total.skipped.length === 0) total.failed.push('no test was run');
judgeSkips();
print();

function chosenTiers(): Tier[] {
  const names = values.tier ?? TIERS.map((tier) => tier.name);
  return names.map((name) => {
    const tier = TIERS.find((each) => each.name === name);
    if (tier !== undefined) return tier;
    process.stderr.write(`unknown tier "${name}": use ${TIERS.map((each) => each.name).join(', ')}\n`);
    process.exit(2);
  });
}

/** What the tier needs and this machine has not; undefined if it can run. */
function lackFor(tier: Tier): string | undefined {
  if (tier.privileged && !isRoot) return 'root (sudo npm test)';
  if (tier.virtual === true && process.arch !== 'x64') return 'an x86-64 processor';
  return undefined;
}

async function run(tier: Tier): Promise<void> {
  process.stdout.write(`\n── ${tier.name} ──\n`);
  const runId = randomUUID();
  const before = tier.privileged ? readHostState(runId) : undefined;
  const name = values.testNamePattern === undefined ? [] : ['-t', values.testNamePattern];
  const { passed, failed, skipped, seconds } = await runTier(tier, [...name, ...filters], {
    inherit: true,
    limited: !values.soak,
    env: { [RUN_MARK]: runId, ...(values.soak ? { POPLIN_SOAK: '1' } : {}) },
  });
  passedIn.set(tier.name, new Set(passed));
  const left = before === undefined ? [] : await settledLeftovers(before, runId);
  total.passed += passed.length;
  total.failed.push(...failed, ...left.map((what) => `${tier.name} left behind: ${what}`));
  // With a name filter every other test counts as skipped by vitest, which says nothing.
  if (values.testNamePattern === undefined)
    total.skipped.push(...skipped.map((skip) => ({ ...skip, tier: tier.name })));
  summary.push(
    `${tier.name.padEnd(8)} ${passed.length} passed, ${failed.length + left.length} failed, ${skipped.length} skipped in ${seconds.toFixed(1)} s`,
  );
}

async function settledLeftovers(before: ReturnType<typeof readHostState>, runId: string): Promise<string[]> {
  const deadline = performance.now() + GRACE_MS;
  for (;;) {
    const left = leftovers(before, readHostState(runId));
    if (left.length === 0 || performance.now() > deadline) return left;
    await delay(100);
  }
}

/**
 * What is skipped in one tier has to pass in the other that is named for it, if that one ran. On a machine of the build farm the
 * skips are known exactly; elsewhere the difference is only told.
 */
function judgeSkips(): void {
  total.failed.push(...uncoveredSkips(total.skipped, EXPECTED_SKIPS, passedIn));
  if (isPartial || !isRoot) return;
  const expected = EXPECTED_SKIPS.filter(({ tier }) => passedIn.has(tier));
  const differences = skipDifferences(total.skipped, expected);
  if (isCi) total.failed.push(...differences);
  else summary.push(...differences.map((line) => `note: ${line}`));
}

function fail(tier: Tier, what: string): void {
  total.failed.push(`${tier.name}: ${what}`);
  summary.push(`${tier.name.padEnd(8)} ${what}`);
}

function print(): void {
  const { passed, failed, skipped } = total;
  const lines = [
    '',
    ...skipped.map(explainSkip),
    ...failed.map((name) => `failed: ${name}`),
    ...summary,
    `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

function explainSkip(skip: TierSkip): string {
  const elsewhere = passedInstead(skip, passedIn);
  const remark = elsewhere === undefined ? '' : `; passed in ${elsewhere}`;
  return `skipped: ${skip.tier}: ${skip.test} (${skip.reason || 'no reason given'}${remark})`;
}
