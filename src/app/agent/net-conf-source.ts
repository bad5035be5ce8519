/** Where the cluster's network configuration comes from: a file, or a ConfigMap in the store. */
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type Clock, delay } from '#base/clock.ts';
import { formatProblem, requireConfig } from '#core/config/index.ts';
import { LEASE_NAMESPACE, type NetConf, parseNetConf } from '#core/lease/index.ts';
import { isNotFound, type KubeObject, type ObjectStore, RESOURCES } from '#core/store/index.ts';

/** The ConfigMap and its key; flannel's file of the same name goes there unchanged. */
export const CONFIG_MAP = 'poplin-config';
export const CONFIG_KEY = 'net-conf.json';
const RETRY_MS = 1000;

/** Reads and validates it; waits for a ConfigMap that is not there yet. Throws ConfigError with all problems. */
export async function loadNetConf(
  file: string | undefined,
  store: ObjectStore,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
): Promise<NetConf> {
  const [text, source] =
    file === undefined ? await fromStore(store, clock, logger, signal) : [await readFile(file, 'utf8'), file];
  const result = parseNetConf(text, source);
  for (const warning of result.warnings)
    logger.warn({ reason: formatProblem(warning) }, 'network configuration');
  return requireConfig(result);
}

async function fromStore(
  store: ObjectStore,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
): Promise<[string, string]> {
  const source = `configmap ${LEASE_NAMESPACE}/${CONFIG_MAP} key ${CONFIG_KEY}`;
  for (let told = false; ; told = true) {
    const map = await getOrUndefined(store, signal);
    const text = (map?.['data'] as Record<string, string> | undefined)?.[CONFIG_KEY];
    if (text !== undefined) return [text, source];
    if (!told) logger.info({ source }, 'waiting for the network configuration');
    await delay(clock, RETRY_MS, signal);
  }
}

async function getOrUndefined(store: ObjectStore, signal: AbortSignal): Promise<KubeObject | undefined> {
  try {
    return await store.get(RESOURCES.configMaps, CONFIG_MAP, { namespace: LEASE_NAMESPACE, signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
