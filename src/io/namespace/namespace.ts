/**
 * Network namespaces as disposable handles and as files that keep them alive (bind mounts, as `ip netns` makes them).
 * A handle is an open descriptor: the namespace lives at least as long as the handle.
 */

/** Device and inode of a namespace file, `dev:ino`: equal for two handles if and only if they are the same namespace. */
export type NamespaceId = string;

/** An open network namespace. Close it, or use `using`. */
export interface Namespace extends Disposable {
  /** The descriptor, valid until closed; usable as IFLA_NET_NS_FD. */
  readonly fd: number;
  /** The path it was opened by. */
  readonly path: string;
  readonly id: NamespaceId;
  /** Closes the descriptor; harmless if repeated. */
  close(): void;
}

/** A namespace file found in a folder. */
export interface NamespaceEntry {
  readonly name: string;
  readonly path: string;
  readonly id: NamespaceId;
}

/** Opens the namespace file, e.g. /run/netns/a or /proc/123/ns/net. Throws ENOENT if absent, EINVAL if it is no network namespace. */
export function openNamespace(path: string): Namespace {
  throw new Error(`not written yet: ${path}`);
}

/** Makes a namespace and keeps it alive by a bind mount at `path`. Throws EEXIST if the file exists; leaves nothing on failure. */
export function createNamespace(path: string): Namespace {
  throw new Error(`not written yet: ${path}`);
}

/** Unmounts and removes the namespace file; false if there was none. Processes and handles inside keep the namespace itself alive. */
export function removeNamespace(path: string): boolean {
  throw new Error(`not written yet: ${path}`);
}

/** A handle on the calling thread's own namespace. */
export function currentNamespace(): Namespace {
  throw new Error('not written yet');
}

/** The identity of a namespace file; undefined if the file is absent or is no network namespace. */
export function namespaceId(path: string): NamespaceId | undefined {
  throw new Error(`not written yet: ${path}`);
}

/** The network namespaces kept alive in a folder, by name; other files are left out, a missing folder is empty. */
export function listNamespaces(folder = '/run/netns'): NamespaceEntry[] {
  throw new Error(`not written yet: ${folder}`);
}
