/**
 * The history of a fake store and the watches on it: events since a version, then events as they happen.
 */
import { type KubeObject, StoreError, type WatchEvent } from '#core/store/index.ts';

/** One change: the object before and after it; both with their resource versions, `after` of a deletion with the deletion's. */
export interface Change {
  readonly version: number;
  readonly collection: string;
  readonly before: KubeObject | undefined;
  readonly after: KubeObject;
  readonly deleted: boolean;
}

export interface WatchScope {
  readonly collection: string;
  readonly matches: (object: KubeObject) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The event a watch with a selector sees: an object that leaves its selection is DELETED, one that enters it ADDED. */
export function eventFor(change: Change, matches: WatchScope['matches']): WatchEvent | undefined {
  const before = change.before !== undefined && matches(change.before);
  const after = !change.deleted && matches(change.after);
  if (!before && !after) return undefined;
  const type = !before ? 'ADDED' : after ? 'MODIFIED' : 'DELETED';
  const object = structuredClone(
    type === 'DELETED' && !change.deleted ? (change.before as KubeObject) : change.after,
  );
  object.metadata.resourceVersion = String(change.version);
  return { type, object };
}

class Watcher {
  readonly scope: WatchScope;
  readonly queue: WatchEvent[] = [];
  ended = false;
  error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(scope: WatchScope) {
    this.scope = scope;
  }

  push(event: WatchEvent): void {
    this.queue.push(event);
    this.#wake?.();
  }

  end(error?: Error): void {
    this.ended = true;
    this.error = error;
    this.#wake?.();
  }

  readonly abort = (): void => this.end(this.scope.signal?.reason as Error);

  /** Resolves when the queue has something or the watch has ended. */
  async ready(): Promise<void> {
    if (this.queue.length > 0 || this.ended) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

export class WatchHub {
  #changes: Change[] = [];
  /** Changes up to this version are forgotten. */
  #compacted = 0;
  readonly #watchers = new Set<Watcher>();

  /** How many watches are open. */
  get size(): number {
    return this.#watchers.size;
  }

  record(change: Change): void {
    this.#changes.push(change);
    for (const watcher of this.#watchers) {
      if (watcher.scope.collection !== change.collection) continue;
      const event = eventFor(change, watcher.scope.matches);
      if (event) watcher.push(event);
    }
  }

  compact(version: number): void {
    this.#compacted = version;
    this.#changes = this.#changes.filter((change) => change.version > version);
  }

  bookmark(version: number): void {
    for (const watcher of this.#watchers)
      watcher.push({ type: 'BOOKMARK', resourceVersion: String(version) });
  }

  endAll(error?: Error): void {
    for (const watcher of this.#watchers) watcher.end(error);
  }

  /** Events after `since`; throws StoreError Expired if they are forgotten. */
  async *watch(scope: WatchScope, since: number, onOpen?: () => void): AsyncGenerator<WatchEvent> {
    if (since < this.#compacted)
      throw new StoreError(410, 'Expired', `too old resource version: ${since} (${this.#compacted})`);
    const watcher = new Watcher(scope);
    for (const change of this.#changes) {
      if (change.version <= since || change.collection !== scope.collection) continue;
      const event = eventFor(change, scope.matches);
      if (event) watcher.push(event);
    }
    this.#watchers.add(watcher);
    scope.signal?.addEventListener('abort', watcher.abort, { once: true });
    onOpen?.();
    try {
      while (true) {
        await watcher.ready();
        if (watcher.error !== undefined) throw watcher.error;
        const event = watcher.queue.shift();
        if (event) yield event;
        else if (watcher.ended) return;
      }
    } finally {
      this.#watchers.delete(watcher);
      scope.signal?.removeEventListener('abort', watcher.abort);
    }
  }
}
