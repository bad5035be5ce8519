/**
 * Exponential backoff with jitter. Pure: the random source is given, and nothing here waits.
 */
import type { Random } from './clock.ts';

export interface BackoffOptions {
  /** The delay after the first failure, in milliseconds. */
  readonly initialMs: number;
  /** No delay is longer than this, jitter included. */
  readonly maxMs: number;
  /** Growth per failure; 2 if absent. */
  readonly factor?: number;
  /** The share of a delay that is random, 0 (none) to 1 (anything from 0 to the delay); 0.5 if absent. */
  readonly jitter?: number;
}

/** The delay in milliseconds after failure number `attempt` (from 0): a whole number in [(1 - jitter) · d, d], d = min(max, initial · factor^attempt). */
export function backoffMs(attempt: number, options: BackoffOptions, random: Random): number {
  const { initialMs, maxMs, factor = 2, jitter = 0.5 } = options;
  const full = Math.min(maxMs, initialMs * factor ** attempt);
  return Math.round(full * (1 - jitter * random()));
}

/** Counts failures: `next()` is the delay to wait now, `reset()` follows a success. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #failures = 0;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Failures since the last reset. */
  get failures(): number {
    return this.#failures;
  }

  /** Records one more failure and returns its delay in milliseconds. */
  next(): number {
    return backoffMs(this.#failures++, this.#options, this.#random);
  }

  reset(): void {
    this.#failures = 0;
  }
}
