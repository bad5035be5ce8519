/**
 * A working model of a Kubernetes API server behind the port ObjectStore, in memory and without delays: versions,
 * conflicts, selectors, finalizers, status subresources, watches, expired history and outages on command.
 */
import type {
  CallOptions,
  Follower,
  KubeObject,
  ListOptions,
  ObjectList,
  ObjectStore,
  PatchType,
  ResourcePath,
  SubresourceOptions,
  WatchEvent,
  WatchPace,
} from '#core/store/index.ts';
import { isGone, StoreError } from '#core/store/index.ts';
import { applyPatch, sameJson } from './patches.ts';
import { matchesFields, matchesLabels } from './selectors.ts';
import { WatchHub } from './watchers.ts';

export interface FakeStoreOptions {
  /** The time for creationTimestamp and deletionTimestamp; 2024-01-01T00:00:00Z if absent. */
  readonly now?: () => Date;
  /** Plurals of resources whose status is written through the subresource alone; nodes, pods, namespaces, services if absent. */
  readonly statusSubresources?: readonly string[];
}

/** One call as it arrived, also where it failed. */
export interface RecordedCall {
  readonly verb: 'get' | 'list' | 'create' | 'replace' | 'patch' | 'delete' | 'watch';
  readonly plural: string;
  readonly name?: string;
}

/** What every call and open watch fails with during an outage. */
export class OutageError extends Error {
  override readonly name = 'OutageError';
  constructor() {
    super('the fake store is down');
  }
}

type WatchOptions = ListOptions & CallOptions & { resourceVersion: string; onOpen?: () => void };
type Write = (old: KubeObject) => KubeObject;

const STATUS_SUBRESOURCES = ['nodes', 'pods', 'namespaces', 'services'];

export class FakeStore implements ObjectStore {
  /** Every call since the store was made; tests may empty it. */
  readonly calls: RecordedCall[] = [];
  readonly #now: () => Date;
  readonly #withStatus: ReadonlySet<string>;
  readonly #collections = new Map<string, Map<string, KubeObject>>();
  readonly #hub = new WatchHub();
  readonly #failures: Error[] = [];
  #version = 1;
  #uids = 0;
  #down = false;
  readonly #upWaiters: Array<() => void> = [];

  constructor(options: FakeStoreOptions = {}) {
    this.#now = options.now ?? (() => new Date(Date.UTC(2024, 0, 1)));
    this.#withStatus = new Set(options.statusSubresources ?? STATUS_SUBRESOURCES);
  }

  /** The version of the last change. */
  get resourceVersion(): string {
    return String(this.#version);
  }

  get openWatches(): number {
    return this.#hub.size;
  }

  /** Forgets all history: a watch from an older version is refused with 410. */
  compact(): void {
    this.#hub.compact(this.#version);
  }

  /** Ends all open watches as a server does after their timeout; with an error, as one that breaks. */
  endWatches(error?: Error): void {
    this.#hub.endAll(error);
  }

  /** Sends a bookmark to all open watches. */
  bookmark(): void {
    this.#hub.bookmark(this.#version);
  }

  /** Down: all calls and watches fail until it is up again. Objects stay. */
  outage(state: 'down' | 'up'): void {
    this.#down = state === 'down';
    if (this.#down) return this.#hub.endAll(new OutageError());
    for (const wake of this.#upWaiters.splice(0)) wake();
  }

  /** The next call that is no watch or follow fails with this error; several are used up in order. */
  failNext(error: Error): void {
    this.#failures.push(error);
  }

  async get<T extends KubeObject>(
    resource: ResourcePath,
    name: string,
    options: CallOptions = {},
  ): Promise<T> {
    this.#arrive('get', resource, name, options.signal);
    return structuredClone(this.#find(resource, name, options.namespace)) as T;
  }

  async list<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & CallOptions = {},
  ): Promise<ObjectList<T>> {
    this.#arrive('list', resource, undefined, options.signal);
    const matches = matcher(resource, options);
    const items = [...this.#collection(resource)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object)
      .filter(matches);
    return { items: structuredClone(items) as T[], resourceVersion: this.resourceVersion };
  }

  async create<T extends KubeObject>(
    resource: ResourcePath,
    object: T,
    options: CallOptions = {},
  ): Promise<T> {
    this.#arrive('create', resource, object.metadata.name, options.signal);
    const created: KubeObject = structuredClone(object);
    const namespace = options.namespace ?? object.metadata.namespace;
    const { metadata } = created;
    if (!metadata.name && typeof metadata['generateName'] === 'string')
      metadata.name = `${metadata['generateName']}${(++this.#uids).toString(36).padStart(5, 'x')}`;
    const key = keyOf(resource, metadata.name, namespace);
    if (resource.namespaced) metadata.namespace = namespace as string;
    if (this.#collection(resource).has(key))
      throw new StoreError(409, 'AlreadyExists', `${resource.plural} "${metadata.name}" already exists`);
    metadata.uid = `00000000-0000-4000-8000-${(++this.#uids).toString(16).padStart(12, '0')}`;
    metadata.creationTimestamp = this.#timestamp();
    metadata.generation = 1;
    delete metadata.deletionTimestamp;
    return this.#commit(resource, key, undefined, created) as T;
  }

  async replace<T extends KubeObject>(
    resource: ResourcePath,
    object: T,
    options: SubresourceOptions = {},
  ): Promise<T> {
    const { name, namespace, resourceVersion, uid } = object.metadata;
    this.#arrive('replace', resource, name, options.signal);
    return this.#update(resource, name, options.namespace ?? namespace, options.subresource, (old) => {
      if (resourceVersion) checkVersion(resource, old, resourceVersion);
      if (uid && uid !== old.metadata.uid) throw conflict(resource, name, `the uid is ${old.metadata.uid}`);
      return structuredClone(object);
    }) as T;
  }

  async patch<T extends KubeObject>(
    resource: ResourcePath,
    name: string,
    type: PatchType,
    patch: unknown,
    options: SubresourceOptions = {},
  ): Promise<T> {
    this.#arrive('patch', resource, name, options.signal);
    return this.#update(resource, name, options.namespace, options.subresource, (old) => {
      const patched = applyPatch(type, old, patch) as KubeObject;
      // A version in the patch is a demand, as in an object to replace.
      const demanded = patched.metadata.resourceVersion;
      if (demanded) checkVersion(resource, old, demanded);
      return patched;
    }) as T;
  }

  async delete(
    resource: ResourcePath,
    name: string,
    options: CallOptions & { resourceVersion?: string } = {},
  ): Promise<void> {
    this.#arrive('delete', resource, name, options.signal);
    const old = this.#find(resource, name, options.namespace);
    if (options.resourceVersion) checkVersion(resource, old, options.resourceVersion);
    const key = keyOf(resource, name, options.namespace);
    const marked = structuredClone(old);
    marked.metadata.deletionTimestamp ??= this.#timestamp();
    if ((old.metadata.finalizers ?? []).length === 0) this.#remove(resource, key, old, marked);
    else if (!sameJson(old, marked)) this.#commit(resource, key, old, marked);
  }

  async *watch<T extends KubeObject>(
    resource: ResourcePath,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>> {
    this.calls.push({ verb: 'watch', plural: resource.plural });
    if (this.#down) throw new OutageError();
    options.signal?.throwIfAborted();
    const since = Number(options.resourceVersion);
    if (since > this.#version)
      throw new StoreError(504, 'Timeout', `Too large resource version: ${since}, current: ${this.#version}`);
    const matches = matcher(resource, options);
    const scope = { collection: collectionKey(resource), matches, signal: options.signal };
    yield* this.#hub.watch(scope, since, options.onOpen) as AsyncGenerator<WatchEvent<T>>;
  }

  async follow<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & WatchPace & { signal: AbortSignal },
    follower: Follower<T>,
  ): Promise<void> {
    let up = true;
    while (!options.signal.aborted) {
      try {
        const { items, resourceVersion } = await this.list<T>(resource, options);
        if (!up) follower.connection?.('up');
        up = true;
        follower.sync(items);
        for await (const event of this.watch<T>(resource, { ...options, resourceVersion })) {
          if (event.type === 'DELETED') follower.remove(event.object);
          else if (event.type !== 'BOOKMARK') follower.upsert(event.object);
        }
      } catch (error) {
        if (options.signal.aborted) return;
        if (isGone(error)) continue;
        if (!(error instanceof OutageError)) throw error;
        if (up) follower.connection?.('down', error);
        up = false;
        await this.#whenUp(options.signal);
      }
    }
  }

  #update(
    resource: ResourcePath,
    name: string,
    namespace: string | undefined,
    subresource: 'status' | undefined,
    write: Write,
  ): KubeObject {
    if (subresource !== undefined && !this.#withStatus.has(resource.plural))
      throw new StoreError(404, 'NotFound', `${resource.plural} have no subresource ${subresource}`);
    const old = this.#find(resource, name, namespace);
    const wanted = write(old);
    const next: KubeObject =
      subresource === undefined ? wanted : { ...structuredClone(old), metadata: wanted.metadata };
    if (subresource !== undefined) copyField('status', wanted, next);
    else if (this.#withStatus.has(resource.plural)) copyField('status', old, next);
    const { uid, creationTimestamp, deletionTimestamp, generation, resourceVersion } = old.metadata;
    // What only the server sets stays as it is, whatever the writer sent.
    const kept = { uid, creationTimestamp, deletionTimestamp, generation, resourceVersion, name, namespace };
    for (const [key, value] of Object.entries(kept)) {
      if (value === undefined) delete next.metadata[key];
      else next.metadata[key] = value;
    }
    if (sameJson(old, next)) return structuredClone(old);
    if (specChanged(old, next)) next.metadata.generation = (generation ?? 0) + 1;
    const key = keyOf(resource, name, namespace);
    if (deletionTimestamp && (next.metadata.finalizers ?? []).length === 0)
      return this.#remove(resource, key, old, next);
    return this.#commit(resource, key, old, next);
  }

  #commit(
    resource: ResourcePath,
    key: string,
    before: KubeObject | undefined,
    after: KubeObject,
  ): KubeObject {
    after.metadata.resourceVersion = String(++this.#version);
    this.#collection(resource).set(key, after);
    this.#record(resource, before, after, false);
    return structuredClone(after);
  }

  #remove(resource: ResourcePath, key: string, before: KubeObject, last: KubeObject): KubeObject {
    last.metadata.resourceVersion = String(++this.#version);
    this.#collection(resource).delete(key);
    this.#record(resource, before, last, true);
    return structuredClone(last);
  }

  #record(resource: ResourcePath, before: KubeObject | undefined, after: KubeObject, deleted: boolean): void {
    const collection = collectionKey(resource);
    this.#hub.record({ version: this.#version, collection, before, after, deleted });
  }

  #find(resource: ResourcePath, name: string, namespace: string | undefined): KubeObject {
    const object = this.#collection(resource).get(keyOf(resource, name, namespace));
    if (object === undefined) throw new StoreError(404, 'NotFound', `${resource.plural} "${name}" not found`);
    return object;
  }

  #collection(resource: ResourcePath): Map<string, KubeObject> {
    const key = collectionKey(resource);
    let collection = this.#collections.get(key);
    if (collection === undefined) {
      collection = new Map();
      this.#collections.set(key, collection);
    }
    return collection;
  }

  #arrive(
    verb: RecordedCall['verb'],
    resource: ResourcePath,
    name: string | undefined,
    signal: AbortSignal | undefined,
  ): void {
    this.calls.push({ verb, plural: resource.plural, ...(name === undefined ? {} : { name }) });
    signal?.throwIfAborted();
    if (this.#down) throw new OutageError();
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
  }

  #whenUp(signal: AbortSignal): Promise<void> {
    if (!this.#down || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#upWaiters.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #timestamp(): string {
    return this.#now()
      .toISOString()
      .replace(/\.\d+Z$/, 'Z');
  }
}

function matcher(resource: ResourcePath, options: ListOptions): (object: KubeObject) => boolean {
  const { namespace, labelSelector, fieldSelector } = options;
  matchesLabels(labelSelector); // refuses bad text even where there is no object to try it on
  return (object) =>
    (!resource.namespaced || namespace === undefined || object.metadata.namespace === namespace) &&
    matchesLabels(labelSelector, object.metadata.labels) &&
    matchesFields(fieldSelector, object);
}

function collectionKey(resource: ResourcePath): string {
  return `${resource.group}/${resource.plural}`;
}

function keyOf(resource: ResourcePath, name: string, namespace: string | undefined): string {
  if (!name) throw new TypeError(`${resource.plural}: the object has no name`);
  if (!resource.namespaced) return name;
  if (!namespace)
    throw new TypeError(`${resource.plural} "${name}": no namespace given, and the resource is namespaced`);
  return `${namespace}/${name}`;
}

function checkVersion(resource: ResourcePath, old: KubeObject, demanded: string): void {
  if (demanded === old.metadata.resourceVersion) return;
  throw conflict(
    resource,
    old.metadata.name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

function conflict(resource: ResourcePath, name: string, why: string): StoreError {
  return new StoreError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resource.plural} "${name}": ${why}`,
  );
}

function copyField(name: string, from: KubeObject, to: KubeObject): void {
  if (from[name] === undefined) delete to[name];
  else to[name] = structuredClone(from[name]);
}

function specChanged(before: KubeObject, after: KubeObject): boolean {
  const spec = ({ metadata: _metadata, status: _status, ...rest }: KubeObject) => rest;
  return !sameJson(spec(before), spec(after));
}
