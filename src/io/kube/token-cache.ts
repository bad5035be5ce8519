/**
 * A bearer token that lives in a file: kubelet renews a pod's token in place, so it is read again, but not for each request.
 */
import type { Clock } from '#base/clock.ts';

const MAX_AGE_MS = 60_000;

export class TokenCache {
  readonly #read: () => string;
  readonly #clock: Clock;
  #token: string | undefined;
  #readAt = 0;

  constructor(read: () => string, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** The token, at most a minute old; the last good one while the file cannot be read, and its error if there is none. */
  get(): string {
    if (this.#token === undefined || this.#clock.now() - this.#readAt >= MAX_AGE_MS) this.refresh();
    return this.#token as string;
  }

  /** Reads the token now; true if it differs from the one before. */
  refresh(): boolean {
    const before = this.#token;
    try {
      this.#token = this.#read();
    } catch (error) {
      if (before === undefined) throw error;
    }
    this.#readAt = this.#clock.now();
    return this.#token !== before;
  }
}
