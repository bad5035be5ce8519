import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  atomicCreate,
  atomicWrite,
  ensureDir,
  readRegularFile,
  readTextIfExists,
  removeIfExists,
} from './index.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poplin-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('files', () => {
  it('that somebody else named are read if they are regular and small, and never waited for', async () => {
    const path = join(folder, 'resolv.conf');
    await writeFile(path, 'nameserver 10.0.0.1\n');
    await symlink(path, join(folder, 'link'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    for (const name of ['resolv.conf', 'link'])
      expect(readRegularFile(join(folder, name), 20)).toBe('nameserver 10.0.0.1\n');
    expect(() => readRegularFile(path, 19)).toThrow(`${path} has more than 19 bytes`);
    for (const other of [folder, join(folder, 'pipe'), '/dev/zero'])
      expect(() => readRegularFile(other, 20)).toThrow(`${other} is not a regular file`);
    expect(() => readRegularFile(join(folder, 'absent'), 20)).toThrow(/ENOENT/);
  });

  it('are written whole, with the mode asked for, and leave no other file', async () => {
    const path = join(folder, 'subnet.env');
    await atomicWrite(path, 'FLANNEL_MTU=1450\n');
    expect(await readTextIfExists(path)).toBe('FLANNEL_MTU=1450\n');
    expect((await stat(path)).mode & 0o7777).toBe(0o644);
    await atomicWrite(path, Uint8Array.of(1, 2), { mode: 0o600 });
    expect(new Uint8Array(await readFile(path))).toEqual(Uint8Array.of(1, 2));
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['subnet.env']);
  });

  it('are made once by several that make them at once, whole, with the mode asked for', async () => {
    const path = join(folder, 'key');
    const made = await Promise.all(['a', 'b', 'c'].map((text) => atomicCreate(path, text, { mode: 0o600 })));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await readFile(path, 'utf8')).toBe(['a', 'b', 'c'][made.indexOf(true)]);
    expect((await stat(path)).mode & 0o7777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['key']);
    await expect(atomicCreate(join(folder, 'missing', 'x'), 'x')).rejects.toThrow(/ENOENT.*missing/);
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
      expect(await readTextIfExists(path)).toBeUndefined();
      expect(await removeIfExists(path)).toBe(false);
    }
    expect(await readTextIfExists(join(folder, 'file'))).toBe('');
    expect(await removeIfExists(join(folder, 'file'))).toBe(true);
    await expect(readTextIfExists(folder)).rejects.toThrow(/EISDIR/);
  });

  it('lie in folders made with a mode', async () => {
    await ensureDir(join(folder, 'a', 'b'), 0o700);
    await ensureDir(join(folder, 'a', 'b'), 0o755);
    expect((await stat(join(folder, 'a', 'b'))).mode & 0o7777).toBe(0o700);
  });
});
