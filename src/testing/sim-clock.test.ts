import { describe, expect, it } from 'vitest';
import { delay } from '#base/clock.ts';
import { SimClock } from './sim-clock.ts';

describe('the simulated clock', () => {
  it('runs due timers in the order of their time, then of their making, and those set on the way', () => {
    const clock = new SimClock(1000);
    const log: string[] = [];
    const note = (text: string) => () => log.push(`${clock.now()} ${text}`);
    clock.setTimeout(20, note('late'));
    clock.setTimeout(10, note('first'));
    clock.setTimeout(10, () => {
      note('second')();
      clock.setTimeout(5, note('nested'));
    });
    clock.setTimeout(11, note('cancelled'))[Symbol.dispose]();
    expect(clock.nextIn).toBe(10);
    clock.advance(19);
    expect(log).toEqual(['1010 first', '1010 second', '1015 nested']);
    clock.advance(1);
    expect(log.at(-1)).toBe('1020 late');
    expect(clock.pending).toBe(0);
  });

  it('lets promises go on between timers', async () => {
    const clock = new SimClock(0);
    let ticks = 0;
    void (async () => {
      while (ticks < 5) {
        await delay(clock, 10);
        ticks++;
      }
    })();
    await clock.advanceAsync(35);
    expect(ticks).toBe(3);
    await clock.advanceAsync(100);
    expect(ticks).toBe(5);
  });

  it('ends a delay with the reason of an abort, and leaves no timer', async () => {
    const clock = new SimClock();
    const stopping = new AbortController();
    const waiting = delay(clock, 1000, stopping.signal);
    stopping.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
    await expect(delay(clock, 1, stopping.signal)).rejects.toThrow('stop');
    expect(clock.pending).toBe(0);
  });
});
