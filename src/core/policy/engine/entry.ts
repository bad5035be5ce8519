/** A member as the engine keeps it: with the labels of what it belongs to, and what was found out about it. */
import type { LabelMap, Member } from '../model.ts';
import type { LabelsOf, SelectorSubject } from '../selector/index.ts';
import type { KnownStages } from './stages.ts';

/** A namespace or a service account: its labels, and the members in it. It is there as long as it has either. */
export interface Group {
  readonly key: string;
  labels: LabelMap;
  readonly entries: Set<Entry>;
}

const NO_LABELS: LabelMap = {};

export class Entry implements SelectorSubject {
  member: Member;
  namespace: Group | undefined;
  account: Group | undefined;
  /** The policies that select it, as long as they are known to be right. */
  stages: KnownStages | undefined;

  constructor(member: Member) {
    this.member = member;
  }

  get namespaceLabels(): LabelMap | undefined {
    return this.namespace?.labels;
  }

  get serviceAccountLabels(): LabelMap | undefined {
    return this.account?.labels;
  }

  labelsOf(of: LabelsOf): LabelMap {
    switch (of) {
      case 'member':
        return this.member.labels;
      case 'namespace':
        return this.namespace?.labels ?? NO_LABELS;
      case 'service-account':
        return this.account?.labels ?? NO_LABELS;
      case 'self':
        return selfLabels(this.member);
    }
  }
}

/** What a member is, as labels. */
export function selfLabels({ kind, namespace, name, serviceAccount, node }: Member): LabelMap {
  return {
    kind,
    name,
    ...(namespace !== undefined && { namespace }),
    ...(serviceAccount !== undefined && { serviceAccount }),
    ...(node !== undefined && { node }),
  };
}
