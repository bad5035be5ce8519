import type { LabelMap, Member } from '../model.ts';
import type { LabelsOf, Selector } from '../selector.ts';

export interface SelectorSubject {
  readonly member: Member;
  readonly namespaceLabels?: LabelMap | undefined;
  readonly serviceAccountLabels?: LabelMap | undefined;
}

export function canonical(selector: Selector): Selector {
  if (selector.op === 'not') return { op: 'not', part: canonical(selector.part) };
  if (selector.op !== 'and' && selector.op !== 'or') return selector;
  const parts = new Map<string, Selector>();
  for (const part of selector.parts.map(canonical)) {
    for (const each of part.op === selector.op ? part.parts : [part]) parts.set(selectorText(each), each);
  }
  const sorted = [...parts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
  return sorted.length === 1 ? (sorted[0] as Selector) : { op: selector.op, parts: sorted };
}

export function selectorText(selector: Selector): string {
  switch (selector.op) {
    case 'and':
    case 'or':
      return `(${selector.parts.map(selectorText).join(` ${selector.op} `)})`;
    case 'not':
      return `!${selectorText(selector.part)}`;
    default:
      return JSON.stringify(selector);
  }
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
  if (of === 'member') return subject.member.labels[key];
  if (of === 'namespace') return subject.namespaceLabels?.[key];
  if (of === 'service-account') return subject.serviceAccountLabels?.[key];
  const { member } = subject;
  return {
    kind: member.kind,
    namespace: member.namespace,
    name: member.name,
    serviceAccount: member.serviceAccount,
    node: member.node,
  }[key];
}
