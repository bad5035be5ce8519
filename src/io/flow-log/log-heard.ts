/** Whether somebody listens to a group of the kernel's packet log. */
import { readFileSync } from 'node:fs';
import { type Namespace, runIn } from '#io/namespace/index.ts';

/** A line for each group that a socket has taken, whose number comes first; the file is there once the module is. */
const LISTENERS = '/proc/thread-self/net/netfilter/nfnetlink_log';

/** True also where it cannot be found out. */
export function isLogHeard(namespace: Namespace, group: number): boolean {
  try {
    const text = runIn(namespace, () => readFileSync(LISTENERS, 'utf8'));
    return text.split('\n').some((line) => Number.parseInt(line, 10) === group);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}
