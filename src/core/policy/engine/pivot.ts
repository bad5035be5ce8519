/**
 * What a selector needs at the least: a few labels of which a member must have one to be selected at all. It makes the way from a label to the
 * selectors that look at it, and from a selector to the members worth asking, short.
 */
import type { LabelsOf, Selector } from '../selector/index.ts';

/** A label; without a value, whatever the value is. */
export interface Term {
  readonly of: LabelsOf;
  readonly key: string;
  readonly value: string | undefined;
}

/** One of these labels is needed; none at all for a selector that selects nothing; `any`: no label is needed. */
export type Pivot = readonly Term[] | 'any';

/** The pivot that `weigh` finds lightest: it tells how many members have a label. Always right, whatever the weights. */
export function pivotOf(selector: Selector, weigh: (term: Term) => number): Pivot {
  switch (selector.op) {
    case 'none':
      return [];
    case 'all':
    case 'not':
      return 'any';
    case 'and':
      return lightest(
        selector.parts.map((part) => pivotOf(part, weigh)),
        weigh,
      );
    case 'or':
      return union(selector.parts.map((part) => pivotOf(part, weigh)));
    case 'in':
      return selector.values.map((value) => termOf(selector, value));
    case 'has':
    case 'contains':
    case 'starts':
    case 'ends':
      return [termOf(selector, undefined)];
  }
}

/** The labels that a selector looks at, each as `termKey`. */
export function keysOf(selector: Selector, keys = new Set<string>()): ReadonlySet<string> {
  if ('key' in selector) keys.add(termKey(selector.of, selector.key));
  else if ('part' in selector) keysOf(selector.part, keys);
  else if ('parts' in selector) for (const part of selector.parts) keysOf(part, keys);
  return keys;
}

/** Names a label, whatever its value. */
export function termKey(of: LabelsOf, key: string): string {
  return `${of} ${key}`;
}

function termOf({ of, key }: Pick<Term, 'of' | 'key'>, value: string | undefined): Term {
  return { of, key, value };
}

function union(pivots: readonly Pivot[]): Pivot {
  const terms: Term[] = [];
  for (const pivot of pivots) {
    if (pivot === 'any') return 'any';
    terms.push(...pivot);
  }
  return terms;
}

function lightest(pivots: readonly Pivot[], weigh: (term: Term) => number): Pivot {
  let best: Pivot = 'any';
  let least: readonly [weight: number, guess: number] = [Number.POSITIVE_INFINITY, 0];
  for (const pivot of pivots) {
    if (pivot === 'any') continue;
    const weight = pivot.reduce((sum, term) => sum + weigh(term), 0);
    const guess = Math.max(0, ...pivot.map(commonness));
    if (weight > least[0] || (weight === least[0] && guess >= least[1])) continue;
    best = pivot;
    least = [weight, guess];
  }
  return best;
}

/** How common a label is likely to be, for as long as members are not there to be counted. */
function commonness({ of, key, value }: Term): number {
  if (of === 'self') return key === 'kind' ? 4 : 1;
  if (of !== 'member') return 3;
  return value === undefined ? 2 : 0;
}
