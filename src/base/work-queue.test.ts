import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { runs } from '#testing/soak.ts';
import { createReconciler, type ReconcilerOptions } from './work-queue.ts';

/** A reconciler whose runs are logged by their start time and reasons, and end when told. */
function world(options: Partial<ReconcilerOptions> = {}) {
  const clock = new SimClock(0);
  const log: string[] = [];
  const open: Array<{ resolve: () => void; reject: (error: Error) => void }> = [];
  let running = 0;
  let most = 0;
  const reconciler = createReconciler({
    clock,
    random: () => 0,
    backoff: { initialMs: 100, maxMs: 1000, jitter: 0 },
    run: async (_signal, reasons) => {
      log.push(`${clock.now()} ${[...reasons].join('+')}`);
      running++;
      most = Math.max(most, running);
      try {
        await new Promise<void>((resolve, reject) => open.push({ resolve, reject }));
      } finally {
        running--;
      }
    },
    ...options,
  });
  const finish = async (error?: Error) => {
    const run = open.shift();
    if (run === undefined) throw new Error('nothing runs');
    if (error) run.reject(error);
    else run.resolve();
    await settle();
  };
  return { clock, log, open, reconciler, finish, most: () => most };
}

describe('the reconciler', () => {
  it('does nothing untriggered, and answers a burst of triggers by one run', async () => {
    const { reconciler, log, finish } = world();
    await settle();
    expect(log).toEqual([]);
    reconciler.trigger('a');
    reconciler.trigger('b');
    reconciler.trigger('a');
    await settle();
    expect(log).toEqual(['0 a+b']);
    await finish();
    expect(reconciler.dirty).toBe(false);
  });

  it('runs once more, and only once, after triggers during a run', async () => {
    const { reconciler, log, finish, most } = world();
    reconciler.trigger('a');
    await settle();
    reconciler.trigger('b');
    reconciler.trigger('c');
    await settle();
    expect(log).toEqual(['0 a']);
    await finish();
    expect(log).toEqual(['0 a', '0 b+c']);
    await finish();
    expect(log).toHaveLength(2);
    expect(most()).toBe(1);
  });

  it('keeps the minimum interval between starts', async () => {
    const { reconciler, log, finish, clock } = world({ minIntervalMs: 50 });
    reconciler.trigger('a');
    await settle();
    await clock.advanceAsync(10);
    await finish();
    reconciler.trigger('b');
    await clock.advanceAsync(39);
    expect(log).toEqual(['0 a']);
    await clock.advanceAsync(1);
    expect(log).toEqual(['0 a', '50 b']);
    await finish();
  });

  it('repeats a failed run with its reasons after a growing delay, whatever triggers come', async () => {
    const failures: string[] = [];
    const { reconciler, log, finish, clock } = world({
      onError: (error, count, retryInMs) =>
        failures.push(`${count} ${(error as Error).message} ${retryInMs}`),
    });
    reconciler.trigger('a');
    await settle();
    await finish(new Error('no'));
    reconciler.trigger('b');
    await clock.advanceAsync(99);
    expect(log).toEqual(['0 a']);
    await clock.advanceAsync(1);
    expect(log).toEqual(['0 a', '100 a+b']);
    await finish(new Error('no'));
    await clock.advanceAsync(200);
    expect(log.at(-1)).toBe('300 a+b');
    await finish();
    expect(failures).toEqual(['1 no 100', '2 no 200']);
    reconciler.trigger('c');
    await settle();
    await finish(new Error('again'));
    expect(failures.at(-1)).toBe('1 again 100');
  });

  it('does not let somebody who waits wait for the minimum interval, nor shorten a backoff for them', async () => {
    const { reconciler, log, finish, clock } = world({ minIntervalMs: 50 });
    reconciler.trigger('a');
    await settle();
    await finish();
    reconciler.trigger('b');
    await clock.advanceAsync(10);
    expect(log).toEqual(['0 a']);
    reconciler.triggerUrgently('c');
    await settle();
    expect(log).toEqual(['0 a', '10 b+c']);
    await finish();
    reconciler.trigger('d');
    await clock.advanceAsync(49);
    expect(log).toHaveLength(2);
    await clock.advanceAsync(1);
    expect(log.at(-1)).toBe('60 d');
    await finish(new Error('no'));
    reconciler.triggerUrgently('e');
    await clock.advanceAsync(99);
    expect(log).toHaveLength(3);
    await clock.advanceAsync(1);
    expect(log.at(-1)).toBe('160 d+e');
    await finish();
  });

  it('waits no longer than it was to when the clock is set back', async () => {
    const clock = new SimClock(0);
    let aheadMs = 3_600_000;
    const skewed = {
      now: () => clock.now() + aheadMs,
      setTimeout: (ms: number, fn: () => void) => clock.setTimeout(ms, fn),
    };
    const { reconciler, log, finish } = world({ clock: skewed, minIntervalMs: 50 });
    reconciler.trigger('a');
    await settle();
    await finish();
    aheadMs = 0;
    reconciler.trigger('b');
    await clock.advanceAsync(50);
    await finish(new Error('no'));
    aheadMs = -3_600_000;
    reconciler.trigger('c');
    await clock.advanceAsync(100);
    expect(log).toHaveLength(3);
  });

  it('runs by itself after the maximum interval, counted from the last end', async () => {
    const { log, finish, clock } = world({ maxIntervalMs: 1000 });
    await clock.advanceAsync(1000);
    expect(log).toEqual(['1000 resync']);
    await clock.advanceAsync(500);
    await finish();
    await clock.advanceAsync(999);
    expect(log).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(log.at(-1)).toBe('2500 resync');
    await finish();
  });

  it('says when all is done', async () => {
    const { reconciler, finish, clock } = world();
    let settled = false;
    await reconciler.settled();
    reconciler.trigger();
    const waiting = (async () => {
      await reconciler.settled();
      settled = true;
    })();
    await settle();
    await finish(new Error('no'));
    expect(settled).toBe(false);
    await clock.advanceAsync(100);
    await finish();
    await waiting;
    expect(settled).toBe(true);
  });

  it('aborts the run, waits for it and starts none after a stop', async () => {
    let aborted = false;
    const clock = new SimClock(0);
    let runs = 0;
    const reconciler = createReconciler({
      clock,
      random: () => 0,
      maxIntervalMs: 10,
      run: (signal) => {
        runs++;
        return new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => {
            aborted = true;
            resolve();
          }),
        );
      },
    });
    reconciler.trigger();
    await settle();
    reconciler.trigger();
    await reconciler.stop();
    await reconciler.settled();
    reconciler.trigger();
    await clock.advanceAsync(1000);
    expect({ aborted, runs, pending: clock.pending }).toEqual({ aborted: true, runs: 1, pending: 0 });
  });

  it('never loses a trigger nor runs twice at once, whatever happens in which order', async () => {
    const step = fc.constantFrom('trigger', 'urge', 'succeed', 'fail', 'wait');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { reconciler, clock, open, finish, most, log } = world({ minIntervalMs: 20 });
        let triggers = 0;
        for (const each of steps) {
          if (each === 'trigger') reconciler.trigger(`t${triggers++}`);
          else if (each === 'urge') reconciler.triggerUrgently(`t${triggers++}`);
          else if (each === 'wait') await clock.advanceAsync(30);
          else if (open.length > 0) await finish(each === 'fail' ? new Error('no') : undefined);
        }
        while (reconciler.dirty) {
          await clock.advanceAsync(1000);
          if (open.length > 0) await finish();
        }
        const seen = new Set(log.flatMap((line) => (line.split(' ')[1] as string).split('+')));
        expect(seen.size).toBe(triggers);
        expect(most()).toBeLessThanOrEqual(1);
      }),
      runs(60, 2000),
    );
  });
});
