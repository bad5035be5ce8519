/** Whether a container's namespace is still there, by its file. */
import { statfsSync } from 'node:fs';

const NSFS_MAGIC = 0x6e736673;

/** True if the file is a namespace: what a namespace was bound to may outlive it as an empty file. */
export function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}
