/** Whether a selector selects something. */
import type { LabelMap, Member } from '../model.ts';
import type { LabelsOf, Selector } from './selector.ts';

/** What is asked of: a member, and the labels of what it is in. */
export interface SelectorSubject {
  readonly member: Member;
  readonly namespaceLabels?: LabelMap | undefined;
  readonly serviceAccountLabels?: LabelMap | undefined;
}

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
    default: {
      const value = labelOf(subject, selector.of, selector.key);
      if (value === undefined) return false;
      if (selector.op === 'has') return true;
      if (selector.op === 'in') return selector.values.includes(value);
      if (selector.op === 'contains') return value.includes(selector.value);
      return selector.op === 'starts' ? value.startsWith(selector.value) : value.endsWith(selector.value);
    }
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
