/** Hands each committed change to the watchers of its resource, in the order of versions. */
import type { StoredChange } from '#core/kube/index.ts';
import { WatchEvent } from './watch-event.ts';

export interface Watcher {
  offer(event: WatchEvent): void;
  /** Ends the stream as if its time were up, so that the client connects again. */
  end(): void;
}

export class WatchHub {
  readonly #watchers = new Map<string, Set<Watcher>>();

  /** The number of open watches. */
  get size(): number {
    let total = 0;
    for (const set of this.#watchers.values()) total += set.size;
    return total;
  }

  add(storageKey: string, watcher: Watcher): void {
    const set = this.#watchers.get(storageKey) ?? new Set();
    this.#watchers.set(storageKey, set);
    set.add(watcher);
  }

  remove(storageKey: string, watcher: Watcher): void {
    const set = this.#watchers.get(storageKey);
    if (set?.delete(watcher) && set.size === 0) this.#watchers.delete(storageKey);
  }

  publish(change: StoredChange): void {
    const set = this.#watchers.get(change.resource);
    if (set === undefined) return;
    const event = new WatchEvent(change);
    for (const watcher of [...set]) watcher.offer(event);
  }

  /** Ends the watches of a resource that is no longer served, or changed its shape. */
  endResource(storageKey: string): void {
    for (const watcher of [...(this.#watchers.get(storageKey) ?? [])]) watcher.end();
  }

  endAll(): void {
    for (const key of [...this.#watchers.keys()]) this.endResource(key);
  }
}
