/**
 * One abort signal out of several and a time limit, whose listeners and timer are gone when it is disposed.
 */
import type { Clock } from '#base/clock.ts';

export interface TimeLimit {
  readonly clock: Clock;
  readonly ms: number;
  /** The reason to abort with when the time is over. */
  readonly late: () => Error;
}

export class Limit implements Disposable {
  readonly #controller = new AbortController();
  readonly #sources: AbortSignal[];
  #timer: Disposable | undefined;

  /** Aborts with the reason of the first source that does. */
  constructor(sources: readonly (AbortSignal | undefined)[], time?: TimeLimit) {
    this.#sources = sources.filter((source) => source !== undefined);
    for (const source of this.#sources) {
      if (source.aborted) this.#controller.abort(source.reason);
      source.addEventListener('abort', this);
    }
    if (time) this.#timer = time.clock.setTimeout(time.ms, () => this.#controller.abort(time.late()));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Takes the time limit away. */
  lift(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  /** The sources' listener. */
  handleEvent(event: Event): void {
    this.#controller.abort((event.target as AbortSignal).reason);
  }

  [Symbol.dispose](): void {
    this.lift();
    for (const source of this.#sources) source.removeEventListener('abort', this);
  }
}
