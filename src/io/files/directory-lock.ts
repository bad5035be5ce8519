/**
 * One process at a time in a folder, by a lock file that names its owner (pid and start time, so that a reused pid is no
 * owner). A lock whose owner is dead is broken. It excludes only other users of this module: flock(2), which the
 * reference CNI plugins take on `<dir>/lock`, is out of Node's reach and is neither taken nor seen here.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, delay } from '#base/clock.ts';
import { hasCode } from './files.ts';

export interface DirectoryLockOptions {
  readonly clock: Clock;
  /** The lock file's name; `.poplin.lock` if absent. */
  readonly name?: string;
  /** How long to wait for another owner, in milliseconds; 10,000 if absent. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The folder's lock stayed with another process for all of the time allowed. */
export class DirectoryLockedError extends Error {
  override readonly name = 'DirectoryLockedError';
  readonly path: string;
  readonly ownerPid: number;
  constructor(path: string, ownerPid: number, waitedMs: number) {
    super(
      `lock file ${path}: held by process ${ownerPid} for more than ${waitedMs} ms; stop that process or wait for it`,
    );
    this.path = path;
    this.ownerPid = ownerPid;
  }
}

interface Owner {
  readonly pid: number;
  /** Start time in clock ticks since boot, from /proc/PID/stat, and the boot it counts from. */
  readonly startTime: string;
  readonly boot: string;
}

const POLL_MS = 20;
/** Within one process the lock is handed on in order of arrival, without touching the disk while waiting. */
const queues = new Map<string, Promise<unknown>>();

/** Runs `work` while this process holds the folder's lock; throws DirectoryLockedError after the time allowed. */
export async function withDirectoryLock<T>(
  folder: string,
  options: DirectoryLockOptions,
  work: () => Promise<T> | T,
): Promise<T> {
  const path = join(folder, options.name ?? '.poplin.lock');
  const before = queues.get(path) ?? Promise.resolve();
  const turn = before.then(async () => {
    options.signal?.throwIfAborted();
    await acquire(path, options);
    try {
      return await work();
    } finally {
      await unlink(path);
    }
  });
  const settled = turn.catch(() => {});
  queues.set(path, settled);
  try {
    return await turn;
  } finally {
    if (queues.get(path) === settled) queues.delete(path);
  }
}

async function acquire(path: string, options: DirectoryLockOptions): Promise<void> {
  const { clock, timeoutMs = 10_000, signal } = options;
  const start = clock.now();
  while (!(await tryCreate(path))) {
    const owner = await readOwner(path);
    if (owner === undefined) continue; // released meanwhile
    if (!isAlive(owner)) {
      await breakLock(path);
      continue;
    }
    if (clock.now() - start >= timeoutMs) throw new DirectoryLockedError(path, owner.pid, timeoutMs);
    await delay(clock, POLL_MS, signal);
  }
}

/** Makes the lock file with its content in one step, so that nobody reads a half-written owner; false if it exists. */
async function tryCreate(path: string): Promise<boolean> {
  const own: Owner = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '', boot: bootId() };
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(temporary, JSON.stringify(own), { flag: 'wx', mode: 0o600 });
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
}

/**
 * Removes a dead owner's lock. A second lock file makes the look and the removal one step, so that a lock taken in
 * between is not removed; one left by a breaker that died is removed without that protection.
 */
async function breakLock(path: string): Promise<void> {
  const breaker = `${path}.break`;
  if (!(await tryCreate(breaker))) {
    const other = await readOwner(breaker);
    if (other !== undefined && !isAlive(other)) await unlinkIfThere(breaker);
    return;
  }
  try {
    const owner = await readOwner(path);
    if (owner !== undefined && !isAlive(owner)) await unlinkIfThere(path);
  } finally {
    await unlinkIfThere(breaker);
  }
}

/** The owner named in a lock file, undefined if the file is gone; a file of other content has a dead owner. */
async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value === 'object' && value !== null && 'pid' in value && typeof value.pid === 'number') {
      const { startTime, boot } = value as Partial<Owner>;
      return { pid: value.pid, startTime: startTime ?? '', boot: boot ?? '' };
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { pid: 0, startTime: '', boot: '' };
}

function isAlive(owner: Owner): boolean {
  return owner.pid > 0 && owner.boot === bootId() && startTimeOf(owner.pid) === owner.startTime;
}

/** Field 22 of /proc/PID/stat, counted after the command's closing parenthesis; undefined if there is no such process. */
function startTimeOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return boot;
}

async function unlinkIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
  });
}
