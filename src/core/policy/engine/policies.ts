/** Tiers and policies, and which of them select a member: those that are enforced, or those that would be if what is staged were. */
import { type Policy, type PolicyRef, refText, type Tier } from '../model.ts';
import { canonical, matchesSelector, selectorText } from '../selector/index.ts';
import type { Entry } from './entry.ts';
import type { Term } from './pivot.ts';
import { same } from './same.ts';
import { type Indexed, indexed, SelectorIndex } from './selector-index.ts';
import { compareTiers, enforcedText, type Stages, stagesOf } from './stages.ts';

/** A selector and the policies whose subject it is. */
interface Subject extends Indexed {
  readonly text: string;
  readonly policies: Set<Policy>;
}

/** Which policies count: those in force, or those that would be in force if the staged ones were. */
export type PolicyView = 'enforced' | 'staged';

export class Policies {
  readonly byRef = new Map<string, Policy>();
  readonly #tiers = new Map<string, Tier>();
  readonly #subjects = new Map<string, Subject>();
  readonly #subjectOf = new Map<Policy, Subject>();
  readonly #index = new SelectorIndex<Subject>();
  /** Staged `set` and `delete`, by what they would replace or remove. */
  readonly #replacements = new Map<string, Policy>();
  readonly #weigh: (term: Term) => number;
  /** The tiers in order, until one changes. */
  #inOrder: readonly Tier[] | undefined;
  /** Goes up with every change, so that what was found out before is known to be old. */
  version = 0;

  /** `weigh` tells how many members have a label. */
  constructor(weigh: (term: Term) => number) {
    this.#weigh = weigh;
  }

  get tiers(): readonly Tier[] {
    return (this.#inOrder ??= [...this.#tiers.values()].toSorted(compareTiers));
  }

  /** False if it was there, alike. */
  upsertTier(tier: Tier): boolean {
    if (same(this.#tiers.get(tier.name), tier)) return false;
    this.#tiers.set(tier.name, tier);
    return this.#tiersChanged();
  }

  /** False if it was not there. */
  removeTier(name: string): boolean {
    return this.#tiers.delete(name) && this.#tiersChanged();
  }

  /** Gives what it replaced, and undefined for a policy that is new; `unchanged` if it was there, alike. */
  upsert(policy: Policy): Policy | 'unchanged' | undefined {
    const text = refText(policy.ref);
    const before = this.byRef.get(text);
    if (same(before, policy)) return 'unchanged';
    this.remove(policy.ref);
    this.byRef.set(text, policy);
    const subject = this.#subject(policy);
    subject.policies.add(policy);
    this.#subjectOf.set(policy, subject);
    if (policy.staged === 'set' || policy.staged === 'delete')
      this.#replacements.set(enforcedText(policy), policy);
    this.version++;
    return before;
  }

  /** Gives what was there. */
  remove(ref: PolicyRef): Policy | undefined {
    const policy = this.byRef.get(refText(ref));
    if (policy === undefined) return undefined;
    this.byRef.delete(refText(ref));
    const subject = this.#subjectOf.get(policy);
    this.#subjectOf.delete(policy);
    subject?.policies.delete(policy);
    if (subject?.policies.size === 0) {
      this.#subjects.delete(subject.text);
      this.#index.remove(subject);
    }
    if (this.#replacements.get(enforcedText(policy)) === policy)
      this.#replacements.delete(enforcedText(policy));
    this.version++;
    return policy;
  }

  /** Whether a policy, even one that is not there any more, is about a member. */
  isSubject({ subject }: Policy, entry: Entry): boolean {
    return matchesSelector(subject, entry);
  }

  /** The policies that a member is the subject of, in the order in which they are asked. */
  stages(entry: Entry, view: PolicyView = 'enforced'): Stages {
    const known = entry.stages;
    if (known?.version === this.version && known[view] !== undefined) return known[view];
    const stages = this.#stages(entry, view);
    entry.stages = {
      ...(known?.version === this.version && known),
      version: this.version,
      [view]: stages,
    };
    return stages;
  }

  #stages(entry: Entry, view: PolicyView): Stages {
    const policies: Policy[] = [];
    for (const subject of this.#index.selecting(entry)) {
      for (const policy of subject.policies) if (this.#counts(policy, view)) policies.push(policy);
    }
    return stagesOf(policies, this.tiers, (policy) => enforcedText(policy));
  }

  #counts(policy: Policy, view: PolicyView): boolean {
    if (view === 'enforced') return policy.staged === undefined;
    if (policy.staged !== undefined) return policy.staged === 'set';
    return !this.#replacements.has(refText(policy.ref));
  }

  #subject({ subject: selector }: Policy): Subject {
    const canon = canonical(selector);
    const text = selectorText(canon);
    const known = this.#subjects.get(text);
    if (known !== undefined) return known;
    const subject = { ...indexed(canon, this.#weigh), text, policies: new Set<Policy>() };
    this.#subjects.set(text, subject);
    this.#index.add(subject);
    return subject;
  }

  #tiersChanged(): true {
    this.#inOrder = undefined;
    this.version++;
    return true;
  }
}
