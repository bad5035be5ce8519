import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimClock } from '#testing/sim-clock.ts';
import {
  atomicWrite,
  DirectoryLockedError,
  ensureDir,
  readIfExists,
  readTextIfExists,
  removeIfExists,
  withDirectoryLock,
} from './index.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poplin-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('files', () => {
  it('are written whole, with the mode asked for, and leave no other file', async () => {
    const path = join(folder, 'subnet.env');
    await atomicWrite(path, 'FLANNEL_MTU=1450\n');
    expect(await readTextIfExists(path)).toBe('FLANNEL_MTU=1450\n');
    expect((await stat(path)).mode & 0o7777).toBe(0o644);
    await atomicWrite(path, Uint8Array.of(1, 2), { mode: 0o600 });
    expect(new Uint8Array((await readIfExists(path)) ?? [])).toEqual(Uint8Array.of(1, 2));
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['subnet.env']);
  });

  it('stay as they were when a write fails', async () => {
    const path = join(folder, 'taken');
    await ensureDir(join(path, 'inside'));
    await expect(atomicWrite(path, 'x')).rejects.toThrow(/taken/);
    expect(await readdir(folder)).toEqual(['taken']);
    await expect(atomicWrite(join(folder, 'missing', 'x'), 'x')).rejects.toThrow(/ENOENT.*missing/);
  });

  it('replace a symbolic link and not what it points to', async () => {
    await writeFile(join(folder, 'target'), 'kept');
    await symlink('target', join(folder, 'link'));
    await atomicWrite(join(folder, 'link'), 'new');
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('kept');
    expect(await readFile(join(folder, 'link'), 'utf8')).toBe('new');
  });

  it('may be missing where that is said to be no error', async () => {
    await writeFile(join(folder, 'file'), '');
    for (const path of [join(folder, 'none'), join(folder, 'file', 'below')]) {
      expect(await readIfExists(path)).toBeUndefined();
      expect(await readTextIfExists(path)).toBeUndefined();
      expect(await removeIfExists(path)).toBe(false);
    }
    expect(await readTextIfExists(join(folder, 'file'))).toBe('');
    expect(await removeIfExists(join(folder, 'file'))).toBe(true);
    await expect(readIfExists(folder)).rejects.toThrow(/EISDIR/);
  });

  it('lie in folders made with a mode', async () => {
    await ensureDir(join(folder, 'a', 'b'), 0o700);
    await ensureDir(join(folder, 'a', 'b'), 0o755);
    expect((await stat(join(folder, 'a', 'b'))).mode & 0o7777).toBe(0o700);
  });
});

describe('the directory lock', () => {
  const path = () => join(folder, '.poplin.lock');
  const lock = (work: () => unknown, timeoutMs = 1000, clock = new SimClock()) =>
    withDirectoryLock(folder, { clock, timeoutMs }, work);

  it('lets one at a time in, in order, and is gone afterwards', async () => {
    const log: string[] = [];
    const works = ['a', 'b', 'c'].map((name) =>
      lock(async () => {
        log.push(`${name} in`);
        await readdir(folder);
        log.push(`${name} out`);
        if (name === 'b') throw new Error('b failed');
      }),
    );
    const results = await Promise.allSettled(works);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    expect(await readdir(folder)).toEqual([]);
  });

  it('waits for a live process and names it when the time is over', async () => {
    const owner = spawn('sleep', ['1000']);
    try {
      await once(owner, 'spawn');
      await writeFile(path(), ownerText(owner.pid as number));
      const clock = new SimClock();
      const waiting = lock(() => 'in', 100, clock);
      let over = false;
      void waiting
        .catch(() => {})
        .finally(() => {
          over = true;
        });
      while (!over) await clock.advanceAsync(20);
      const error = await waiting.catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(DirectoryLockedError);
      expect((error as DirectoryLockedError).message).toContain(
        `held by process ${owner.pid} for more than 100 ms`,
      );
    } finally {
      owner.kill();
    }
    await once(owner, 'exit');
    expect(await lock(() => 'in after its death')).toBe('in after its death');
  });

  it('is taken from owners that are dead, of another boot, of another start time, or illegible', async () => {
    const own = JSON.parse(ownerText(process.pid)) as Record<string, unknown>;
    const stale = [
      JSON.stringify({ ...own, pid: 4_194_304 }),
      JSON.stringify({ ...own, boot: 'another' }),
      JSON.stringify({ ...own, startTime: '1' }),
      '',
      'null',
      '{"pid":',
    ];
    for (const text of stale) {
      await writeFile(path(), text);
      await writeFile(`${path()}.break`, text);
      expect(await lock(() => text)).toBe(text);
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('ends waiting when its signal aborts', async () => {
    await writeFile(path(), ownerText(process.pid));
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(withDirectoryLock(folder, { clock: new SimClock(), signal }, () => 1)).rejects.toThrow(
      'stop',
    );
    expect(await readdir(folder)).toEqual(['.poplin.lock']);
  });

  it('says so when the folder cannot hold it', async () => {
    await expect(withDirectoryLock(join(folder, 'none'), { clock: new SimClock() }, () => 1)).rejects.toThrow(
      /ENOENT/,
    );
  });
});

/** A lock file's content for a process of this boot. */
function ownerText(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return JSON.stringify({ pid, startTime, boot });
}
