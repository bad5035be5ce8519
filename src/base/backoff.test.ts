import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backoff, backoffMs } from './backoff.ts';

describe('backoff', () => {
  it('doubles from the first delay to the longest and stays there', () => {
    const options = { initialMs: 100, maxMs: 1000, jitter: 0 };
    const delays = [0, 1, 2, 3, 4, 5, 2000].map((attempt) => backoffMs(attempt, options, () => 0.9));
    expect(delays).toEqual([100, 200, 400, 800, 1000, 1000, 1000]);
  });

  it('takes off at most the random share', () => {
    const options = { initialMs: 100, maxMs: 1000, factor: 3, jitter: 0.5 };
    expect(backoffMs(1, options, () => 0)).toBe(300);
    expect(backoffMs(1, options, () => 0.5)).toBe(225);
    expect(backoffMs(1, options, () => 0.999999)).toBe(150);
  });

  it('never waits longer than allowed nor a negative time', () => {
    fc.assert(
      fc.property(
        fc.nat(5000),
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 1, max: 1e6 }),
        fc.double({ min: 1, max: 10, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (attempt, initialMs, maxMs, factor, jitter, random) => {
          const ms = backoffMs(attempt, { initialMs, maxMs, factor, jitter }, () => random);
          return Number.isInteger(ms) && ms >= 0 && ms <= maxMs;
        },
      ),
    );
  });

  it('counts failures and forgets them after a success', () => {
    const backoff = new Backoff({ initialMs: 10, maxMs: 1000, jitter: 0 }, () => 0);
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([10, 20, 40]);
    expect(backoff.failures).toBe(3);
    backoff.reset();
    expect(backoff.next()).toBe(10);
  });
});
