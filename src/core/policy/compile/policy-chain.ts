/**
 * The rules of policies. A policy is a chain of its own, which all endpoints share that it selects: allow is accept, which ends the base chain
 * that asks this direction and no other, deny is drop, and what no rule decides comes back. A rule that passes on to the next tier must
 * leave all policies of its own: such a policy is written into the tier's chain, which a return leaves.
 */
import type { IpFamily } from '#base/ip/index.ts';
import { act, type RulePart } from '#core/nft/index.ts';
import type { Direction, Policy, PolicyRule, Tier } from '../model.ts';
import { POLICY_LOG_GROUP, ruleTag, type TagSubject } from '../rule-tag.ts';
import type { KernelSet } from './kernel-set.ts';
import { ruleMatches } from './rule-match.ts';
import type { RuleSets } from './rule-sets.ts';
import { EARLY_MARK } from './words.ts';

/**
 * When packets are asked about, and what it means that one is allowed. `untracked`: before connections are tracked, and it is not tracked
 * then; `early`: before addresses are translated, and EARLY_MARK says so; in both what no rule decides is left to those who come after.
 */
export type Use = 'normal' | 'untracked' | 'early';

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
}

const ALLOWED: Readonly<Record<Use, readonly RulePart[]>> = {
  normal: [act.accept],
  untracked: [act.notrack, act.accept],
  early: [act.setMark(EARLY_MARK, EARLY_MARK), act.accept],
};

/** Rules with the sets that they look into. */
export interface Compiled {
  readonly rules: RulePart[][];
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
  return use === 'normal' && defaultAction === 'deny';
}

function actionOf(policy: Policy, { action, origin }: PolicyRule, context: RuleContext): RulePart[] {
  const subject = { by: 'rule', policy: policy.ref, path: origin.path } as const;
  switch (action) {
    case 'allow':
      return [...told(context, action, subject), ...ALLOWED[context.use]];
    case 'deny':
      return [...told(context, action, subject), act.drop];
    case 'pass':
      return [...told(context, action, subject), act.return];
    case 'log':
      return [logged(context.direction, action, subject)];
  }
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
