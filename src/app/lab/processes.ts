/** Processes of a lab: who they are, whether they still run, and their end. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: with the pid it names one process for as long as the machine is up. */
  readonly startTime: string;
}

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

/** Asks processes to end, and after a while makes them. Resolves when all are gone. */
export async function endProcesses(processes: readonly ProcessIdentity[], graceMs = 3000): Promise<void> {
  signalAll(processes, 'SIGTERM');
  const deadline = Date.now() + graceMs;
  while (processes.some(isRunning) && Date.now() < deadline) await sleep(20);
  signalAll(processes, 'SIGKILL');
  while (processes.some(isRunning)) await sleep(20);
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
