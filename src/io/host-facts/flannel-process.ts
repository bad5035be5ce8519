/** Whether flannel's daemon runs in this network namespace. Ours under its name is another program. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface FlannelProcesses {
  /** Process ids of those in this namespace. */
  readonly here: readonly number[];
  /** Of those whose namespace may not be looked at. */
  readonly hidden: readonly number[];
  /** False where processes of others are not shown at all (hidepid of proc(5)). */
  readonly isComplete: boolean;
}

export function flannelProcesses(): FlannelProcesses {
  const own = readlinkSync('/proc/self/ns/net');
  const here: number[] = [];
  const hidden: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || commOf(name) !== 'flanneld') continue;
    try {
      if (readlinkSync(`/proc/${name}/ns/net`) === own) here.push(Number(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') hidden.push(Number(name));
    }
  }
  return { here, hidden, isComplete: existsSync('/proc/1/comm') };
}

function commOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined; // it has ended
  }
}
