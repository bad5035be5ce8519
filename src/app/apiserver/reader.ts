/** The reading verbs: get and list, against the store's latest state or a snapshot of it. */
import {
  type ContinueToken,
  encodeContinue,
  expired,
  type JsonObject,
  notFound,
  type ServedResource,
  StatusError,
  type StoredObject,
  type VersionedStore,
} from '#core/kube/index.ts';
import { keyNamespace, parseObject } from './object-text.ts';
import { type Paging, type Selection, selectedName, selects, selectsAll } from './selection.ts';

export interface ListPage {
  readonly texts: readonly string[];
  /** The list's metadata: resourceVersion, continue, remainingItemCount. */
  readonly metadata: JsonObject;
}

/** Rows fetched at a time while a selector is looking for matches. */
const SCAN_ROWS = 500;

/** The version a client waits for is ahead of this server's. */
export function refuseFuture(version: number | undefined, store: VersionedStore): void {
  if (version === undefined || version <= store.latestVersion) return;
  throw new StatusError(
    504,
    'Timeout',
    `Too large resource version: ${version}, current: ${store.latestVersion}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  );
}

export class ObjectReader {
  readonly #store: VersionedStore;

  constructor(store: VersionedStore) {
    this.#store = store;
  }

  /** The text of one object. Throws 404. */
  get(resource: ServedResource, namespace: string | undefined, name: string): string {
    const found = this.#store.get(resource.storageKey, keyNamespace(resource, namespace), name);
    if (found === undefined) throw notFound(resource, name);
    return found.json;
  }

  /** One page of a list. Throws 410 when its snapshot is gone, 504 when it asks for the future. */
  list(resource: ServedResource, selection: Selection, paging: Paging): ListPage {
    refuseFuture(paging.notBefore, this.#store);
    refuseFuture(paging.exactly, this.#store);
    const version = paging.from?.version ?? paging.exactly ?? this.#store.latestVersion;
    if (version > this.#store.latestVersion) refuseFuture(version, this.#store);
    if (version < this.#store.oldestVersion) {
      throw expired(
        `The provided ${paging.from === undefined ? 'resource version' : 'continue parameter'} is too old (${version}, the oldest kept is ${this.#store.oldestVersion}): start the list again`,
      );
    }
    const { objects, next } = this.#scan(resource, selection, version, paging);
    // counted in the present state, of which the snapshot is the start: an estimate, as the API says
    const remaining =
      next !== undefined && selectsAll(selection)
        ? this.#store.count(resource.storageKey, {
            ...(selection.namespace !== undefined && { namespace: selection.namespace }),
            after: next,
          })
        : 0;
    return {
      texts: objects.map((object) => object.json),
      metadata: {
        resourceVersion: String(version),
        ...(next !== undefined && { continue: encodeContinue(next) }),
        ...(remaining > 0 && { remainingItemCount: remaining }),
      },
    };
  }

  #scan(
    resource: ServedResource,
    selection: Selection,
    version: number,
    { limit, from }: Paging,
  ): { objects: StoredObject[]; next?: ContinueToken } {
    const name = selectedName(selection);
    if (name !== undefined && (!resource.namespaced || selection.namespace !== undefined)) {
      return { objects: this.#single(resource, selection, version, name) };
    }
    const wanted = limit ?? Number.POSITIVE_INFINITY;
    const all = selectsAll(selection);
    const rows = all ? (limit === undefined ? undefined : limit + 1) : SCAN_ROWS;
    const objects: StoredObject[] = [];
    let after: { namespace: string; name: string } | undefined = from;
    for (;;) {
      const page = this.#store.list(resource.storageKey, {
        version,
        ...(selection.namespace !== undefined && { namespace: selection.namespace }),
        ...(after !== undefined && { after }),
        ...(rows !== undefined && { limit: rows }),
      });
      for (const object of page) {
        if (!all && !selects(selection, parseObject(object.json, resource))) continue;
        if (objects.length === wanted) {
          const last = objects[objects.length - 1] ?? object;
          return { objects, next: { version, namespace: last.namespace, name: last.name } };
        }
        objects.push(object);
      }
      if (rows === undefined || page.length < rows) return { objects };
      after = page[page.length - 1];
    }
  }

  #single(resource: ServedResource, selection: Selection, version: number, name: string): StoredObject[] {
    if (version !== this.#store.latestVersion) {
      return this.#store
        .list(resource.storageKey, { version, namespace: keyNamespace(resource, selection.namespace) })
        .filter((object) => object.name === name && selects(selection, parseObject(object.json, resource)));
    }
    const found = this.#store.get(resource.storageKey, keyNamespace(resource, selection.namespace), name);
    return found !== undefined && selects(selection, parseObject(found.json, resource)) ? [found] : [];
  }
}
