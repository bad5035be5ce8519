/** A call's pod: its namespace opened with the right errors, what planners want to know of it, and plans carried out in it. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { CNI_ERROR, CniError, type FactsWanted, type FileChange } from '#core/cni/index.ts';
import {
  CNI,
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  plan,
  stateOf,
} from '#core/kernel/index.ts';
import { atomicWrite, ensureDir, readRegularFile, removeIfExists } from '#io/files/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import type { NamespaceId } from '#io/namespace/index.ts';

/** The namespace of a pod to be attached; throws CniError 3 if it is not there, 8 if it is the host's own. */
export function openPod(netns: string, host: NamespaceId): PodKernel {
  const pod = tryOpenPod(netns);
  if (pod === undefined)
    throw new CniError(CNI_ERROR.unknownContainer, `CNI_NETNS: no network namespace at "${netns}"`);
  if (pod.namespace.id !== host) return pod;
  pod[Symbol.dispose]();
  throw new CniError(
    CNI_ERROR.invalidNetworkNamespace,
    `CNI_NETNS: "${netns}" is the host's own network namespace`,
  );
}

/** A pod's namespace, if it is there still: a path below /proc may have become the agent's own. */
export function podToLeave(netns: string, host: NamespaceId): PodKernel | undefined {
  if (netns === '') return undefined;
  const pod = tryOpenPod(netns);
  if (pod?.namespace.id !== host) return pod;
  pod?.[Symbol.dispose]();
  return undefined;
}

/** What planners see of the pod: the interface, or everything if that is wanted, and the other links and sysctls asked for. */
export function podState(pod: PodKernel | undefined, ifName: string, wanted: FactsWanted): KernelState {
  if (pod === undefined) return new Map();
  const { podLinks = [] } = wanted;
  const state = wanted.podState === true ? new Map(pod.dump()) : namedLinks(pod, [ifName, ...podLinks]);
  for (const path of wanted.podSysctls ?? []) {
    const value = pod.readSysctl(path);
    const object: KernelObject = { kind: 'sysctl', path, value: value ?? '' };
    if (value !== undefined) state.set(keyOf(object), object);
  }
  return state;
}

function namedLinks(pod: PodKernel, names: readonly string[]): Map<string, KernelObject> {
  return stateOf(
    [...new Set(names)].flatMap((name) => {
      const link = pod.link(name);
      return link === undefined ? [] : [link];
    }),
  );
}

/** The pod's objects as operations: what is there already, by whoever's making, is changed, the rest is added. */
export function podOps(
  removals: readonly KernelObject[],
  objects: readonly KernelObject[],
  pod: PodKernel,
): KernelOp[] {
  const present = objects.flatMap((object) => {
    const link = object.kind === 'link' ? pod.link(object.name) : undefined;
    return link === undefined ? [] : [link];
  });
  const actual = stateOf(present.map((link) => ({ ...link, alias: CNI.alias })));
  return [
    ...removals.map((object): KernelOp => ({ verb: 'remove', object })),
    ...plan(stateOf(objects), actual, { owners: [CNI] }).ops,
  ];
}

/** Plugins keep little, and administrators write little. */
const MAX_FILE_BYTES = 256 * 1024;

/** The wanted files that are there. Throws CniError 5 for one that cannot be read. */
export function readFiles(paths: readonly string[] = []): Map<string, string> {
  const files = new Map<string, string>();
  for (const path of paths) {
    try {
      if (existsSync(path)) files.set(path, readRegularFile(path, MAX_FILE_BYTES));
    } catch (error) {
      throw new CniError(CNI_ERROR.ioFailure, `cannot read ${path}: ${(error as Error).message}`, '', {
        cause: error,
      });
    }
  }
  return files;
}

/** What the wanted folders that are there hold. */
export function readFolders(paths: readonly string[] = []): Map<string, readonly string[]> {
  const folders = new Map<string, readonly string[]>();
  for (const path of paths) {
    try {
      folders.set(path, readdirSync(path));
    } catch {
      // Absent, or no folder: then nothing is in it.
    }
  }
  return folders;
}

/** Writes or removes files, each whole or not at all. Throws CniError 5. */
export async function changeFiles(changes: readonly FileChange[] = []): Promise<void> {
  for (const { path, text } of changes) {
    try {
      if (text === undefined) await removeIfExists(path);
      else {
        await ensureDir(dirname(path));
        await atomicWrite(path, text);
      }
    } catch (error) {
      throw new CniError(CNI_ERROR.ioFailure, `cannot write ${path}: ${(error as Error).message}`, '', {
        cause: error,
      });
    }
  }
}

/** What opening a path says at which there is nothing, or something else than a network namespace. */
const NO_NAMESPACE = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ENXIO', 'EINVAL'];

/** PATH_MAX of linux/limits.h, with the terminating zero. */
const PATH_MAX_BYTES = 4096;

function tryOpenPod(netns: string): PodKernel | undefined {
  if (Buffer.byteLength(netns) >= PATH_MAX_BYTES) return undefined;
  try {
    return PodKernel.open(netns);
  } catch (error) {
    if (NO_NAMESPACE.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
