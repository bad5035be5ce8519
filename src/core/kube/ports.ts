/** What the API server needs from its database: versioned texts under a key, with one counter for all writes. */

export interface StoredObject {
  readonly version: number;
  readonly namespace: string;
  readonly name: string;
  /** The object's JSON text. */
  readonly json: string;
}

/** One write, as watchers learn of it. */
export interface StoredChange extends StoredObject {
  readonly resource: string;
  readonly removed: boolean;
  /** The text before this write; absent when the write created the object. */
  readonly previous?: string;
}

/** A range of an object's keys, in the order of namespace and name. */
export interface KeyRange {
  readonly namespace?: string;
  /** Starts behind this key. */
  readonly after?: { readonly namespace: string; readonly name: string };
}

export interface ListRange extends KeyRange {
  readonly limit?: number;
  /** Lists as of this version, which must not be older than the store's oldest. */
  readonly version?: number;
}

/** Reads and writes inside one unit of work; a thrown error undoes all of its writes. */
export interface UnitOfWork {
  get(resource: string, namespace: string, name: string): StoredObject | undefined;
  list(resource: string, range?: ListRange): StoredObject[];
  /** The resources of which there are objects in a namespace. */
  resourcesIn(namespace: string): string[];
  hasObjectsIn(namespace: string): boolean;
  /** Writes an object; the text is made from the version the write gets. */
  put(resource: string, namespace: string, name: string, text: (version: number) => string): StoredObject;
  /** Removes an object; the text is its last state under the version of the removal. */
  remove(resource: string, namespace: string, name: string, text: (version: number) => string): void;
}

export interface VersionedStore extends Pick<UnitOfWork, 'get' | 'list'> {
  /** The version of the last committed write. */
  readonly latestVersion: number;
  /** Changes after this version are still known; a watch from before it cannot be served. */
  readonly oldestVersion: number;
  /** How many current objects a range has. */
  count(resource: string, range?: KeyRange): number;
  changesAfter(version: number, resource: string): StoredChange[];
  /** Runs the work with others in one transaction; settles when it is on disk. */
  submit<T>(work: (unit: UnitOfWork) => T): Promise<T>;
  close(): Promise<void>;
}
