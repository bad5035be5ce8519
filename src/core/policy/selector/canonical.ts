/** One form and one text for all selectors that select alike by their shape. */
import type { LabelsOf, Selector } from './selector.ts';

const ALL: Selector = { op: 'all' };
const NONE: Selector = { op: 'none' };

/** The canonical form: flat, sorted, without doubles, double negations and parts that decide nothing. Idempotent. */
export function canonical(selector: Selector): Selector {
  switch (selector.op) {
    case 'not':
      return negated(canonical(selector.part));
    case 'and':
    case 'or':
      return joined(selector.op, selector.parts.map(canonical));
    case 'in': {
      const values = [...new Set(selector.values)].toSorted();
      return values.length === 0 ? NONE : { ...selector, values };
    }
    case 'contains':
    case 'starts':
    case 'ends':
      // Every text has the empty one in it.
      return selector.value === '' ? { op: 'has', of: selector.of, key: selector.key } : selector;
    default:
      return selector;
  }
}

function negated(part: Selector): Selector {
  if (part.op === 'not') return part.part;
  if (part.op === 'all') return NONE;
  if (part.op === 'none') return ALL;
  return { op: 'not', part };
}

function joined(op: 'and' | 'or', canonicalParts: readonly Selector[]): Selector {
  const [neutral, absorbing] = op === 'and' ? (['all', 'none'] as const) : (['none', 'all'] as const);
  const parts = new Map<string, Selector>();
  for (const part of canonicalParts) {
    if (part.op === absorbing) return part;
    if (part.op === neutral) continue;
    for (const each of part.op === op ? part.parts : [part]) parts.set(selectorText(each), each);
  }
  for (const part of parts.values()) {
    // A thing and its opposite.
    if (part.op === 'not' && parts.has(selectorText(part.part))) return op === 'and' ? NONE : ALL;
  }
  if (parts.size === 0) return op === 'and' ? ALL : NONE;
  const sorted = [...parts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
  return sorted.length === 1 ? (sorted[0] as Selector) : { op, parts: sorted };
}

const SCOPES: Readonly<Record<LabelsOf, string>> = {
  member: '',
  namespace: 'namespace:',
  'service-account': 'serviceaccount:',
  self: '@',
};

/** The selector as people read it, `(app in {"web"} && @kind in {"pod"})`: of a canonical one, its identity. */
export function selectorText(selector: Selector): string {
  switch (selector.op) {
    case 'all':
      return 'all()';
    case 'none':
      return 'none()';
    case 'and':
      return `(${selector.parts.map(selectorText).join(' && ')})`;
    case 'or':
      return `(${selector.parts.map(selectorText).join(' || ')})`;
    case 'not':
      return `!${selectorText(selector.part)}`;
    default: {
      const label = SCOPES[selector.of] + selector.key;
      if (selector.op === 'has') return `has(${label})`;
      if (selector.op === 'in')
        return `${label} in {${selector.values.map((each) => JSON.stringify(each)).join(', ')}}`;
      const words = { contains: 'contains', starts: 'starts with', ends: 'ends with' } as const;
      return `${label} ${words[selector.op]} ${JSON.stringify(selector.value)}`;
    }
  }
}
