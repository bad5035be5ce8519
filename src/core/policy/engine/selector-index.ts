/** Selectors, found by the labels of a member that they might select. */
import type { LabelsOf, Selector } from '../selector/index.ts';
import { matchesSelector } from '../selector/index.ts';
import type { Entry } from './entry.ts';
import { keysOf, type Pivot, pivotOf, type Term } from './pivot.ts';
import { TermIndex } from './term-index.ts';

/** What is kept for a selector; uses of it extend this. */
export interface Indexed {
  readonly selector: Selector;
  /** The labels it looks at. */
  readonly keys: ReadonlySet<string>;
  readonly pivot: Pivot;
}

/** The part of an indexed selector that follows from it. */
export function indexed(selector: Selector, weigh: (term: Term) => number): Indexed {
  return { selector, keys: keysOf(selector), pivot: pivotOf(selector, weigh) };
}

export class SelectorIndex<T extends Indexed> {
  readonly #terms: Readonly<Record<LabelsOf, TermIndex<T>>> = {
    member: new TermIndex(),
    namespace: new TermIndex(),
    'service-account': new TermIndex(),
    self: new TermIndex(),
  };
  /** Those that need no label. */
  readonly #open = new Set<T>();

  add(item: T): void {
    if (item.pivot === 'any') this.#open.add(item);
    else for (const { of, key, value } of item.pivot) this.#terms[of].add(key, value, item);
  }

  remove(item: T): void {
    if (item.pivot === 'any') this.#open.delete(item);
    else for (const { of, key, value } of item.pivot) this.#terms[of].remove(key, value, item);
  }

  /** All that select a member; of those that look at one of `keys` if they are given. */
  selecting(entry: Entry, keys?: ReadonlySet<string>): Set<T> {
    const found = new Set<T>();
    const ask = (items: ReadonlySet<T> | undefined): void => {
      for (const item of items ?? []) {
        if (keys !== undefined && keys.isDisjointFrom(item.keys)) continue;
        if (!found.has(item) && matchesSelector(item.selector, entry)) found.add(item);
      }
    };
    ask(this.#open);
    for (const of of KINDS) {
      const labels = entry.labelsOf(of);
      const index = this.#terms[of];
      for (const key in labels) {
        const values = index.valuesOf(key);
        if (values === undefined) continue;
        ask(values.get(labels[key]));
        ask(values.get(undefined));
      }
    }
    return found;
  }
}

const KINDS = ['member', 'namespace', 'service-account', 'self'] as const;
