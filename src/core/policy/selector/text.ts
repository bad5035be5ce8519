/**
 * Selectors as text, in the manner of Calico's language: `app == "web" && namespace:env in {"prod", "test"} && !has(legacy)`.
 * What a member is stands behind `@`: `@kind == "pod"`. The text of a canonical selector is its identity.
 */
import type { LabelTerm } from './match.ts';
import type { LabelsOf, Selector } from './selector.ts';

const SCOPES: Readonly<Record<LabelsOf, string>> = {
  member: '',
  namespace: 'namespace:',
  'service-account': 'serviceaccount:',
  self: '@',
};
const OPERATORS = { contains: 'contains', starts: 'starts with', ends: 'ends with' } as const;

/** Selectors never change, and their texts are asked for with every change of what uses them: each is made once. */
const texts = new WeakMap<Selector, string>();

/** The text of a selector as it is. To know whether two select alike, compare the texts of their canonical forms. */
export function selectorText(selector: Selector): string {
  let text = texts.get(selector);
  if (text === undefined) texts.set(selector, (text = textOf(selector)));
  return text;
}

function textOf(selector: Selector): string {
  switch (selector.op) {
    case 'all':
      return 'all()';
    case 'none':
      return 'none()';
    case 'and':
      return selector.parts.map(partText).join(' && ');
    case 'or':
      return selector.parts.map(partText).join(' || ');
    case 'not':
      return notText(selector.part);
    default:
      return termText(selector, false);
  }
}

function partText(part: Selector): string {
  return part.op === 'and' || part.op === 'or' ? `(${selectorText(part)})` : selectorText(part);
}

function notText(part: Selector): string {
  return part.op === 'has' || part.op === 'in' ? termText(part, true) : `!(${selectorText(part)})`;
}

function termText(term: LabelTerm, isNegated: boolean): string {
  const label = SCOPES[term.of] + keyText(term.key);
  switch (term.op) {
    case 'has':
      return `${isNegated ? '!' : ''}has(${label})`;
    case 'in': {
      const values = term.values.map((value) => JSON.stringify(value));
      if (values.length === 1) return `${label} ${isNegated ? '!=' : '=='} ${values[0]}`;
      return `${label} ${isNegated ? 'not in' : 'in'} {${values.join(', ')}}`;
    }
    default:
      return `${label} ${OPERATORS[term.op]} ${JSON.stringify(term.value)}`;
  }
}

/** A key that no language could have is quoted, or it might look like the label of something else. */
function keyText(key: string): string {
  return /^[\w./-]+$/.test(key) ? key : JSON.stringify(key);
}
