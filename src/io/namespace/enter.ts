/**
 * Doing something inside a network namespace: always synchronously, so that no other code of this process ever runs there.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { nativeAddon } from '#io/native/index.ts';
import type { Namespace } from './namespace.ts';
import { PROC_SYS } from './sysctl-tree.ts';

/** Names of links are parts of keys, and the kernel takes nearly any character in them. */
const SYSCTL_KEY = /^[^/\0]+(\/[^/\0]+)+$/;
const DOTS = /(^|\/)\.\.?(\/|$)/;
const NET_KEY = /^net\/([^/]+)\/(.+)$/;

/** No path of that many characters is longer than PATH_MAX. */
const MAX_KEY_CHARS = 1000;

/** For an absolute path. */
const NO_FOLDER = -1;

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

/** Writes a value below /proc/sys, e.g. `net/ipv4/ip_forward`; throws as the system does (ENOENT: no such key, EINVAL: refused). */
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
      const text = Buffer.from(value);
      const errno = at(namespace, key, (folder, path) => nativeAddon().writeFileAt(folder, path, text));
      return errno < 0 ? refusal(errno, 'write', key) : undefined;
    } catch (error) {
      return error as Error;
    }
  });
}

/** Reads a value below /proc/sys without its line end; undefined if there is no such key. */
export function readSysctl(namespace: Namespace, key: string): string | undefined {
  const found = readAt(namespace, key);
  if (typeof found === 'string') return found;
  if (found === -ENOENT) return undefined;
  throw refusal(found, 'read', key);
}

/** Reads several; undefined where there is nothing to read: no such key, a malformed one, a folder, one that is only written. */
export function readSysctls(namespace: Namespace, keys: readonly string[]): Map<string, string | undefined> {
  return new Map(keys.map((key) => [key, valueOrNone(namespace, key)]));
}

const { ENOENT, EMFILE, ENFILE, ENOMEM, EINTR, EAGAIN } = constants.errno;
/** Errors of the moment, which say nothing about a key. */
const PASSING = new Set([EMFILE, ENFILE, ENOMEM, EINTR, EAGAIN]);

function valueOrNone(namespace: Namespace, key: string): string | undefined {
  if (!isKey(key)) return undefined;
  const found = readAt(namespace, key);
  if (typeof found === 'string') return found;
  if (PASSING.has(-found)) throw refusal(found, 'read', key);
  return undefined;
}

/** The value, or -errno. */
function readAt(namespace: Namespace, key: string): string | number {
  const found = at(namespace, key, (folder, path) => nativeAddon().readFileAt(folder, path));
  return typeof found === 'string' && found.endsWith('\n') ? found.slice(0, -1) : found;
}

function refusal(errno: number, syscall: string, key: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${syscall} ${PROC_SYS}/${key}: ${code}`), { code, errno, syscall });
}

/** An interface name may hold a dot, so the separator of a key is always the slash. */
function isKey(key: string): boolean {
  return key.length <= MAX_KEY_CHARS && SYSCTL_KEY.test(key) && !DOTS.test(key);
}

/** Does something with the file of a key, whose path is relative to a folder or absolute; -errno where there is no such tree. */
function at<T>(
  namespace: Namespace,
  key: string,
  work: (folderFd: number, path: string) => T | number,
): T | number {
  if (!isKey(key))
    throw new RangeError(`sysctl key ${JSON.stringify(key)} is malformed; write it like net/ipv4/ip_forward`);
  const [, tree, rest] = NET_KEY.exec(key) ?? [];
  if (tree === undefined || rest === undefined)
    return runIn(namespace, () => work(NO_FOLDER, `${PROC_SYS}/${key}`));
  let folder: number;
  try {
    folder = namespace.sysctlTree(tree);
  } catch (error) {
    const { syscall, errno } = error as NodeJS.ErrnoException;
    if (syscall !== 'open' || errno === undefined) throw error;
    return errno;
  }
  return work(folder, rest);
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
