/** Serves an agent's health and metrics for as long as it runs; prom-client is loaded only where a port is given. */
import type { Logger } from 'pino';
import { type Clock, delay } from '#base/clock.ts';
import { HealthServer } from '#io/http-health/index.ts';
import type { AgentMetrics, AgentMetricsSource } from './metrics.ts';

export interface HealthOptions {
  /** Empty: all addresses. */
  readonly host: string;
  readonly port: number;
  /** Why the node is not ready; undefined if it is. */
  readonly notReady: () => string | undefined;
  readonly source: AgentMetricsSource;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Health extends AsyncDisposable {
  readonly metrics: AgentMetrics;
}

/** While an agent follows another, the port may still be the other's. */
const TAKEN_RETRY_MS = 1000;

/**
 * Begins to serve. A port that another process has is waited for, in the background; an address that is none of this host's, or a port that
 * may not be used, rejects with the system's error.
 */
export async function serveHealth(options: HealthOptions): Promise<Health> {
  const { host, port, notReady, clock, logger } = options;
  const { agentMetrics } = await import('./metrics.ts');
  const metrics = agentMetrics(options.source);
  const pages = { notReady, metrics: () => metrics.read() };
  const stop = new AbortController();
  const listen = () => HealthServer.listen(host, port, pages);
  const again = async (): Promise<HealthServer | undefined> => {
    while (!stop.signal.aborted) {
      await delay(clock, TAKEN_RETRY_MS, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return undefined;
      try {
        return await listen();
      } catch (error) {
        if (!isTaken(error)) logger.error({ err: error }, 'health not served');
      }
    }
    return undefined;
  };
  let serving: Promise<HealthServer | undefined>;
  try {
    serving = Promise.resolve(await listen());
  } catch (error) {
    if (!isTaken(error)) throw error;
    logger.warn({ host, port }, 'another process has the health port');
    serving = again();
  }
  return {
    metrics,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await (await serving)?.[Symbol.asyncDispose]();
    },
  };
}

function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
}
