/** Whether flannel's daemon runs in this network namespace. Ours under its name is another program. */
import { readdirSync, readlinkSync } from 'node:fs';
import { commOf, seesAllProcesses } from './processes.ts';

export interface FlannelProcesses {
  /** Process ids of those in this namespace. */
  readonly here: readonly number[];
  /** Of those whose namespace may not be looked at. */
  readonly hidden: readonly number[];
  /** False where there may be others that are not shown. */
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
  return { here, hidden, isComplete: seesAllProcesses() };
}
