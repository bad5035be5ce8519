/**
 * The canonical form of a selector: negation stands at single terms alone, conjunctions and disjunctions are neither nested alike nor
 * doubled nor out of order, and what several terms say of one label is said once. Not the smallest form: `a && (a || b)` stays.
 */

import { holds, type LabelTerm } from './match.ts';
import type { Selector } from './selector.ts';
import { selectorText } from './text.ts';

/** A term as it is, or negated. */
type Literal = LabelTerm | { readonly op: 'not'; readonly part: LabelTerm };

const ALL = { op: 'all' } as const;
const NONE = { op: 'none' } as const;
/** Results of canonical: they are asked for again and again, being in other selectors. */
const finished = new WeakSet<Selector>([ALL, NONE]);

/** The canonical form: it selects the same members, whatever they are, and is its own canonical form. */
export function canonical(selector: Selector): Selector {
  if (finished.has(selector)) return selector;
  const result = normalize(selector, false);
  finished.add(result);
  return result;
}

function normalize(selector: Selector, isNegated: boolean): Selector {
  if (!isNegated && finished.has(selector)) return selector;
  switch (selector.op) {
    case 'all':
    case 'none':
      return (selector.op === 'all') === isNegated ? NONE : ALL;
    case 'not':
      return normalize(selector.part, !isNegated);
    case 'and':
    case 'or':
      return combine(
        (selector.op === 'and') === isNegated ? 'or' : 'and',
        selector.parts.map((part) => normalize(part, isNegated)),
      );
    default: {
      const simple = simplified(selector);
      return isNegated ? negated(simple) : simple;
    }
  }
}

function simplified(term: LabelTerm): LabelTerm | typeof NONE {
  const { of, key } = term;
  if (term.op === 'has') return term;
  // Every value contains the empty text, begins and ends with it.
  if (term.op !== 'in') return term.value === '' ? { op: 'has', of, key } : term;
  return inList(term, term.values);
}

function inList({ of, key }: LabelTerm, values: readonly string[]): LabelTerm | typeof NONE {
  const sorted = values.length === 1 ? values : [...new Set(values)].toSorted();
  return sorted.length === 0 ? NONE : { op: 'in', of, key, values: sorted };
}

/** The negation of what has no conjunction or disjunction in it. */
function negated(selector: Literal | typeof ALL | typeof NONE): Selector {
  switch (selector.op) {
    case 'all':
      return NONE;
    case 'none':
      return ALL;
    case 'not':
      return selector.part;
    default:
      return { op: 'not', part: selector };
  }
}

/** A conjunction or disjunction of canonical parts. */
function combine(op: 'and' | 'or', parts: readonly Selector[]): Selector {
  const [neutral, final] = op === 'and' ? [ALL, NONE] : [NONE, ALL];
  const literals: Literal[] = [];
  const others: Selector[] = [];
  for (const part of parts.flatMap((each) => (each.op === op ? each.parts : [each]))) {
    if (part.op === final.op) return final;
    if (part.op === 'not' || 'key' in part) literals.push(part as Literal);
    else if (part.op !== neutral.op) others.push(part);
  }
  if (literals.length + others.length < 2) return literals[0] ?? others[0] ?? neutral;
  const merged = op === 'and' ? conjunction(literals) : disjunction(literals);
  if (merged === undefined) return final;
  const byText = new Map([...merged, ...others].map((part) => [selectorText(part), part]));
  const sorted = [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part);
  if (sorted.length < 2) return sorted[0] ?? neutral;
  return { op, parts: sorted };
}

/** `a || b` is `!(!a && !b)`. */
function disjunction(literals: readonly Literal[]): readonly Selector[] | undefined {
  return conjunction(literals.map((literal) => negated(literal) as Literal))?.map((each) =>
    negated(each as Literal),
  );
}

/** What all literals together say, label by label; undefined if it cannot be. */
function conjunction(literals: readonly Literal[]): readonly Selector[] | undefined {
  const merged: Selector[] = [];
  for (const group of Map.groupBy(literals, labelText).values()) {
    const said = aboutOneLabel(group);
    if (said === undefined) return undefined;
    merged.push(...said);
  }
  return merged;
}

const termOf = (literal: Literal): LabelTerm => (literal.op === 'not' ? literal.part : literal);

function labelText(literal: Literal): string {
  const { of, key } = termOf(literal);
  return `${of} ${key}`;
}

function holdsFor(literal: Literal, value: string | undefined): boolean {
  return literal.op === 'not' ? !holds(literal.part, value) : holds(literal, value);
}

function aboutOneLabel(group: readonly Literal[]): readonly Selector[] | undefined {
  if (group.length === 1) return group;
  // A list of values leaves nothing to the others but to choose among them.
  const list = group.find((each) => each.op === 'in');
  if (list !== undefined) {
    const left = inList(
      list,
      list.values.filter((value) => group.every((each) => holdsFor(each, value))),
    );
    return left === NONE ? undefined : [left];
  }
  // So does the absence of the label.
  const absent = group.find((each) => each.op === 'not' && each.part.op === 'has');
  if (absent !== undefined) return group.every((each) => holdsFor(each, undefined)) ? [absent] : undefined;
  return withoutLists(group);
}

/** Parts of values, presence, and values that are excluded. */
function withoutLists(group: readonly Literal[]): readonly Selector[] | undefined {
  const excluded = group.flatMap((each) =>
    each.op === 'not' && each.part.op === 'in' ? each.part.values : [],
  );
  const rest = group.filter((each) => !(each.op === 'not' && each.part.op === 'in'));
  const isImplied = rest.some((each) => each.op !== 'not' && each.op !== 'has');
  const kept = rest.filter((each) => each.op !== 'has' || !isImplied);
  // What the others rule out needs no exclusion.
  const left = excluded.filter((value) => kept.every((each) => holdsFor(each, value)));
  const first = group[0] as Literal;
  const exclusion = inList(termOf(first), left);
  return exclusion === NONE ? kept : [...kept, negated(exclusion)];
}
