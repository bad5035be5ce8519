/**
 * The tests that may be skipped (tools/expected-skips.json), each with the tier where it passes instead: what one kernel
 * lacks, another has.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../command.ts';
import type { Skip } from './tally.ts';

export interface TierSkip extends Skip {
  /** The tier it was skipped in. */
  readonly tier: string;
}

export interface ExpectedSkip extends TierSkip {
  /** The tier whose run of the same test has to pass; absent if there is none. */
  readonly passesIn?: string;
}

export const EXPECTED_SKIPS = JSON.parse(
  readFileSync(join(ROOT, 'tools/expected-skips.json'), 'utf8'),
) as readonly ExpectedSkip[];

/** The file of a test, from its full name. */
export function fileOfTest(test: string): string {
  return test.split(' > ')[0] ?? '';
}

/** Files that a tier runs because tests in them are skipped elsewhere. */
export function filesRunInstead(tier: string, expected: readonly ExpectedSkip[] = EXPECTED_SKIPS): string[] {
  const files = expected.filter(({ passesIn }) => passesIn === tier).map(({ test }) => fileOfTest(test));
  return [...new Set(files)];
}

/** One line per difference: skipped but not expected, skipped for another reason, expected but run. */
export function skipDifferences(skipped: readonly TierSkip[], expected: readonly TierSkip[]): string[] {
  const wanted = new Map(expected.map((skip) => [keyOf(skip), skip.reason]));
  const seen = new Set(skipped.map(keyOf));
  const unexpected = skipped.flatMap((skip) => {
    const expectedReason = wanted.get(keyOf(skip));
    if (expectedReason === undefined)
      return [`skipped, which is not expected: ${keyOf(skip)} (${skip.reason || 'no reason given'})`];
    if (expectedReason !== skip.reason)
      return [`skipped for "${skip.reason}", expected "${expectedReason}": ${keyOf(skip)}`];
    return [];
  });
  const missing = expected.filter((skip) => !seen.has(keyOf(skip)));
  return [...unexpected, ...missing.map((skip) => `expected to be skipped, but was not: ${keyOf(skip)}`)];
}

/** Where a skipped test passed instead, among the tiers that ran; undefined if nowhere. */
export function passedInstead(
  { tier, test }: TierSkip,
  passed: ReadonlyMap<string, ReadonlySet<string>>,
): string | undefined {
  return [...passed].find(([name, tests]) => name !== tier && tests.has(test))?.[0];
}

/**
 * One line per skipped test that had to pass in another tier and did not, though that tier ran. `passed` has the tests
 * that passed, by tier, of the tiers that ran.
 */
export function uncoveredSkips(
  skipped: readonly TierSkip[],
  expected: readonly ExpectedSkip[],
  passed: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  const wanted = new Map(expected.map((skip) => [keyOf(skip), skip.passesIn]));
  return skipped.flatMap((skip) => {
    const tier = wanted.get(keyOf(skip));
    if (tier === undefined || passed.get(tier)?.has(skip.test) !== false) return [];
    return [`skipped, and did not pass in ${tier} instead: ${keyOf(skip)}`];
  });
}

function keyOf({ tier, test }: TierSkip): string {
  return `${tier}: ${test}`;
}
