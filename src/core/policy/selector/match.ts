/** Whether a selector selects something. */
import type { LabelMap, Member } from '../model.ts';
import type { LabelsOf, Selector } from './selector.ts';

/** What is asked of: a member, and the labels of what it is in. */
export interface SelectorSubject {
  readonly member: Member;
  readonly namespaceLabels?: LabelMap | undefined;
  readonly serviceAccountLabels?: LabelMap | undefined;
}

/** A selector that looks at one label and has no others in it. */
export type LabelTerm = Extract<Selector, { readonly key: string }>;

/** Whether a selector, canonical or not, selects the member. A label that is not there is in no list and contains nothing. */
export function matchesSelector(selector: Selector, subject: SelectorSubject): boolean {
  switch (selector.op) {
    case 'all':
      return true;
    case 'none':
      return false;
    case 'and':
      return selector.parts.every((part) => matchesSelector(part, subject));
    case 'or':
      return selector.parts.some((part) => matchesSelector(part, subject));
    case 'not':
      return !matchesSelector(selector.part, subject);
    default:
      return holds(selector, labelOf(subject, selector.of, selector.key));
  }
}

/** Whether a label has a value that a term wants; undefined: there is no such label. */
export function holds(term: LabelTerm, value: string | undefined): boolean {
  if (value === undefined) return false;
  switch (term.op) {
    case 'has':
      return true;
    case 'in':
      return term.values.includes(value);
    case 'contains':
      return value.includes(term.value);
    case 'starts':
      return value.startsWith(term.value);
    case 'ends':
      return value.endsWith(term.value);
  }
}

function labelOf(subject: SelectorSubject, of: LabelsOf, key: string): string | undefined {
  switch (of) {
    case 'member':
      return own(subject.member.labels, key);
    case 'namespace':
      return own(subject.namespaceLabels, key);
    case 'service-account':
      return own(subject.serviceAccountLabels, key);
    case 'self':
      return selfOf(subject.member, key);
  }
}

/** A label called `constructor` is none that every object has. */
function own(labels: LabelMap | undefined, key: string): string | undefined {
  return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function selfOf(member: Member, key: string): string | undefined {
  switch (key) {
    case 'kind':
      return member.kind;
    case 'namespace':
      return member.namespace;
    case 'name':
      return member.name;
    case 'serviceAccount':
      return member.serviceAccount;
    case 'node':
      return member.node;
    default:
      return undefined;
  }
}
