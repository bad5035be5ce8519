/**
 * The rules of policies. A policy is a chain of its own, which all endpoints share that it selects: allow is accept, which ends the base chain,
 * deny is drop, and what no rule decides comes back. Pods' egress has ingress behind it in the same base chain: there allow is a mark, with
 * which chains are left until the packet is there again; where one policy is all that is asked it is written into the chain that the base chain
 * jumps to, which a return leaves. (Packets would do as well with rules that go to ingress themselves. But whenever a rule
 * changes, many kernels walk all that is behind a jump, for each jump anew: all of ingress, for every rule of egress.) A rule that passes on
 * to the next tier must leave all policies of its own: such a policy is written into the tier's chain, which a return leaves.
 */
import type { IpFamily } from '#base/ip/index.ts';
import { act, field, match, type RulePart } from '#core/nft/index.ts';
import type { Direction, Policy, PolicyRule, Tier } from '../model.ts';
import { POLICY_LOG_GROUP, ruleTag, type TagSubject } from '../rule-tag.ts';
import type { KernelSet } from './kernel-set.ts';
import { ruleMatches } from './rule-match.ts';
import type { RuleSets } from './rule-sets.ts';
import { ALLOWED_MARK, EARLY_MARK } from './words.ts';

/**
 * Who is asked, and when. `normal`: a pod, where its connections begin; `host`: a host endpoint, likewise, or what its host forwards; `untracked`:
 * a host endpoint before connections are tracked, and what it allows is not tracked then; `early`: one before addresses are translated, and
 * EARLY_MARK says what was allowed; in both what no rule decides is left to those who come after.
 */
export type Use = 'normal' | 'host' | 'untracked' | 'early';

/** What a chain is the answer to. */
export interface Asked {
  readonly direction: Direction;
  readonly family: IpFamily;
  readonly use: Use;
}

export interface RuleContext extends Asked {
  readonly sets: RuleSets;
  /** Rules that decide tell who listens. */
  readonly flows: boolean;
  /** Nothing else is asked in the chain that the base chain jumps to: what comes back from it is allowed, and needs no mark. */
  readonly isAlone?: boolean;
}

const ALLOWED: Readonly<Record<Use, readonly RulePart[]>> = {
  normal: [act.accept],
  host: [act.accept],
  untracked: [act.notrack, act.accept],
  early: [act.setMark(EARLY_MARK, EARLY_MARK), act.accept],
};

const COMES_BACK: readonly RulePart[] = [act.setMark(ALLOWED_MARK, ALLOWED_MARK), act.return];

/** Whether what is allowed comes back to the base chain, marked. */
export function comesBack({ use, direction }: Asked): boolean {
  return use === 'normal' && direction === 'egress';
}

/** Whether what one of these allows comes back from their chain to the one that jumps there. */
export function mayComeBack(policies: readonly Policy[], asked: Asked): boolean {
  return (
    comesBack(asked) &&
    policies.some((policy) => policy[asked.direction]?.some(({ action }) => action === 'allow'))
  );
}

/** In front of the first policy, whatever others have set: this packet is not allowed yet. And behind: it is nobody else's mark. */
export const UNMARK: readonly RulePart[] = [
  match.bits(field.mark, ALLOWED_MARK, ALLOWED_MARK),
  act.setMark(0, ALLOWED_MARK),
];

/** Behind a chain from which what it allows comes back. */
export const LEAVE_ALLOWED: readonly RulePart[] = [
  match.bits(field.mark, ALLOWED_MARK, ALLOWED_MARK),
  act.return,
];

/** Rules with the sets that they look into. */
export interface Compiled {
  readonly rules: (readonly RulePart[])[];
  readonly used: Set<KernelSet>;
}

export function hasPass(policy: Policy, direction: Direction): boolean {
  return policy[direction]?.some(({ action }) => action === 'pass') === true;
}

/** The rules of one policy in one direction and family. */
export function policyRules(policy: Policy, context: RuleContext): Compiled {
  const rules: RulePart[][] = [];
  const used = new Set<KernelSet>();
  for (const rule of policy[context.direction] ?? []) {
    const usedHere = new Set<KernelSet>();
    const matches = ruleMatches(rule, { ...context, policy, used: usedHere });
    if (matches.length === 0) context.sets.discard(usedHere);
    else for (const set of usedHere) used.add(set);
    const action = actionOf(policy, rule, context);
    for (const parts of matches) rules.push([...parts, ...action]);
  }
  return { rules, used };
}

/** What a tier does with packets that none of its policies decided on; nothing where they go on. */
export function tierDefault(tier: Tier, context: RuleContext): RulePart[][] {
  if (!endsList(tier, context)) return [];
  return [[...told(context, 'deny', { by: 'tier-default', tier: tier.name }), act.drop]];
}

/** Whether no packet comes to the tiers behind this one, but those that are passed on. */
export function endsList({ defaultAction }: Tier, { use }: Asked): boolean {
  return (use === 'normal' || use === 'host') && defaultAction === 'deny';
}

function actionOf(policy: Policy, { action, origin }: PolicyRule, context: RuleContext): RulePart[] {
  const subject = { by: 'rule', policy: policy.ref, path: origin.path } as const;
  switch (action) {
    case 'allow':
      return [...told(context, action, subject), ...allowed(context)];
    case 'deny':
      return [...told(context, action, subject), act.drop];
    case 'pass':
      return [...told(context, action, subject), act.return];
    case 'log':
      return [logged(context.direction, action, subject)];
  }
}

function allowed(context: RuleContext): readonly RulePart[] {
  if (!comesBack(context)) return ALLOWED[context.use];
  return context.isAlone === true ? [act.return] : COMES_BACK;
}

function told(
  { flows, direction }: RuleContext,
  action: PolicyRule['action'],
  subject: TagSubject,
): RulePart[] {
  return flows ? [logged(direction, action, subject)] : [];
}

/** To POLICY_LOG_GROUP, with the tag by which the rule is found again. */
export function logged(direction: Direction, action: PolicyRule['action'], subject: TagSubject): RulePart {
  return act.log({ group: POLICY_LOG_GROUP, prefix: ruleTag(direction, action, subject) });
}
