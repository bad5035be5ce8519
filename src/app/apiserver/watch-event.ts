/**
 * One stored change, as each watcher must be told of it. The objects are parsed at most once and each form of the event
 * is encoded at most once, however many watchers there are.
 */
import type { ServedResource, StoredChange } from '#core/kube/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { parseObject, storedText } from './object-text.ts';
import { type Presentation, presentObject } from './presenter.ts';
import { type Selection, selects, selectsAll } from './selection.ts';

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One line of a watch stream. */
export const eventLine = (type: EventType | 'BOOKMARK' | 'ERROR', objectText: string): string =>
  `{"type":"${type}","object":${objectText}}\n`;

export class WatchEvent {
  readonly change: StoredChange;
  readonly #lines = new Map<string, string>();
  #object: KubeObject | undefined;
  #previous: KubeObject | undefined;

  constructor(change: StoredChange) {
    this.change = change;
  }

  get version(): number {
    return this.change.version;
  }

  /** The line for a watcher, or undefined when the change is none of its business. */
  lineFor(resource: ServedResource, selection: Selection, presentation: Presentation): string | undefined {
    if (selection.namespace !== undefined && selection.namespace !== this.change.namespace) return undefined;
    const type = this.#typeFor(resource, selection);
    if (type === undefined) return undefined;
    // an object that stops to match is deleted for the watcher, in the last state in which it matched
    const lastMatch = type === 'DELETED' && !this.change.removed;
    const key = `${resource.version} ${presentation.form} ${presentation.include} ${type} ${lastMatch}`;
    let line = this.#lines.get(key);
    if (line === undefined) {
      const text = lastMatch ? this.#previousText(resource) : this.change.json;
      line = eventLine(type, presentObject(text, resource, presentation, Date.now()));
      this.#lines.set(key, line);
    }
    return line;
  }

  #typeFor(resource: ServedResource, selection: Selection): EventType | undefined {
    const { removed, previous } = this.change;
    if (selectsAll(selection)) return removed ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED';
    this.#object ??= parseObject(this.change.json, resource);
    const matches = !removed && selects(selection, this.#object);
    let matched = false;
    if (previous !== undefined) {
      this.#previous ??= parseObject(previous, resource);
      matched = selects(selection, this.#previous);
    }
    if (matches) return matched ? 'MODIFIED' : 'ADDED';
    return matched ? 'DELETED' : undefined;
  }

  #previousText(resource: ServedResource): string {
    const object = parseObject(this.change.previous ?? this.change.json, resource);
    return storedText(object, resource, this.change.version);
  }
}
