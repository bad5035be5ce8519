/** Whether flannel's daemon runs in this network namespace. Ours under its name is another program. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The process ids of flanneld; what cannot be looked at is not counted. */
export function flannelProcesses(): number[] {
  const own = readlinkSync('/proc/self/ns/net');
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      if (readFileSync(`/proc/${name}/comm`, 'utf8').trim() !== 'flanneld') return [];
      return readlinkSync(`/proc/${name}/ns/net`) === own ? [Number(name)] : [];
    } catch {
      return []; // it has ended, or is not ours to look at
    }
  });
}
