/**
 * Who may change a network's directory of addresses. Within this process callers queue (see store.ts); against other processes
 * there is flock(2) on the file `lock`, as the reference host-local takes it. Node has no flock, so it is injected.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

export interface DirectoryLock {
  /** False if another process may work in the directory at the same time. */
  readonly excludesOtherProcesses: boolean;
  /** Takes the lock; resolves with what releases it. */
  acquire(lockFile: string): Promise<Disposable>;
}

/** flock(2) on a descriptor: 0, or -errno. */
export type FlockCall = (fd: number, operation: number) => number;

const LOCK_EX_NB = 2 | 4;
const EINTR = 4;
const EWOULDBLOCK = 11;
/** The reference plugin holds the lock for milliseconds. */
const RETRY_MS = 2;

/** For directories that nobody but this process writes to. Everyone else still cannot be given an address twice: see `reserve`. */
export const processLock: DirectoryLock = {
  excludesOtherProcesses: false,
  acquire: async () => ({ [Symbol.dispose]: () => {} }),
};

/** A lock that the reference plugin respects. Waits without blocking the thread; rejects after `timeoutMs`. */
export function flockDirectoryLock(flock: FlockCall, timeoutMs = 10_000): DirectoryLock {
  return {
    excludesOtherProcesses: true,
    async acquire(lockFile) {
      // Opened anew each time: the file may have been replaced. Closing releases the lock.
      const fd = openLockFile(lockFile);
      try {
        await waitForFlock(flock, fd, lockFile, timeoutMs);
      } catch (error) {
        closeSync(fd);
        throw error;
      }
      return { [Symbol.dispose]: () => closeSync(fd) };
    },
  };
}

/** Opens, and makes if missing, the lock file with the reference plugin's mode. */
export function openLockFile(path: string): number {
  return openSync(path, constants.O_CREAT | constants.O_RDONLY, 0o750);
}

async function waitForFlock(flock: FlockCall, fd: number, path: string, timeoutMs: number): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    const outcome = flock(fd, LOCK_EX_NB);
    if (outcome === 0) return;
    if (outcome !== -EWOULDBLOCK && outcome !== -EINTR) throw new Error(`flock ${path}: errno ${-outcome}`);
    if (waitedMs >= timeoutMs) throw new Error(`flock ${path}: still locked after ${timeoutMs} ms`);
    await setTimeout(RETRY_MS);
  }
}
