/**
 * Runs the tests, tiers side by side where that disturbs none, and ends with the line `N passed, N failed, N skipped`. Around
 * the privileged tiers it compares the host's state and fails on whatever is left behind.
 * Usage: npm test -- [--tier unit|kernel|interop|e2e|vm]... [--soak] [-t name] [part of a file's path]...
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { leftovers, RUN_MARK, readHostState } from './test/host-state.ts';
import { runPart } from './test/run.ts';
import {
  EXPECTED_SKIPS,
  passedInstead,
  skipDifferences,
  type TierSkip,
  uncoveredSkips,
} from './test/skips.ts';
import { type Lane, stagesOf } from './test/stages.ts';
import { slowest } from './test/tally.ts';
import { filesOf, type Part, partsOf, TIERS, type Tier } from './test/tier.ts';
import { Watch } from './test/watch.ts';

/** How long an ended test's processes and links may take to go. */
const GRACE_MS = 3_000;
/** Of the slowest files, so many are named. */
const SLOWEST = 10;

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
const passedIn = new Map<string, Set<string>>();
const secondsOf: Record<string, number> = {};
const watch = new Watch((line) => process.stdout.write(line));

for (const lanes of stagesOf(partsToRun())) {
  const isOnly = lanes.length === 1;
  using _ = isOnly ? undefined : watch.start();
  await Promise.all(lanes.map((lane) => runLane(lane, isOnly)));
}
if (total.passed + total.failed.length + total.skipped.length === 0) total.failed.push('no test was run');
judgeSkips();
print();

/** Of the tiers that can run here, the parts that have files. */
function partsToRun(): Part[] {
  return chosenTiers().flatMap((tier) => {
    const parts = partsOf(tier).filter((part) => filesOf(part, filters).length > 0);
    const lack = lackFor(tier);
    if (parts.length === 0 && !isPartial) fail(tier, `there are no tests in ${tier.files.join(' ')}`);
    if (parts.length === 0 || lack === undefined) return parts;
    const files = parts.flatMap((part) => filesOf(part, filters));
    total.skipped.push(...files.map((test) => ({ tier: tier.name, test, reason: `needs ${lack}` })));
    summary.push(`${tier.name.padEnd(14)} not run: its ${files.length} files need ${lack}`);
    return [];
  });
}

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

async function runLane(lane: Lane, isShown: boolean): Promise<void> {
  for (const part of lane) await run(part, isShown);
}

/** What is not shown as it comes is shown whole at the end, so that runs side by side do not mix. */
async function run(part: Part, isShown: boolean): Promise<void> {
  const { tier, name } = part;
  if (isShown) process.stdout.write(`\n── ${name} ──\n`);
  const runId = randomUUID();
  // Nothing done in the virtual machine reaches the host, where another tier may be at work.
  const before = tier.privileged && tier.virtual !== true ? readHostState(runId) : undefined;
  const { passed, failed, skipped, seconds, totalSeconds, output, resumed } = await runPart(part, {
    filters,
    pattern: values.testNamePattern,
    inherit: isShown,
    limited: !values.soak,
    onStart: (progress) => watch.add(name, progress),
    env: { [RUN_MARK]: runId, ...(values.soak ? { POPLIN_SOAK: '1' } : {}) },
  });
  watch.remove(name);
  if (!isShown) process.stdout.write(`\n── ${name} ──\n${output.trimEnd()}\n\n`);
  const left = before === undefined ? [] : await settledLeftovers(before, runId);
  passedIn.set(tier.name, new Set([...(passedIn.get(tier.name) ?? []), ...passed]));
  for (const [file, spent] of Object.entries(seconds)) secondsOf[`${tier.name}: ${file}`] = spent;
  total.passed += passed.length;
  total.failed.push(...failed, ...left.map((what) => `${name} left behind: ${what}`));
  // With a name filter every other test counts as skipped by vitest, which says nothing.
  if (values.testNamePattern === undefined)
    total.skipped.push(...skipped.map((skip) => ({ ...skip, tier: tier.name })));
  summary.push(
    ...resumed.map((why) => `note: ${name}: ${why}`),
    `${name.padEnd(14)} ${passed.length} passed, ${failed.length + left.length} failed, ${skipped.length} skipped in ${totalSeconds.toFixed(1)} s`,
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
  summary.push(`${tier.name.padEnd(14)} ${what}`);
}

function print(): void {
  const { passed, failed, skipped } = total;
  const slow = isPartial ? [] : slowest(secondsOf, SLOWEST);
  const lines = [
    '',
    ...skipped.map(explainSkip),
    ...slow.map(([file, seconds]) => `slow: ${seconds.toFixed(1).padStart(6)} s ${file}`),
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
