import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Recovery } from './recovery.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('attempts follow with doubling pauses of at most ten seconds, and a success starts anew', () => {
  const times: number[] = [];
  const start = Date.now();
  let isBroken = true;
  using recovery: Recovery = new Recovery(() => {
    times.push(Date.now() - start);
    if (isBroken) recovery.failed();
    else recovery.succeeded();
  });
  recovery.plan();
  recovery.plan();
  vi.advanceTimersByTime(1000);
  expect(times.map((time) => Math.round(time / 10) * 10)).toEqual([0, 100, 300, 700]);
  vi.advanceTimersByTime(60_000);
  const pauses = times.map((time, i) => time - (times[i - 1] ?? 0));
  expect(Math.max(...pauses)).toBe(10_000);
  isBroken = false;
  vi.advanceTimersByTime(10_000);
  const count = times.length;
  vi.advanceTimersByTime(60_000);
  expect(times.length).toBe(count);
  recovery.failed();
  vi.advanceTimersByTime(100);
  expect(times.length).toBe(count + 1);
});

test('a success and the end cancel what is planned', () => {
  let attempts = 0;
  const recovery = new Recovery(() => {
    attempts += 1;
  });
  recovery.plan();
  recovery.succeeded();
  recovery.plan();
  recovery[Symbol.dispose]();
  recovery.failed();
  vi.advanceTimersByTime(60_000);
  expect(attempts).toBe(0);
});
