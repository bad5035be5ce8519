/** One set with its elements, each counted, and what changed since somebody was told. */
import type { PeerElement, PeerSet, PeerSetChange } from '../graph.ts';
import { elementOf } from './elements.ts';

export class KeptSet {
  readonly id: string;
  readonly set: PeerSet;
  /** How many policies ask for it. */
  uses = 0;
  /** Whether it was told of. */
  isTold = false;
  readonly #counts = new Map<string, number>();
  /** Elements that were touched since it was told of, and whether they were in it then. */
  readonly #touched = new Map<string, boolean>();

  constructor(id: string, set: PeerSet) {
    this.id = id;
    this.set = set;
  }

  /** Somebody more, or somebody fewer, has these elements. */
  count(elements: Iterable<string>, by: 1 | -1): void {
    for (const element of elements) {
      const count = this.#counts.get(element) ?? 0;
      if (this.isTold && !this.#touched.has(element)) this.#touched.set(element, count > 0);
      if (count + by === 0) this.#counts.delete(element);
      else this.#counts.set(element, count + by);
    }
  }

  /** These are the elements from now on. */
  replace(elements: ReadonlySet<string>): void {
    const before = new Set(this.#counts.keys());
    this.count(before.difference(elements), -1);
    this.count(elements.difference(before), 1);
  }

  /** What is new since the last time; undefined if nothing is. All of it at first. */
  take(): PeerSetChange | undefined {
    const added: PeerElement[] = [];
    const removed: PeerElement[] = [];
    if (!this.isTold) for (const element of this.#counts.keys()) added.push(elementOf(element));
    for (const [element, wasThere] of this.#touched) {
      if (this.#counts.has(element) === wasThere) continue;
      (wasThere ? removed : added).push(elementOf(element));
    }
    const isNews = !this.isTold || added.length + removed.length > 0;
    this.isTold = true;
    this.#touched.clear();
    return isNews ? { set: this.set, added, removed } : undefined;
  }
}
