/** Taking a lab off the host, by its supervisor or in its stead: any step may have been done already, by a run that broke off. */
import { rmSync } from 'node:fs';
import { namespaceId, removeNamespace } from '#io/namespace/index.ts';
import { callControl } from './control.ts';
import { removeHostTraces } from './host-traces.ts';
import type { LabDir } from './lab-dir.ts';
import { memberNames } from './members.ts';
import { isPrivileged } from './privilege.ts';
import { endProcesses, namespaceOf, type ProcessIdentity, processesWithin } from './processes.ts';

/** The supervisor ends its agents and its API server before itself. */
const SUPERVISOR_GRACE_MS = 15_000;

/** Ends what still runs of a lab, by its supervisor if that answers, and removes its namespaces and files. */
export async function removeLab(dir: LabDir, launched?: ProcessIdentity): Promise<void> {
  const record = dir.record();
  const occupants = occupantsOf(dir);
  await askDown(dir);
  const supervisors = [launched, record?.supervisor].filter((each) => each !== undefined);
  await endProcesses(supervisors, SUPERVISOR_GRACE_MS);
  await endProcesses([...(record?.agents ?? []), ...occupants()]);
  clearAway(dir);
}

/** A function that lists the processes in a lab's namespaces but this one; it works when their files are gone too. */
export function occupantsOf(dir: LabDir): () => ProcessIdentity[] {
  if (!isPrivileged()) {
    const own = process.env['POPLIN_LAB_OWNER'] === undefined ? undefined : namespaceOf('self', 'user');
    const namespace = own ?? dir.record()?.userNamespace;
    return () => (namespace === undefined ? [] : processesWithin('user', new Set([namespace])));
  }
  const namespaces = namespaceFiles(dir).flatMap((path) => {
    const inode = namespaceId(path)?.split(':')[1];
    return inode === undefined ? [] : [`net:[${inode}]`];
  });
  return () => processesWithin('net', new Set(namespaces));
}

/** Removes namespaces, files, and what the last lab leaves on the host. Nothing of the lab may run any more. */
export function clearAway(dir: LabDir): void {
  // From outside a user namespace its mounts are not seen: they went with the last process in it.
  const areMountsHere = isPrivileged() || process.env['POPLIN_LAB_OWNER'] !== undefined;
  if (areMountsHere) for (const path of namespaceFiles(dir)) removeNamespace(path);
  rmSync(dir.path, { recursive: true, force: true });
  removeHostTraces();
}

function namespaceFiles(dir: LabDir): string[] {
  const topology = dir.topology();
  const members = topology === undefined ? [] : memberNames(topology);
  return [...members.map((member) => dir.namespace(member)), ...(isPrivileged() ? [dir.fabric] : [])];
}

/** A supervisor that is gone, goes while it answers, or does not answer at all is no error: it is ended then. */
async function askDown(dir: LabDir): Promise<void> {
  try {
    await callControl(dir.controlSocket, 'POST', '/down', SUPERVISOR_GRACE_MS);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT'].includes(code))
      throw error;
  }
}
