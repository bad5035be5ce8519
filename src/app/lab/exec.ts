/** `poplin lab exec`: a command in the network namespace of a node, a pod or the fabric, with this terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { FABRIC_NAME } from '#core/lab/index.ts';
import { openNamespace, spawnIn } from '#io/namespace/index.ts';
import { programArgs, programName } from './caller.ts';
import type { LabDir } from './lab-dir.ts';
import { LabError } from './lab-error.ts';
import { isPrivileged } from './privilege.ts';
import { enterCommand } from './user-namespace.ts';

const FORWARDED = ['SIGTERM', 'SIGHUP'] as const;
/** What shells answer where there is no such command, and where it may not be run. */
const STATUS_NOT_FOUND = 127;
const STATUS_NOT_EXECUTABLE = 126;

/** Sets the exit status to that of the command. Rejects with LabError if there is no such member. */
export async function execIn(dir: LabDir, member: string, command: readonly string[]): Promise<void> {
  const supervisorPid = dir.record()?.supervisor.pid;
  if (supervisorPid === undefined)
    throw new LabError(`lab "${dir.name}" is not up yet, or its files are gone`);
  const isOutside = !isPrivileged() && process.env['POPLIN_LAB_OWNER'] === undefined;
  const start = () =>
    isOutside
      ? enterAgain(dir.name, supervisorPid, member, command)
      : startInside(dir, supervisorPid, member, command);
  process.exitCode = await statusOf(start, command[0] as string);
}

function startInside(
  dir: LabDir,
  supervisorPid: number,
  member: string,
  [program, ...args]: readonly string[],
): ChildProcess {
  using namespace = openMember(dir, supervisorPid, member);
  const { POPLIN_LAB_OWNER: _, ...inherited } = process.env;
  // The lab's API server is reached from the fabric and from nodes; kubectl finds it by this.
  const env = { ...inherited, KUBECONFIG: dir.file('kubeconfig') };
  return spawnIn(namespace, program as string, args, { stdio: 'inherit', env });
}

/** This program once more, inside the user namespace that the lab lives in. */
function enterAgain(name: string, pid: number, member: string, command: readonly string[]): ChildProcess {
  const [enter, ...entering] = enterCommand(pid);
  const args = [...entering, process.execPath, ...programArgs(), 'lab', 'exec', '--lab', name, member, '--'];
  const env = { ...process.env, POPLIN_LAB_OWNER: String(process.geteuid?.()) };
  return spawn(enter as string, [...args, ...command], { stdio: 'inherit', env });
}

function openMember(dir: LabDir, supervisorPid: number, member: string) {
  const fabric = isPrivileged() ? dir.fabric : `/proc/${supervisorPid}/ns/net`;
  try {
    return openNamespace(member === FABRIC_NAME ? fabric : dir.namespace(member));
  } catch (error) {
    throw new LabError(
      `lab "${dir.name}" has no node or pod "${member}": see "${programName()} lab status ${dir.name}"`,
      { cause: error },
    );
  }
}

/** Ctrl-C reaches the child by the terminal, and this process waits for what it makes of it. */
async function statusOf(start: () => ChildProcess, program: string): Promise<number> {
  let child: ChildProcess | undefined;
  const forward = (signal: NodeJS.Signals) => child?.kill(signal);
  const ignore = () => {};
  for (const name of FORWARDED) process.on(name, forward);
  process.on('SIGINT', ignore);
  try {
    // Signals are heard from before it starts: it may be told to end in its first moment.
    const started = start();
    child = started;
    return await new Promise((resolve) => {
      started.once('error', ({ code, message }: NodeJS.ErrnoException) => {
        const isMissing = code === 'ENOENT';
        process.stderr.write(`poplin: ${isMissing ? `no command "${program}" on this machine` : message}\n`);
        resolve(isMissing ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
      });
      started.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
    });
  } finally {
    for (const name of FORWARDED) process.off(name, forward);
    process.off('SIGINT', ignore);
  }
}
