/** Compares the tests that were skipped with the list of those that may be (tools/expected-skips.json). */
import type { Skip } from './tally.ts';

/** One line per difference: skipped but not expected, skipped for another reason, expected but run. */
export function skipDifferences(skipped: readonly Skip[], expected: readonly Skip[]): string[] {
  const wanted = new Map(expected.map((skip) => [skip.test, skip.reason]));
  const seen = new Set(skipped.map((skip) => skip.test));
  const unexpected = skipped.flatMap(({ test, reason }) => {
    const expectedReason = wanted.get(test);
    if (expectedReason === undefined)
      return [`skipped, which is not expected: ${test} (${reason || 'no reason given'})`];
    if (expectedReason !== reason) return [`skipped for "${reason}", expected "${expectedReason}": ${test}`];
    return [];
  });
  const missing = expected.filter(({ test }) => !seen.has(test));
  return [...unexpected, ...missing.map(({ test }) => `expected to be skipped, but was not: ${test}`)];
}
