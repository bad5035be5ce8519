/** Starting a lab's supervisor and ending a lab, from outside. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Topology } from '#core/lab/index.ts';
import { createNamespace, openNamespace, spawnIn } from '#io/namespace/index.ts';
import { programArgs, programName } from './caller.ts';
import { makeLabFolder, tracingNetns } from './host-traces.ts';
import { checkUserFolder, LabDir } from './lab-dir.ts';
import { LabError } from './lab-error.ts';
import { memberNames } from './members.ts';
import { isPrivileged } from './privilege.ts';
import { identify } from './processes.ts';
import { removeLab } from './removal.ts';
import { UNSHARE, whyNoUserNamespace } from './user-namespace.ts';

/** What the supervisor tells of its start, one JSON line each, on descriptor 3. */
export type LaunchEvent =
  | { readonly type: 'step'; readonly text: string }
  | { readonly type: 'up' }
  | { readonly type: 'failed'; readonly message: string };

export interface LaunchOptions {
  /** Told of each step before it begins. */
  readonly progress: (step: string) => void;
  /** Ends the launch; what there is of the lab is taken down. */
  readonly signal: AbortSignal;
  /** The lab goes down by itself when this process ends. */
  readonly tied: boolean;
}

export interface LaunchedLab {
  readonly dir: LabDir;
  /** Resolves when the lab's supervisor has ended; of a tied lab only. */
  readonly ended: Promise<void>;
}

/** The launch was ended by its signal. */
export class LaunchInterrupted extends Error {
  override readonly name = 'LaunchInterrupted';
}

/** Brings a lab up and returns when it is. Rejects with LabError or LaunchInterrupted, and leaves nothing. */
export async function launchLab(topology: Topology, options: LaunchOptions): Promise<LaunchedLab> {
  const dir = new LabDir(topology.name);
  checkHost(topology, dir);
  if (!makeLabFolder(dir.path)) {
    const program = programName();
    throw new LabError(
      `lab "${dir.name}" is there already: "${program} lab status ${dir.name}" shows it, "${program} lab down ${dir.name}" removes it`,
    );
  }
  let supervisor: ChildProcess | undefined;
  try {
    dir.write('topology.json', JSON.stringify(topology));
    supervisor = startSupervisor(dir, options.tied);
    await untilUp(supervisor, dir, options);
    return { dir, ended: hold(supervisor, options.tied) };
  } catch (error) {
    await removeLab(dir, supervisor?.pid === undefined ? undefined : identify(supervisor.pid));
    throw error;
  }
}

/** Takes a lab down. False if there is no such lab. */
export async function takeDown(name: string): Promise<boolean> {
  const dir = new LabDir(name);
  if (!dir.exists) return false;
  await removeLab(dir);
  return true;
}

/** What must be so before anything is made. */
function checkHost(topology: Topology, dir: LabDir): void {
  if (!isPrivileged()) {
    const reason = whyNoUserNamespace();
    if (reason !== undefined) throw new LabError(reason);
  }
  checkUserFolder();
  if (topology.subnets.some((subnet) => subnet.ipv6 !== undefined) && !existsSync('/proc/sys/net/ipv6')) {
    throw new LabError(
      'this kernel runs without IPv6 (ipv6.disable=1 on its command line?): bring up a lab of IPv4 alone, such as lab/topologies/ipv4-only.yaml',
    );
  }
  if (dir.exists || !isPrivileged()) return;
  // Names of labs and members are joined with a hyphen: lab a with member b-c, and lab a-b with member c.
  const taken = memberNames(topology).find((member) => existsSync(dir.namespace(member)));
  if (taken !== undefined) {
    throw new LabError(
      `there is a ${dir.namespace(taken)} already, of another lab or left by one: name this lab otherwise, or remove it with "ip netns delete"`,
    );
  }
}

function startSupervisor(dir: LabDir, tied: boolean): ChildProcess {
  const log = openSync(dir.file('supervisor.log'), 'a', 0o600);
  const args = [...programArgs(), 'lab', 'supervise', dir.name, ...(tied ? ['--tied'] : [])];
  const options: SpawnOptions = { detached: true, stdio: ['ignore', log, log, 'pipe'] };
  try {
    if (!isPrivileged()) {
      const [command, ...rest] = UNSHARE;
      const env = { ...process.env, POPLIN_LAB_OWNER: String(process.geteuid?.()) };
      return spawn(command, [...rest, process.execPath, ...args], { ...options, env });
    }
    tracingNetns(() => createNamespace(dir.fabric).close());
    using fabric = openNamespace(dir.fabric);
    return spawnIn(fabric, process.execPath, args, options);
  } finally {
    closeSync(log);
  }
}

async function untilUp(
  supervisor: ChildProcess,
  dir: LabDir,
  { progress, signal }: LaunchOptions,
): Promise<void> {
  const lines = createInterface({ input: supervisor.stdio[3] as Socket, signal });
  for await (const line of lines) {
    const event = JSON.parse(line) as LaunchEvent;
    if (event.type === 'up') return;
    if (event.type === 'failed') throw new LabError(event.message);
    progress(event.text);
  }
  if (signal.aborted) throw new LaunchInterrupted('interrupted');
  const log = existsSync(dir.file('supervisor.log'))
    ? readFileSync(dir.file('supervisor.log'), 'utf8').trim()
    : '';
  throw new LabError(`the lab's supervisor ended before the lab was up${log === '' ? '' : `:\n${log}`}`);
}

/** Keeps the connection that a tied lab lives by, and lets the other one go. */
function hold(supervisor: ChildProcess, tied: boolean): Promise<void> {
  const connection = supervisor.stdio[3] as Socket;
  supervisor.unref();
  if (!tied) {
    connection.destroy();
    return new Promise(() => {});
  }
  return new Promise((resolve) => {
    connection.once('close', resolve);
    connection.on('error', () => {});
    connection.resume();
  });
}
