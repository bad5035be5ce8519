/**
 * The port ObjectStore over a Kubernetes API server, real or embedded. One object per server; it keeps connections
 * alive between calls and each watch holds one of its own (HTTP/1.1).
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
import { isGone } from '#core/store/index.ts';
import { Limit, splitLines } from '#io/http/index.ts';
import type { KubeConfig } from './config.ts';
import { followStore, type WatchOpenOptions } from './follower.ts';
import { collectionPath, needNamespace, objectPath, queryText, selectorQuery } from './paths.ts';
import { Transport, type TransportOptions } from './transport.ts';
import { parseWatchEvent } from './watch-stream.ts';

export type KubeStoreOptions = TransportOptions;

export interface KubeStore extends ObjectStore, Disposable {
  /** `10.0.0.1:6443` */
  readonly server: string;
  /** Watches report through `onOpen` that the server has accepted them. */
  watch<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & CallOptions & WatchPace & WatchOpenOptions & { resourceVersion: string },
  ): AsyncIterable<WatchEvent<T>>;
  /** Ends all connections; calls under way fail, and follow() rejects unless its signal has aborted. */
  close(): void;
}

/** Makes a client; it connects on the first call. Throws a TypeError if the server's URL is none. */
export function createKubeStore(config: KubeConfig, options: KubeStoreOptions): KubeStore {
  return new HttpStore(config, options);
}

const PAGE_SIZE = 500;
const PATCH_CONTENT_TYPES: Record<PatchType, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
};
/** The server is asked to end each watch after 5 to 10 minutes, so that dead ones are noticed and load is spread. */
const WATCH_MIN_SECONDS = 300;
const WATCH_SPREAD_SECONDS = 300;
/** How much longer than asked a watch may stay silent before it counts as dead. */
const WATCH_GRACE_MS = 30_000;

interface WireList<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly T[] | null;
}

class HttpStore implements KubeStore {
  readonly #transport: Transport;
  readonly #options: KubeStoreOptions;

  constructor(config: KubeConfig, options: KubeStoreOptions) {
    this.#options = options;
    this.#transport = new Transport(config, options);
  }

  get server(): string {
    return this.#transport.server;
  }

  close(): void {
    this.#transport.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async get<T extends KubeObject>(
    resource: ResourcePath,
    name: string,
    { namespace, signal }: CallOptions = {},
  ): Promise<T> {
    return (await this.#transport.json({
      method: 'GET',
      path: objectPath(resource, name, namespace),
      signal,
    })) as T;
  }

  async list<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & CallOptions = {},
  ): Promise<ObjectList<T>> {
    // A continue token expires when the server compacts its history: begin again, and the third time without pages.
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#listPages<T>(resource, options, attempt < 3 ? PAGE_SIZE : undefined);
      } catch (error) {
        if (!isGone(error) || attempt === 3) throw error;
      }
    }
  }

  async #listPages<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & CallOptions,
    limit: number | undefined,
  ): Promise<ObjectList<T>> {
    const base = collectionPath(resource, options.namespace);
    const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
    const items: T[] = [];
    let next: string | undefined;
    do {
      const path = base + queryText({ ...selectorQuery(options), limit, continue: next });
      const page = (await this.#transport.json({
        method: 'GET',
        path,
        signal: options.signal,
      })) as WireList<T>;
      // Items of built-in resources come without the type their list names.
      for (const item of page.items ?? []) {
        item.apiVersion ??= apiVersion;
        item.kind ??= resource.kind;
        items.push(item);
      }
      next = page.metadata?.continue || undefined;
      if (next === undefined) return { items, resourceVersion: page.metadata?.resourceVersion ?? '' };
    } while (true);
  }

  async create<T extends KubeObject>(
    resource: ResourcePath,
    object: T,
    options: CallOptions = {},
  ): Promise<T> {
    const { name, namespace: own, generateName } = object.metadata;
    const namespace = options.namespace ?? own;
    needNamespace(resource, name || String(generateName ?? ''), namespace);
    return (await this.#transport.json({
      method: 'POST',
      path: collectionPath(resource, namespace),
      body: object,
      signal: options.signal,
    })) as T;
  }

  async replace<T extends KubeObject>(
    resource: ResourcePath,
    object: T,
    options: SubresourceOptions = {},
  ): Promise<T> {
    const namespace = options.namespace ?? object.metadata.namespace;
    return (await this.#transport.json({
      method: 'PUT',
      path: objectPath(resource, object.metadata.name, namespace, options.subresource),
      body: object,
      signal: options.signal,
    })) as T;
  }

  async patch<T extends KubeObject>(
    resource: ResourcePath,
    name: string,
    type: PatchType,
    patch: unknown,
    options: SubresourceOptions = {},
  ): Promise<T> {
    return (await this.#transport.json({
      method: 'PATCH',
      path: objectPath(resource, name, options.namespace, options.subresource),
      body: patch,
      contentType: PATCH_CONTENT_TYPES[type],
      signal: options.signal,
    })) as T;
  }

  async delete(
    resource: ResourcePath,
    name: string,
    options: CallOptions & { resourceVersion?: string } = {},
  ): Promise<void> {
    const { namespace, signal, resourceVersion } = options;
    const path = objectPath(resource, name, namespace);
    const body =
      resourceVersion === undefined
        ? {}
        : { body: { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { resourceVersion } } };
    await this.#transport.json({ method: 'DELETE', path, ...body, signal });
  }

  async *watch<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & CallOptions & WatchPace & WatchOpenOptions & { resourceVersion: string },
  ): AsyncGenerator<WatchEvent<T>> {
    const { clock, random } = this.#options;
    const timeoutSeconds = WATCH_MIN_SECONDS + Math.floor(random() * WATCH_SPREAD_SECONDS);
    const base = collectionPath(resource, options.namespace);
    let overdue = false;
    using limit = new Limit([options.signal], {
      clock,
      ms: timeoutSeconds * 1000 + WATCH_GRACE_MS,
      late: () => {
        overdue = true;
        return new Error('the watch did not end when it was asked to');
      },
    });
    const query = queryText({
      ...selectorQuery(options),
      watch: 1,
      allowWatchBookmarks: true,
      resourceVersion: options.resourceVersion,
      timeoutSeconds,
    });
    try {
      using answer = await this.#transport.stream({
        method: 'GET',
        path: base + query,
        signal: limit.signal,
      });
      options.onOpen?.();
      for await (const line of splitLines(answer.chunks(options.collectMs))) {
        const event = parseWatchEvent<T>(line, `watch of ${base}`);
        if (event !== undefined) yield event;
      }
    } catch (error) {
      // A watch that outlives its time is as good as ended: whether the server is dead shows at the next one.
      if (!overdue) throw error;
    }
  }

  follow<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & WatchPace & { signal: AbortSignal },
    follower: Follower<T>,
  ): Promise<void> {
    return followStore(this, this.#options, resource, options, follower);
  }
}
