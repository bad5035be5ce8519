/**
 * Doing something inside a network namespace: always synchronously, so that no other code of this process ever runs there.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { nativeAddon } from '#io/native/index.ts';
import { type Namespace, PROC_SYS } from './namespace.ts';

/** Names of links are parts of keys, and the kernel takes nearly any character in them. */
const SYSCTL_KEY = /^[^/\0]+(\/[^/\0]+)+$/;

/**
 * Runs `fn` with the calling thread inside the namespace and returns its value. `fn` must not await, nor start anything on the
 * thread pool or in a worker (asynchronous fs, dns, crypto): a pool thread born there would stay there. A promise returned is a TypeError.
 */
export function runIn<T>(namespace: Namespace, fn: () => T): T {
  const result = nativeAddon().runInNamespace(namespace.fd, fn);
  if (isThenable(result)) {
    throw new TypeError(
      `the function run in network namespace ${namespace.path} is asynchronous: only its part up to the first await ran there`,
    );
  }
  return result;
}

/** child_process.spawn with the child in the namespace; the same return value and errors. */
export function spawnIn(
  namespace: Namespace,
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  return runIn(namespace, () => spawn(command, args, options));
}

/** Writes a value below /proc/sys, e.g. `net/ipv4/ip_forward`; throws the fs error (ENOENT: no such key, EINVAL: refused). */
export function writeSysctl(namespace: Namespace, key: string, value: string): void {
  const [error] = writeSysctls(namespace, [[key, value]]);
  if (error !== undefined) throw error;
}

/** Writes several, in order and whatever becomes of the others; for each what went wrong, or undefined. */
export function writeSysctls(
  namespace: Namespace,
  entries: readonly (readonly [key: string, value: string])[],
): (Error | undefined)[] {
  return entries.map(([key, value]) => {
    try {
      at(namespace, key, (path) => {
        // Neither O_CREAT nor O_TRUNC: a key that is absent is ENOENT, and one write is one value.
        const fd = openSync(path, constants.O_WRONLY);
        try {
          writeSync(fd, value);
        } finally {
          closeSync(fd);
        }
      });
      return undefined;
    } catch (error) {
      return error as Error;
    }
  });
}

/** Reads a value below /proc/sys without its line end; undefined if there is no such key. */
export function readSysctl(namespace: Namespace, key: string): string | undefined {
  try {
    return at(namespace, key, readValue);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Reads several; undefined where there is nothing to read: no such key, a malformed one, a folder, one that is only written. */
export function readSysctls(namespace: Namespace, keys: readonly string[]): Map<string, string | undefined> {
  return new Map(keys.map((key) => [key, valueOrNone(namespace, key)]));
}

/** Errors of the moment, which say nothing about a key. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EINTR', 'EAGAIN']);

function valueOrNone(namespace: Namespace, key: string): string | undefined {
  try {
    return at(namespace, key, readValue);
  } catch (error) {
    if (error instanceof RangeError || isOfPath(error)) return undefined;
    throw error;
  }
}

function isOfPath(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return false;
  return (error.syscall === 'open' || error.syscall === 'read') && !PASSING.has(String(error.code));
}

function readValue(path: string): string {
  return readFileSync(path, 'utf8').replace(/\n$/, '');
}

/** Does something with the file of a key. */
function at<T>(namespace: Namespace, key: string, work: (path: string) => T): T {
  // An interface name may hold a dot, so the separator of a key is always the slash.
  if (!SYSCTL_KEY.test(key) || key.split('/').some((part) => part === '.' || part === '..'))
    throw new RangeError(`sysctl key ${JSON.stringify(key)} is malformed; write it like net/ipv4/ip_forward`);
  const [net, tree = '', ...rest] = key.split('/');
  if (net !== 'net' || rest.length === 0) return runIn(namespace, () => work(`${PROC_SYS}/${key}`));
  return work(`${namespace.sysctlTree(tree)}/${rest.join('/')}`);
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
