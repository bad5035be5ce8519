/** Processes of a lab: who they are, whether they still run, and their end. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: with the pid it names one process for as long as the machine is up. */
  readonly startTime: string;
}

const POLL_MS = 10;

/** The identity of a running process; undefined if there is none of that number. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command in parentheses may hold anything: fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTime] = [fields[0], fields[19]];
    return startTime === undefined || state === 'Z' ? undefined : { pid, startTime };
  } catch {
    return undefined;
  }
}

export function isRunning({ pid, startTime }: ProcessIdentity): boolean {
  return identify(pid)?.startTime === startTime;
}

/** Processes other than this one in any of the namespaces, which are written as /proc/PID/ns shows them: `net:[4026532177]`. */
export function processesWithin(kind: 'net' | 'user', namespaces: ReadonlySet<string>): ProcessIdentity[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) => {
    const namespace = namespaceOf(pid, kind);
    const identity = namespace !== undefined && namespaces.has(namespace) && identify(Number(pid));
    return identity ? [identity] : [];
  });
}

/** The namespace of a process; undefined if it is gone, or another user's. */
export function namespaceOf(pid: string, kind: 'net' | 'user'): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

/** Asks processes to end, and after a while makes them. Resolves when all are gone. */
export async function endProcesses(processes: readonly ProcessIdentity[], graceMs = 3000): Promise<void> {
  signalAll(processes, 'SIGTERM');
  const deadline = Date.now() + graceMs;
  while (processes.some(isRunning) && Date.now() < deadline) await sleep(POLL_MS);
  signalAll(processes, 'SIGKILL');
  while (processes.some(isRunning)) await sleep(POLL_MS);
}

function signalAll(processes: readonly ProcessIdentity[], signal: NodeJS.Signals): void {
  for (const each of processes) {
    if (!isRunning(each)) continue;
    try {
      process.kill(each.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
