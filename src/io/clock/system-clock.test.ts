import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock, systemRandom } from './index.ts';

describe('the system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('waits also longer than a timer of Node can', () => {
    const days = 60 * 24 * 3600 * 1000;
    const start = systemClock.now();
    let firedAt: number | undefined;
    systemClock.setTimeout(days, () => {
      firedAt = systemClock.now();
    });
    vi.advanceTimersByTime(days - 1);
    expect(firedAt).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(firedAt).toBe(start + days);
  });

  it('takes a timer back, also one that has been armed anew', () => {
    const days = 60 * 24 * 3600 * 1000;
    const timer = systemClock.setTimeout(days, () => expect.fail('it was taken back'));
    vi.advanceTimersByTime(days / 2);
    timer[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('has random numbers from 0 to below 1', () => {
    const numbers = Array.from({ length: 100 }, systemRandom);
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(new Set(numbers).size).toBeGreaterThan(90);
  });
});
