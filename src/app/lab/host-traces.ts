/**
 * What labs make on the host outside their own folders: the folders above these, /run/netns, and the mount there. It is written
 * down as it is made, and the last lab to go takes it away; what was there before, or is still in use, stays.
 */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { nativeAddon } from '#io/native/index.ts';
import { labsFolder, listLabs } from './lab-dir.ts';

interface Trace {
  readonly made: 'folder' | 'mount' | 'sharing';
  readonly path: string;
}

interface Mount {
  readonly shared: boolean;
  /** Mounts that lie on it. */
  readonly children: number;
}

const NETNS = '/run/netns';

/** Makes a new lab's folder and those above it; false if there is such a lab already. */
export function makeLabFolder(path: string): boolean {
  for (;;) {
    try {
      const above: string[] = [];
      for (let folder = labsFolder(); !existsSync(folder); folder = dirname(folder)) above.unshift(folder);
      const made = above.filter((folder) => mkdirIfAbsent(folder));
      note(made.map((folder) => ({ made: 'folder', path: folder })));
      return mkdirIfAbsent(path);
    } catch (error) {
      // The last of the other labs went in between and took the folders above with it.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** Calls `make`, which may make /run/netns and a mount there as `ip netns add` does. */
export function tracingNetns(make: () => void): void {
  const [existed, before] = [existsSync(NETNS), mountAt(NETNS)];
  make();
  const after = mountAt(NETNS);
  note([
    ...(existed ? [] : [{ made: 'folder', path: NETNS } as const]),
    ...(before === undefined && after !== undefined ? [{ made: 'mount', path: NETNS } as const] : []),
    ...(before?.shared === false && after?.shared ? [{ made: 'sharing', path: NETNS } as const] : []),
  ]);
}

/** After the last lab is gone: takes away what labs made, as far as nobody else uses it. */
export function removeHostTraces(): void {
  if (listLabs().length > 0) return;
  const traces = readTraces();
  rmSync(notebook(), { force: true });
  for (const trace of traces.toReversed()) undo(trace);
}

function undo({ made, path }: Trace): void {
  const mount = mountAt(path);
  if (made === 'mount' && mount?.children === 0) nativeAddon().unmount(path);
  if (made === 'sharing' && mount?.shared)
    execFileSync('mount', ['--make-private', path], { stdio: 'ignore' });
  if (made !== 'folder') return;
  try {
    rmdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes(code)) throw error;
  }
}

/** The mount whose root is at the path; undefined if the path is absent or no mount point. */
function mountAt(path: string): Mount | undefined {
  const id = mountIdOf(path);
  // proc_pid_mountinfo(5): ID, parent, device, root, mount point, options, optional fields up to a hyphen.
  const rows = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const found = rows.find((row) => row[0] === id);
  if (found?.[4] !== path) return undefined;
  return {
    shared: found.slice(6, found.indexOf('-')).some((field) => field.startsWith('shared:')),
    children: rows.filter((row) => row[1] === id).length,
  };
}

/** The mount that a path lies on; other mounts at the same path may lie hidden below it. */
function mountIdOf(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const fd = openSync(path, 'r');
  try {
    return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  } finally {
    closeSync(fd);
  }
}

function mkdirIfAbsent(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function note(traces: readonly Trace[]): void {
  if (traces.length === 0) return;
  const lines = traces.map((trace) => `${JSON.stringify(trace)}\n`);
  appendFileSync(notebook(), lines.join(''), { mode: 0o600 });
}

function readTraces(): Trace[] {
  if (!existsSync(notebook())) return [];
  const lines = readFileSync(notebook(), 'utf8').split('\n');
  return lines.flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Trace]));
}

function notebook(): string {
  return join(labsFolder(), '.made');
}
