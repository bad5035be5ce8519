/**
 * Files that survive a crash: whole or absent, never half-written, and durable when the call returns.
 * Errors are Node's own (code ENOENT, EACCES, …), which name the call and the path.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Replaces or makes `path` in one step: a hidden temporary file beside it, fsync, rename, fsync of the folder.
 * `mode` (0o644 if absent) holds whatever the umask. The folder must exist. A crash may leave `.NAME.XXXX.tmp` behind.
 */
export async function atomicWrite(
  path: string,
  data: string | Uint8Array,
  { mode = 0o644 }: { readonly mode?: number } = {},
): Promise<void> {
  await withDraft(path, data, mode, (draft) => rename(draft, path));
}

/**
 * Makes `path` as atomicWrite does, unless it is there: false then. Of several processes that make it at once one succeeds, and none ever
 * reads a part of it.
 */
export async function atomicCreate(
  path: string,
  data: string | Uint8Array,
  { mode = 0o644 }: { readonly mode?: number } = {},
): Promise<boolean> {
  let isMade = true;
  await withDraft(path, data, mode, async (draft) => {
    try {
      await link(draft, path);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      isMade = false;
    }
    await unlink(draft);
  });
  return isMade;
}

/** `settle` gives the whole, durable file beside `path` its name. */
async function withDraft(
  path: string,
  data: string | Uint8Array,
  mode: number,
  settle: (draft: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  const draft = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await using file = await open(draft, 'wx', mode);
    await file.chmod(mode);
    await file.writeFile(data);
    await file.sync();
    await settle(draft);
  } catch (error) {
    await removeIfExists(draft).catch(() => {});
    throw error;
  }
  await syncDirectory(folder);
}

/** The UTF-8 text of a file, or undefined if there is none. */
export async function readTextIfExists(path: string): Promise<string | undefined> {
  return unlessMissing(readFile(path, 'utf8'));
}

/**
 * The UTF-8 text of a file whose path somebody else named: a regular file of at most `maxBytes`. Never waits for a writer. Throws Node's
 * errors, and RangeError for a folder, a pipe, a device, or more bytes.
 */
export function readRegularFile(path: string, maxBytes: number): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    if (!fstatSync(fd).isFile()) throw new RangeError(`${path} is not a regular file`);
    const bytes = new Uint8Array(maxBytes + 1);
    let length = 0;
    // Files below /proc have no size before they are read.
    for (;;) {
      const more = readSync(fd, bytes, length, bytes.length - length, null);
      length += more;
      if (more === 0) return new TextDecoder().decode(bytes.subarray(0, length));
      if (length > maxBytes) throw new RangeError(`${path} has more than ${maxBytes} bytes`);
    }
  } finally {
    closeSync(fd);
  }
}

/** Removes a file durably; false if there was none. */
export async function removeIfExists(path: string): Promise<boolean> {
  const removed = await unlessMissing(unlink(path).then(() => true));
  if (removed) await syncDirectory(dirname(path));
  return removed ?? false;
}

/** Makes a folder and its parents; `mode` (0o755 if absent, as the umask allows) applies to those it makes. */
export async function ensureDir(path: string, mode = 0o755): Promise<void> {
  await mkdir(path, { recursive: true, mode });
}

async function syncDirectory(path: string): Promise<void> {
  let folder: FileHandle | undefined;
  try {
    folder = await open(path, 'r');
    await folder.sync();
  } catch (error) {
    // Some file systems (and a folder removed meanwhile) cannot sync a folder; the rename has happened all the same.
    if (!hasCode(error, 'EINVAL', 'ENOTSUP', 'ENOENT')) throw error;
  } finally {
    await folder?.close();
  }
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** True if the error is Node's, with one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
