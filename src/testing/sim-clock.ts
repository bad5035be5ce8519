/**
 * A clock that stands still until told to move: timers run in the order of their due time, then of their creation.
 */
import type { Clock } from '#base/clock.ts';

interface SimTimer {
  readonly at: number;
  readonly fn: () => void;
}

export class SimClock implements Clock {
  #now: number;
  #timers: SimTimer[] = [];

  /** Starts at `now` milliseconds since 1970; 2024-01-01T00:00:00Z if absent. */
  constructor(now: number = Date.UTC(2024, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(ms: number, fn: () => void): Disposable {
    const timer: SimTimer = { at: this.#now + Math.max(0, ms), fn };
    const index = this.#timers.findIndex((other) => other.at > timer.at);
    this.#timers.splice(index < 0 ? this.#timers.length : index, 0, timer);
    return {
      [Symbol.dispose]: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Milliseconds until the next timer is due, or undefined if none waits. */
  get nextIn(): number | undefined {
    const next = this.#timers[0];
    return next && next.at - this.#now;
  }

  /** Moves time by `ms` and runs the timers that fall due, also those set on the way. Promises do not progress in between. */
  advance(ms: number): void {
    const end = this.#now + ms;
    while (this.#runNext(end));
    this.#now = end;
  }

  /** Like advance, but lets pending promises and I/O callbacks progress before, between and after the timers. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    while (this.#runNext(end)) await settle();
    this.#now = end;
  }

  #runNext(end: number): boolean {
    const next = this.#timers[0];
    if (next === undefined || next.at > end) return false;
    this.#timers.shift();
    this.#now = next.at;
    next.fn();
    return true;
  }
}

/** Lets all promise jobs and ready I/O callbacks run: three turns of the event loop. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
