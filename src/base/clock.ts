/**
 * Time as a port: everything that waits or asks the time is given a Clock, so that tests run on a simulated one
 * (testing/sim-clock.ts) and production on the system's (io/clock).
 */

export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number;
  /** Calls `fn` once after at least `ms` milliseconds; disposing the handle before then cancels the call. */
  setTimeout(ms: number, fn: () => void): Disposable;
}

/** A source of uniformly distributed numbers in [0, 1). */
export type Random = () => number;

/** Waits `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.setTimeout(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = () => {
      timer[Symbol.dispose]();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
