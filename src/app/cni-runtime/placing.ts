/**
 * Putting a file in another's place and back, each in one rename: at every moment the name leads to the old file or to the new one.
 * Temporary names are fixed, so that a repetition finds what a kill left behind. Errors are Node's own.
 */
import { createHash } from 'node:crypto';
import { copyFile, link, lstat, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Where the files lie that ours stand in the place of; nobody looks for plugins or configurations in it. */
export const DISPLACED_FOLDER = '.displaced-by-poplin';

/** SHA-256 in hexadecimal; undefined if there is no file, `other` for what is no regular file. */
export async function contentOf(path: string): Promise<string | undefined> {
  try {
    if (!(await lstat(path)).isFile()) return 'other';
    return digest(await readFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function digest(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function displacedPath(path: string): string {
  return join(dirname(path), DISPLACED_FOLDER, basename(path));
}

/** Keeps what stands at the path under its displaced name too, in place of an earlier one. */
export async function keepDisplaced(path: string): Promise<void> {
  const kept = displacedPath(path);
  await mkdir(dirname(kept), { recursive: true, mode: 0o755 });
  const next = `${kept}.new`;
  await rm(next, { force: true });
  if ((await lstat(path)).isSymbolicLink()) await copySymlink(path, next);
  else await link(path, next);
  await rename(next, kept);
  // Two names of one file: rename leaves both.
  await rm(next, { force: true });
  await syncFolder(dirname(kept));
}

async function copySymlink(path: string, to: string): Promise<void> {
  const { readlink, symlink } = await import('node:fs/promises');
  await symlink(await readlink(path), to);
}

/** Makes the path a file of that content and mode; a program that runs from the old one goes on. */
export async function placeContent(path: string, content: string, mode: number): Promise<void> {
  await place(path, (next) => writeFile(next, content, { mode }), mode);
}

/** Makes the path a copy of a file. */
export async function placeCopy(path: string, source: string, mode: number): Promise<void> {
  await place(path, (next) => copyFile(source, next), mode);
}

/** Makes the path another name of a file in the same folder. */
export async function placeLink(path: string, existing: string): Promise<void> {
  const next = temporary(path);
  await rm(next, { force: true });
  await link(existing, next);
  await rename(next, path);
  await rm(next, { force: true });
  await syncFolder(dirname(path));
}

async function place(path: string, make: (next: string) => Promise<void>, mode: number): Promise<void> {
  const next = temporary(path);
  await rm(next, { force: true });
  await make(next);
  {
    await using file = await open(next, 'r');
    await file.chmod(mode);
    await file.sync();
  }
  await rename(next, path);
  await syncFolder(dirname(path));
}

/** Puts back what was displaced; false if nothing is kept. */
export async function putBack(path: string): Promise<boolean> {
  try {
    await rename(displacedPath(path), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  await syncFolder(dirname(path));
  return true;
}

/** Removes what a kill may have left beside the path. */
export async function removeLeftovers(path: string): Promise<void> {
  await rm(temporary(path), { force: true });
  await rm(`${displacedPath(path)}.new`, { force: true });
}

function temporary(path: string): string {
  return join(dirname(path), `.${basename(path)}.poplin-new`);
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}
