/** Whether all processes of the machine are to be seen: a container has some of its own, and hidepid of proc(5) hides those of others. */
import { readFileSync } from 'node:fs';

/** The second process of every kernel is the father of its threads, and no container has it. */
export function seesAllProcesses(): boolean {
  return commOf('2') === 'kthreadd';
}

/** The name of a process, as `ps` has it; undefined if it has ended. */
export function commOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
