/** Members by the labels that they, their namespaces and their service accounts have, and by what they are. */
import type { LabelMap, Member } from '../model.ts';
import { Entry, type Group, selfLabels } from './entry.ts';
import type { Pivot, Term } from './pivot.ts';
import { TermIndex } from './term-index.ts';

/** Not a label of a member: the key under which host endpoints are found by their node. */
const HOST_ENDPOINTS = 'host-endpoints-of';

export class MemberLabels {
  readonly #own = new TermIndex<Entry>();
  readonly #self = new TermIndex<Entry>();
  readonly #groups = {
    namespace: new TermIndex<Group>(),
    'service-account': new TermIndex<Group>(),
  } as const;

  add(entry: Entry): void {
    const { member } = entry;
    for (const key in member.labels) this.#own.add(key, member.labels[key], entry);
    for (const [key, value] of selfTerms(member)) this.#self.add(key, value, entry);
  }

  /** To be called while the member still has the labels it was added with. */
  remove(entry: Entry): void {
    const { member } = entry;
    for (const key in member.labels) this.#own.remove(key, member.labels[key], entry);
    for (const [key, value] of selfTerms(member)) this.#self.remove(key, value, entry);
  }

  /** A namespace or a service account has other labels than it had. */
  replace(of: 'namespace' | 'service-account', group: Group, before: LabelMap, after: LabelMap): void {
    const index = this.#groups[of];
    for (const key in before) index.remove(key, before[key], group);
    for (const key in after) index.add(key, after[key], group);
  }

  hostEndpointsOf(node: string): ReadonlySet<Entry> | undefined {
    return this.#self.get(HOST_ENDPOINTS, node);
  }

  get hasHostEndpoints(): boolean {
    return this.#self.valuesOf(HOST_ENDPOINTS) !== undefined;
  }

  /** How many members have a label; one that is in several groups counts for each. */
  weigh({ of, key, value }: Term): number {
    let count = 0;
    for (const items of this.#itemsOf(of, key, value)) {
      if (of === 'member' || of === 'self') count += items.size;
      else for (const group of items as ReadonlySet<Group>) count += group.entries.size;
    }
    return count;
  }

  /** All that a selector with this pivot might select; undefined: that may be anybody. */
  candidates(pivot: Pivot): Iterable<Entry> | undefined {
    if (pivot === 'any' || pivot.some(isOfName)) return undefined;
    const found = new Set<Entry>();
    for (const { of, key, value } of pivot) {
      for (const items of this.#itemsOf(of, key, value)) {
        for (const item of items)
          for (const entry of item instanceof Entry ? [item] : item.entries) found.add(entry);
      }
    }
    return found;
  }

  #itemsOf(of: Term['of'], key: string, value: string | undefined): ReadonlySet<Entry | Group>[] {
    const index = { member: this.#own, self: this.#self, ...this.#groups }[of];
    if (value === undefined) return [...(index.valuesOf(key)?.values() ?? [])];
    const items = index.get(key, value);
    return items === undefined ? [] : [items];
  }
}

/** A member's name leads nowhere: an index of names would be one of its own that hardly anybody asks. */
export function isOfName({ of, key }: Term): boolean {
  return of === 'self' && key === 'name';
}

function selfTerms(member: Member): [string, string][] {
  const { name: _, ...rest } = selfLabels(member);
  const terms = Object.entries(rest);
  if (member.kind === 'host-endpoint' && member.node !== undefined) terms.push([HOST_ENDPOINTS, member.node]);
  return terms;
}
