/**
 * Doing something inside a network namespace: always synchronously, so that no other code of this process ever runs there.
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import type { Namespace } from './namespace.ts';

/**
 * Runs `fn` with the calling thread inside the namespace and returns its value. `fn` must not await, nor start anything on the
 * thread pool or in a worker (asynchronous fs, dns, crypto): a pool thread born there would stay there. A promise returned is a TypeError.
 */
export function runIn<T>(namespace: Namespace, fn: () => T): T {
  throw new Error(`not written yet: ${namespace.path} ${fn}`);
}

/** child_process.spawn with the child in the namespace; the same return value and errors. */
export function spawnIn(
  namespace: Namespace,
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  throw new Error(`not written yet: ${namespace.path} ${command} ${args} ${options}`);
}

/** Writes a value below /proc/sys, e.g. `net/ipv4/ip_forward`; throws the fs error (ENOENT: no such key, EINVAL: refused). */
export function writeSysctl(namespace: Namespace, key: string, value: string): void {
  throw new Error(`not written yet: ${namespace.path} ${key} ${value}`);
}

/** Reads a value below /proc/sys without its line end; undefined if there is no such key. */
export function readSysctl(namespace: Namespace, key: string): string | undefined {
  throw new Error(`not written yet: ${namespace.path} ${key}`);
}
