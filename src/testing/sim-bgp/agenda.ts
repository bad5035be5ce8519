/** What is to be done later, on a SimClock: of a million things most are due at the same moment, and share one timer. */
import type { SimClock } from '../sim-clock.ts';

export class SimAgenda {
  readonly #clock: SimClock;
  readonly #due = new Map<number, (() => void)[]>();

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Calls `fn` after so many whole milliseconds, behind what is due then already. */
  after(ms: number, fn: () => void): void {
    const at = this.now() + Math.max(0, Math.ceil(ms));
    const jobs = this.#due.get(at);
    if (jobs !== undefined) {
      jobs.push(fn);
      return;
    }
    const first = [fn];
    this.#due.set(at, first);
    this.#clock.setTimeout(at - this.now(), () => {
      for (const job of first) job();
      this.#due.delete(at);
    });
  }
}
