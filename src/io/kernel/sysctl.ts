/** Reading a sysctl that somebody asked to follow, whatever its path is. */
import { type Namespace, readSysctl } from '#io/namespace/index.ts';

/** Errors of the moment, which say nothing about the path. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EINTR', 'EAGAIN']);

/** The value; undefined if there is none to read: no such key, a malformed one, a folder, one that is only written. */
export function readFollowed(namespace: Namespace, path: string): string | undefined {
  try {
    return readSysctl(namespace, path);
  } catch (error) {
    if (error instanceof RangeError || isOfPath(error)) return undefined;
    throw error;
  }
}

function isOfPath(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return false;
  return (error.syscall === 'open' || error.syscall === 'read') && !PASSING.has(String(error.code));
}
