/**
 * The store as a further network sees it: what the first one keeps in the namespace poplin-system, its leases and its configuration, this
 * one keeps in a namespace of its own.
 */
import { LEASE_NAMESPACE } from '#core/lease/index.ts';
import {
  type CallOptions,
  type Follower,
  type KubeObject,
  type ListOptions,
  type ObjectList,
  type ObjectStore,
  RESOURCES,
  type ResourcePath,
  type SubresourceOptions,
  type WatchEvent,
  type WatchPace,
} from '#core/store/index.ts';

/** `poplin-system-NAME`. */
export function networkNamespace(network: string): string {
  return `${LEASE_NAMESPACE}-${network}`;
}

export class NetworkStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #namespace: string;

  constructor(store: ObjectStore, network: string) {
    this.#store = store;
    this.#namespace = networkNamespace(network);
  }

  get<T extends KubeObject>(resource: ResourcePath, name: string, options?: CallOptions): Promise<T> {
    return this.#inwards(this.#store.get<T>(resource, this.#name(resource, name), this.#options(options)));
  }

  async list<T extends KubeObject>(
    resource: ResourcePath,
    options?: ListOptions & CallOptions,
  ): Promise<ObjectList<T>> {
    const list = await this.#store.list<T>(resource, this.#options(options));
    return { ...list, items: list.items.map((item) => this.#seen(item)) };
  }

  create<T extends KubeObject>(resource: ResourcePath, object: T, options?: CallOptions): Promise<T> {
    return this.#inwards(this.#store.create(resource, this.#kept(resource, object), this.#options(options)));
  }

  replace<T extends KubeObject>(resource: ResourcePath, object: T, options?: SubresourceOptions): Promise<T> {
    return this.#inwards(this.#store.replace(resource, this.#kept(resource, object), this.#options(options)));
  }

  patch: ObjectStore['patch'] = async <T extends KubeObject>(
    ...[resource, name, type, patch, options]: Parameters<ObjectStore['patch']>
  ) =>
    this.#inwards(
      this.#store.patch<T>(resource, this.#name(resource, name), type, patch, this.#options(options)),
    );

  delete: ObjectStore['delete'] = (resource, name, options) =>
    this.#store.delete(resource, this.#name(resource, name), this.#options(options));

  async *watch<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & CallOptions & WatchPace & { resourceVersion: string },
  ): AsyncIterable<WatchEvent<T>> {
    for await (const event of this.#store.watch<T>(resource, this.#options(options)))
      yield event.type === 'BOOKMARK' ? event : { ...event, object: this.#seen(event.object) };
  }

  follow<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & WatchPace & { signal: AbortSignal },
    follower: Follower<T>,
  ): Promise<void> {
    return this.#store.follow<T>(resource, this.#options(options), {
      sync: (items) => follower.sync(items.map((item) => this.#seen(item))),
      upsert: (object) => follower.upsert(this.#seen(object)),
      remove: (object) => follower.remove(this.#seen(object)),
      connection: (state, cause) => follower.connection?.(state, cause),
    });
  }

  #name(resource: ResourcePath, name: string): string {
    return resource.plural === RESOURCES.namespaces.plural && name === LEASE_NAMESPACE
      ? this.#namespace
      : name;
  }

  #options<O extends { readonly namespace?: string } | undefined>(options: O): O {
    return options?.namespace === LEASE_NAMESPACE ? { ...options, namespace: this.#namespace } : options;
  }

  #kept<T extends KubeObject>(resource: ResourcePath, object: T): T {
    const { metadata } = object;
    const name = this.#name(resource, metadata.name);
    if (metadata.namespace !== LEASE_NAMESPACE) return { ...object, metadata: { ...metadata, name } };
    return { ...object, metadata: { ...metadata, name, namespace: this.#namespace } };
  }

  #seen<T extends KubeObject>(object: T): T {
    if (object.metadata.namespace !== this.#namespace) return object;
    return { ...object, metadata: { ...object.metadata, namespace: LEASE_NAMESPACE } };
  }

  async #inwards<T extends KubeObject>(answer: Promise<T>): Promise<T> {
    return this.#seen(await answer);
  }
}
