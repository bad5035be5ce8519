import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { UnreachableError } from '#io/kube/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { untilReachable } from './retry.ts';

const away = () => new UnreachableError('192.0.2.1:6443', 'GET /api', new Error('connect ECONNREFUSED'));

function setUp() {
  const clock = new SimClock();
  const lines: string[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const stop = new AbortController();
  return { clock, lines, stop, options: { clock, random: () => 0, logger, signal: stop.signal } };
}

describe('untilReachable', () => {
  it('waits longer and longer for a store that is away, and says so once', async () => {
    const { clock, lines, options } = setUp();
    const begin = clock.now();
    const tries: number[] = [];
    const result = untilReachable(
      'node',
      () => {
        tries.push(clock.now() - begin);
        return tries.length < 9 ? Promise.reject(away()) : Promise.resolve('here');
      },
      options,
    );
    await clock.advanceAsync(60_000);
    expect(await result).toBe('here');
    expect(tries).toEqual([0, 100, 300, 700, 1500, 3100, 6300, 11_300, 16_300]);
    expect(lines).toEqual(['node: store away']);
  });

  it('does not repeat what the store refused', async () => {
    const { options } = setUp();
    await expect(untilReachable('x', () => Promise.reject(new Error('forbidden')), options)).rejects.toThrow(
      'forbidden',
    );
  });

  it('stops when it is told to, also while it waits', async () => {
    const { clock, stop, options } = setUp();
    const result = untilReachable('x', () => Promise.reject(away()), options);
    await settle();
    stop.abort(new Error('stopping'));
    await expect(result).rejects.toThrow('stopping');
    expect(clock.pending).toBe(0);
  });
});
