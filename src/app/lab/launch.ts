/** Starting a lab's supervisor and ending a lab, from outside. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Topology } from '#core/lab/index.ts';
import { createNamespace, openNamespace, removeNamespace, spawnIn } from '#io/namespace/index.ts';
import { programArgs } from './agents.ts';
import { callControl } from './control.ts';
import { FABRIC, isRealRoot, LabDir } from './lab-dir.ts';
import { removeMembers } from './members.ts';
import { endProcesses } from './processes.ts';
import { UNSHARE, whyNoUserNamespace } from './user-namespace.ts';

/** What the supervisor tells of its start, one JSON line each, on descriptor 3. */
export type LaunchEvent =
  | { readonly type: 'step'; readonly text: string }
  | { readonly type: 'up' }
  | { readonly type: 'failed'; readonly message: string };

export class LabError extends Error {
  override readonly name = 'LabError';
}

/** Brings a lab up and returns when it is; `progress` is told each step. Rejects with LabError, and leaves nothing. */
export async function launchLab(topology: Topology, progress: (step: string) => void): Promise<LabDir> {
  const dir = new LabDir(topology.name);
  if (dir.exists)
    throw new LabError(`lab "${dir.name}" is there already: "poplin lab down ${dir.name}" removes it`);
  if (!isRealRoot()) {
    const reason = whyNoUserNamespace();
    if (reason !== undefined) throw new LabError(reason);
  }
  dir.make();
  writeFileSync(dir.file('topology.json'), JSON.stringify(topology), { mode: 0o600 });
  const supervisor = startSupervisor(dir);
  try {
    await untilUp(supervisor, dir, progress);
  } catch (error) {
    await removeLab(dir);
    throw error;
  }
  return dir;
}

/** Takes a lab down: by its supervisor if it answers, else by what it wrote down. False if there is no such lab. */
export async function takeDown(name: string): Promise<boolean> {
  const dir = new LabDir(name);
  if (!existsSync(dir.path)) return false;
  await removeLab(dir);
  return true;
}

/** Ends what still runs of a lab and removes its namespaces and files; harmless if repeated. */
async function removeLab(dir: LabDir): Promise<void> {
  if (dir.exists) {
    const record = dir.record();
    await askDown(dir);
    const [supervisor, ...agents] = record.processes;
    await endProcesses(supervisor === undefined ? [] : [supervisor]);
    await endProcesses(agents);
    // A rootless lab's namespaces were mounted in its own mount namespace and went with it.
    if (!record.rootless) removeMembers(record.topology, dir);
  }
  if (isRealRoot()) removeNamespace(dir.namespace(FABRIC));
  rmSync(dir.path, { recursive: true, force: true });
}

/** A supervisor that is gone, or goes while it answers, is no error. */
async function askDown(dir: LabDir): Promise<void> {
  try {
    await callControl(dir.file('control.sock'), 'POST', '/down');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes(code)) throw error;
  }
}

function startSupervisor(dir: LabDir): ChildProcess {
  const log = openSync(dir.file('supervisor.log'), 'a', 0o600);
  const args = [...programArgs(), 'lab', 'supervise', dir.name];
  const options: SpawnOptions = { detached: true, stdio: ['ignore', log, log, 'pipe'] };
  try {
    if (!isRealRoot()) {
      const [command, ...rest] = UNSHARE;
      const env = { ...process.env, POPLIN_LAB_OWNER: String(process.geteuid?.()) };
      return spawn(command, [...rest, process.execPath, ...args], { ...options, env });
    }
    createNamespace(dir.namespace(FABRIC)).close();
    using fabric = openNamespace(dir.namespace(FABRIC));
    return spawnIn(fabric, process.execPath, args, options);
  } finally {
    closeSync(log);
  }
}

async function untilUp(
  supervisor: ChildProcess,
  dir: LabDir,
  progress: (step: string) => void,
): Promise<void> {
  const events = supervisor.stdio[3] as Readable;
  for await (const line of createInterface({ input: events })) {
    const event = JSON.parse(line) as LaunchEvent;
    if (event.type === 'step') progress(event.text);
    else if (event.type === 'failed') throw new LabError(event.message);
    else {
      events.destroy();
      supervisor.unref();
      return;
    }
  }
  const log = existsSync(dir.file('supervisor.log'))
    ? readFileSync(dir.file('supervisor.log'), 'utf8').trim()
    : '';
  throw new LabError(`the lab's supervisor ended before the lab was up${log === '' ? '' : `:\n${log}`}`);
}
