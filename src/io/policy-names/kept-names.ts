/** The file of what names in policies were seen to stand for, so that an agent that starts anew does not have to wait for the next answers. */
import { canonicalIp } from '#base/ip/index.ts';
import type { KeptName } from '#core/policy/names/index.ts';
import { atomicWrite, hasCode, readRegularFile } from '#io/files/index.ts';

/** Its place on a host. */
export const POLICY_NAMES_FILE = '/var/lib/poplin/policy-names';

export interface KeptNames {
  /** Milliseconds since 1970. */
  readonly keptMs: number;
  readonly names: readonly KeptName[];
}

/** More than all that the table holds. */
const MAX_BYTES = 16 * 1024 * 1024;

/** undefined if there is none. Throws Node's error for a file that cannot be read, and SyntaxError or RangeError for one that is not of this kind. */
export function readKeptNames(path: string): KeptNames | undefined {
  let text: string;
  try {
    text = readRegularFile(path, MAX_BYTES);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const value = JSON.parse(text) as Partial<Readonly<Record<keyof KeptNames, unknown>>> | null;
  const keptMs = value?.keptMs;
  const names = value?.names;
  if (typeof keptMs !== 'number' || !Array.isArray(names) || !names.every(isKeptName))
    throw new RangeError(`${path} has no names with their addresses`);
  return { keptMs, names };
}

/** In one step; throws Node's error. */
export async function writeKeptNames(path: string, kept: KeptNames): Promise<void> {
  await atomicWrite(path, `${JSON.stringify(kept)}\n`, { mode: 0o600 });
}

function isKeptName(value: unknown): value is KeptName {
  if (!Array.isArray(value)) return false;
  const [name, addresses] = value as unknown[];
  return typeof name === 'string' && Array.isArray(addresses) && addresses.every(isKeptAddress);
}

function isKeptAddress(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const [address, untilMs] = value as unknown[];
  return typeof address === 'string' && canonicalIp(address) === address && typeof untilMs === 'number';
}
