import { expect, it } from 'vitest';
import { isWorthAgain } from './run.ts';

it('a run is begun again where node broke, and not where a test failed', () => {
  const tally = { passed: [], failed: [], skipped: [], seconds: {} };
  expect(isWorthAgain({ isNodeBroken: true, tally: undefined })).toBe(true);
  expect(isWorthAgain({ isNodeBroken: true, tally })).toBe(true);
  expect(isWorthAgain({ isNodeBroken: true, tally: { ...tally, failed: ['a test'] } })).toBe(false);
  expect(isWorthAgain({ isNodeBroken: false, tally })).toBe(false);
  expect(isWorthAgain({ tally: undefined })).toBe(false);
});
