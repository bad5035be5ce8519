/** Repeats a call to the store until it answers: an agent that starts before its API server waits for it. */

import type { Logger } from 'pino';
import { Backoff } from '#base/backoff.ts';
import { type Clock, delay, type Random } from '#base/clock.ts';
import { isUnreachable } from '#io/kube/index.ts';

export async function untilReachable<T>(
  what: string,
  work: () => Promise<T>,
  { clock, random, logger, signal }: { clock: Clock; random: Random; logger: Logger; signal: AbortSignal },
): Promise<T> {
  const backoff = new Backoff({ initialMs: 100, maxMs: 5000 }, random);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!isUnreachable(error)) throw error;
      const retryInMs = backoff.next();
      if (backoff.failures === 1) logger.warn({ err: error, retryInMs }, `${what}: store away`);
      await delay(clock, retryInMs, signal);
    }
  }
}
