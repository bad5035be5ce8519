/**
 * Folders of /proc/sys/net, each namespace's own. A procfs keeps the trees of all namespaces that were ever looked at under one name, and
 * walks over them to find one: on a node with a thousand pods that took milliseconds of an ADD. So trees are opened in a procfs of our
 * own, which is begun anew after some namespaces; what is open of the one before stays good. Where that is not allowed, the usual one does.
 */
import { close, constants, openSync } from 'node:fs';
import { nativeAddon } from '#io/native/index.ts';

/** Where /proc/sys is: a container sees its own read only, and the host's mounted elsewhere. */
export const PROC_SYS = process.env['POPLIN_PROC_SYS'] ?? '/proc/sys';

/** open(2): a place in the file system, and nothing to be read. */
const O_PATH = 0o10000000;

/** To begin anew costs a grace period of RCU on the thread pool. */
const TREES_MAX = 128;

/** The procfs in use: -1 before the first, undefined if there can be none. */
let proc: number | undefined = -1;
let trees = 0;

/** A descriptor of `/proc/sys/net/TREE` of a namespace, good in whatever namespace it is used. Throws ENOENT if there is none. */
export function openSysctlTree(namespaceFd: number, tree: string): number {
  const own = ownProc();
  const folder = own === undefined ? PROC_SYS : `/proc/self/fd/${own}/sys`;
  const open = () => openSync(`${folder}/net/${tree}`, O_PATH | constants.O_DIRECTORY);
  return nativeAddon().runInNamespace(namespaceFd, open);
}

function ownProc(): number | undefined {
  if (proc === undefined) return undefined;
  if (proc >= 0 && trees++ < TREES_MAX) return proc;
  const former = proc;
  try {
    proc = nativeAddon().procOpen();
  } catch {
    proc = undefined;
  }
  trees = 1;
  if (former >= 0) close(former);
  return proc;
}
