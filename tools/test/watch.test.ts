import { expect, it, vi } from 'vitest';
import { Watch } from './watch.ts';

it('a line each half minute tells how far each run is, and none when they ended', () => {
  vi.useFakeTimers();
  const lines: string[] = [];
  try {
    const watch = new Watch((line) => lines.push(line));
    watch.add('kernel', () => ({ files: 61, ended: 12, running: ['test/kernel/cni-nat.test.ts'] }));
    watch.add('vm', () => undefined);
    const told = watch.start();
    vi.advanceTimersByTime(30_000);
    watch.remove('vm');
    watch.add('kernel', () => ({ files: 61, ended: 61, running: [] }));
    vi.advanceTimersByTime(30_000);
    told[Symbol.dispose]();
    vi.advanceTimersByTime(90_000);
  } finally {
    vi.useRealTimers();
  }
  expect(lines.map((line) => line.replace(/^\d+ s: /, ''))).toEqual([
    'kernel 12 of 61 files (cni-nat); vm starts\n',
    'kernel 61 of 61 files\n',
  ]);
});
