/**
 * CNI_ARGS: `KEY=VALUE;KEY=VALUE`, the old way to pass parameters.
 * Kubernetes runtimes pass the pod's name this way, with IgnoreUnknown=1 so that plugins bear it.
 */
import { CNI_ERROR, CniError } from './error.ts';

/** Keys some plugin of ours reads; every plugin of a chain gets all of them, so each accepts what another reads. */
export const KNOWN_CNI_ARGS = [
  'IP',
  'MAC',
  'GATEWAY',
  'K8S_POD_NAMESPACE',
  'K8S_POD_NAME',
  'K8S_POD_INFRA_CONTAINER_ID',
  'K8S_POD_UID',
] as const;

/** The pairs by key, without IgnoreUnknown; throws CniError 4 for a malformed pair or, unless IgnoreUnknown is set, an unknown key. */
export function parseCniArgs(
  text: string,
  known: readonly string[] = KNOWN_CNI_ARGS,
): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  if (text === '') return pairs;
  let ignoreUnknown = false;
  const unknown: string[] = [];
  for (const pair of text.split(';')) {
    const parts = pair.split('=');
    const [key, value] = parts;
    if (parts.length !== 2 || !key || value === undefined) {
      throw new CniError(CNI_ERROR.invalidEnvironment, `CNI_ARGS: invalid pair ${JSON.stringify(pair)}`);
    }
    if (key === 'IgnoreUnknown') ignoreUnknown = parseFlag(value, pair);
    else {
      pairs.set(key, value);
      if (!known.includes(key)) unknown.push(pair);
    }
  }
  if (unknown.length > 0 && !ignoreUnknown) {
    const list = unknown.map((pair) => JSON.stringify(pair)).join(' ');
    throw new CniError(CNI_ERROR.invalidEnvironment, `CNI_ARGS: unknown args [${list}]`);
  }
  return pairs;
}

/** The inverse of parseCniArgs. */
export function encodeCniArgs(pairs: Iterable<readonly [string, string]>): string {
  return Array.from(pairs, ([key, value]) => `${key}=${value}`).join(';');
}

function parseFlag(value: string, pair: string): boolean {
  const lower = value.toLowerCase();
  if (lower === '1' || lower === 'true') return true;
  if (lower === '0' || lower === 'false') return false;
  throw new CniError(
    CNI_ERROR.invalidEnvironment,
    `CNI_ARGS: error parsing value of pair ${JSON.stringify(pair)}`,
    'IgnoreUnknown is 1, true, 0 or false',
  );
}
