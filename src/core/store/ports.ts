/**
 * The port to a Kubernetes-shaped object store: a real API server, Poplin's embedded one, or the fake in testing/.
 * Shapes are the wire's own (Kubernetes API conventions); nothing here knows HTTP.
 */

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  [key: string]: unknown;
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [key: string]: unknown;
}

/** Where a kind of object lives: `{ group: '', version: 'v1', plural: 'pods', namespaced: true }`. */
export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export const RESOURCES = {
  nodes: { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false },
  pods: { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true },
  namespaces: { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
  configMaps: { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true },
  leases: { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true },
} as const satisfies Record<string, ResourcePath>;

export interface ListOptions {
  readonly namespace?: string;
  /** Kubernetes label selector text: `app=web,tier in (a,b)`. */
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** How closely changes are followed. */
export interface WatchPace {
  /**
   * What comes within so many milliseconds after a change may be read together, which costs less than one by one: for whoever has nobody
   * waiting. Default 0. The first change after a silence is told at once.
   */
  readonly collectMs?: number;
}

export interface ObjectList<T extends KubeObject = KubeObject> {
  readonly items: T[];
  readonly resourceVersion: string;
}

export type WatchEvent<T extends KubeObject = KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export type PatchType = 'json' | 'merge' | 'strategic';

/** What a follower is told: the whole list first (and again after every resync), then single changes. */
export interface Follower<T extends KubeObject = KubeObject> {
  sync(items: readonly T[]): void;
  upsert(object: T): void;
  remove(object: T): void;
  /** The store went away or came back; state already delivered stays valid meanwhile. */
  connection?(state: 'up' | 'down', cause?: Error): void;
}

export interface ObjectStore {
  get<T extends KubeObject>(resource: ResourcePath, name: string, options?: CallOptions): Promise<T>;
  list<T extends KubeObject>(
    resource: ResourcePath,
    options?: ListOptions & CallOptions,
  ): Promise<ObjectList<T>>;
  create<T extends KubeObject>(resource: ResourcePath, object: T, options?: CallOptions): Promise<T>;
  /** Replaces an object; with metadata.resourceVersion set, a stale version is refused (isConflict). */
  replace<T extends KubeObject>(resource: ResourcePath, object: T, options?: SubresourceOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: ResourcePath,
    name: string,
    type: PatchType,
    patch: unknown,
    options?: SubresourceOptions,
  ): Promise<T>;
  delete(
    resource: ResourcePath,
    name: string,
    options?: CallOptions & { resourceVersion?: string },
  ): Promise<void>;
  /** One watch from a resource version until the server ends it; throws isGone when the version is too old. */
  watch<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & CallOptions & WatchPace & { resourceVersion: string },
  ): AsyncIterable<WatchEvent<T>>;
  /** Lists and watches for ever, reconnecting with backoff, until the signal aborts. */
  follow<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & WatchPace & { signal: AbortSignal },
    follower: Follower<T>,
  ): Promise<void>;
}

export interface CallOptions {
  /** The object's namespace; needed for namespaced resources by get, patch and delete. */
  readonly namespace?: string;
  readonly signal?: AbortSignal;
}

export interface SubresourceOptions extends CallOptions {
  readonly subresource?: 'status';
}

/** A Kubernetes Status of kind Failure, as an error. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  /** HTTP status: 404, 409, 410, 422, … */
  readonly code: number;
  /** Kubernetes reason: NotFound, AlreadyExists, Conflict, Expired, Invalid, … */
  readonly reason: string;
  constructor(code: number, reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = reason;
  }
}

const hasReason = (error: unknown, ...reasons: string[]) =>
  error instanceof StoreError && reasons.includes(error.reason);
export const isNotFound = (error: unknown): boolean => hasReason(error, 'NotFound');
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, 'AlreadyExists');
export const isConflict = (error: unknown): boolean => hasReason(error, 'Conflict');
export const isGone = (error: unknown): boolean => hasReason(error, 'Expired', 'Gone');
