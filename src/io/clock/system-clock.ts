/**
 * The system's clock and random source behind the ports of base/clock.ts.
 */
import type { Clock, Random } from '#base/clock.ts';

/** The longest delay Node's own timer takes; it fires at once beyond. */
const LONGEST_MS = 2 ** 31 - 1;

/** The wall clock and Node's timers, which keep the process alive while pending. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout(ms, fn) {
    let timer: NodeJS.Timeout;
    const arm = (left: number) => {
      timer = setTimeout(
        () => (left > LONGEST_MS ? arm(left - LONGEST_MS) : fn()),
        Math.min(left, LONGEST_MS),
      );
    };
    arm(Math.max(0, ms));
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** Not for secrets: jitter and spreading only. */
export const systemRandom: Random = () => Math.random();
