/**
 * Network namespaces as disposable handles and as files that keep them alive (bind mounts, as `ip netns` makes them).
 * A handle is an open descriptor: the namespace lives at least as long as the handle.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { nativeAddon } from '#io/native/index.ts';
import { openSysctlTree } from './sysctl-tree.ts';

/** Device and inode of a namespace file, `dev:ino`: equal for two handles if and only if they are the same namespace. */
export type NamespaceId = string;

/** An open network namespace. Close it, or use `using`. */
export interface Namespace extends Disposable {
  /** The descriptor, valid until closed; usable as IFLA_NET_NS_FD. */
  readonly fd: number;
  /** The path it was opened by. */
  readonly path: string;
  readonly id: NamespaceId;
  /**
   * A descriptor of `/proc/sys/net/TREE` of this namespace, good in whatever namespace it is used, until the handle is closed: to find
   * the tree costs more than to use it. Throws ENOENT if there is none.
   */
  sysctlTree(tree: string): number;
  /** Closes the descriptor; harmless if repeated. */
  close(): void;
}

/** A namespace file found in a folder. */
export interface NamespaceEntry {
  readonly name: string;
  readonly path: string;
  readonly id: NamespaceId;
}

/** The folder that `ip netns` and most runtimes use. */
const SHARED_FOLDER = '/run/netns';

class NamespaceHandle implements Namespace {
  readonly path: string;
  readonly id: NamespaceId;
  #fd: number;
  readonly #trees = new Map<string, number>();

  /** Takes over the descriptor. */
  constructor(fd: number, path: string) {
    this.path = path;
    this.#fd = fd;
    const { dev, ino } = fstatSync(fd, { bigint: true });
    this.id = `${dev}:${ino}`;
  }

  get fd(): number {
    if (this.#fd < 0) throw new Error(`network namespace ${this.path} is used after it was closed`);
    return this.#fd;
  }

  sysctlTree(tree: string): number {
    let fd = this.#trees.get(tree);
    if (fd === undefined) {
      fd = openSysctlTree(this.fd, tree);
      this.#trees.set(tree, fd);
    }
    return fd;
  }

  close(): void {
    if (this.#fd < 0) return;
    for (const fd of this.#trees.values()) closeSync(fd);
    this.#trees.clear();
    const fd = this.#fd;
    this.#fd = -1;
    closeSync(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Opens the namespace file, e.g. /run/netns/a or /proc/123/ns/net. Throws ENOENT if absent, EINVAL if it is no network namespace. */
export function openNamespace(path: string): Namespace {
  return new NamespaceHandle(nativeAddon().namespaceOpen(path), path);
}

/** Makes a namespace and keeps it alive by a bind mount at `path`. Throws EEXIST if the file exists; leaves nothing on failure. */
export function createNamespace(path: string): Namespace {
  const addon = nativeAddon();
  prepareFolder(dirname(path));
  closeSync(openSync(path, constants.O_RDONLY | constants.O_CREAT | constants.O_EXCL, 0o444));
  let fd = -1;
  let mounted = false;
  try {
    fd = addon.namespaceCreate();
    addon.bindMount(`/proc/self/fd/${fd}`, path);
    mounted = true;
    return new NamespaceHandle(fd, path);
  } catch (error) {
    if (fd >= 0) closeSync(fd);
    if (mounted) addon.unmount(path);
    rmSync(path, { force: true });
    throw error;
  }
}

/** Unmounts and removes the namespace file; false if there was none. Processes and handles inside keep the namespace itself alive. */
export function removeNamespace(path: string): boolean {
  try {
    nativeAddon().unmount(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return false;
    // EINVAL: a file without a mount, left by a crash between the two.
    if (code !== 'EINVAL') throw error;
  }
  try {
    rmSync(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** A handle on the calling thread's own namespace. */
export function currentNamespace(): Namespace {
  return openNamespace('/proc/thread-self/ns/net');
}

/** The identity of a namespace file; undefined if the file is absent or is no network namespace. */
export function namespaceId(path: string): NamespaceId | undefined {
  try {
    using namespace = openNamespace(path);
    return namespace.id;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EINVAL', 'ENXIO', 'ELOOP'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** The network namespaces kept alive in a folder, by name; other files are left out, a missing folder is empty. */
export function listNamespaces(folder = SHARED_FOLDER): NamespaceEntry[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    const id = namespaceId(path);
    return id === undefined ? [] : [{ name, path, id }];
  });
}

/**
 * Makes the folder. The shared one becomes a shared mount of its own, as `ip netns add` makes it: were it left to that command to
 * mount over our entries, they could be neither unmounted nor removed any more.
 */
function prepareFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (realpathSync(folder) !== realpathSync(dirname(SHARED_FOLDER)) + SHARED_FOLDER.slice(4)) return;
  const addon = nativeAddon();
  try {
    addon.makeMountShared(folder);
  } catch (error) {
    if (codeOf(error) !== 'EINVAL') throw error;
    addon.bindMount(folder, folder);
    addon.makeMountShared(folder);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
