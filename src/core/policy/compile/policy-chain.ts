/**
 * The rules of policies. A policy is a chain of its own, which all endpoints share that it selects: allow is accept, which ends the base chain
 * that asks this direction and no other, deny is drop, and what no rule decides comes back. A rule that passes on to the next tier must
 * leave all policies of its own: such a policy is written into the tier's chain, which a return leaves.
 */
import type { IpFamily } from '#base/ip/index.ts';
import { act, type RulePart } from '#core/nft/index.ts';
import type { Direction, Policy, PolicyRule } from '../model.ts';
import { POLICY_LOG_GROUP, ruleTag, type TagSubject } from '../rule-tag.ts';
import type { KernelSet } from './kernel-set.ts';
import { ruleMatches } from './rule-match.ts';
import type { RuleSets } from './rule-sets.ts';

export interface RuleContext {
  readonly direction: Direction;
  readonly family: IpFamily;
  readonly sets: RuleSets;
  /** Rules that decide tell who listens. */
  readonly flows: boolean;
}

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
export function tierDefault(tier: string, action: 'deny' | 'pass', context: RuleContext): RulePart[][] {
  return action === 'pass' ? [] : [[...told(context, 'deny', { by: 'tier-default', tier }), act.drop]];
}

function actionOf(policy: Policy, { action, origin }: PolicyRule, context: RuleContext): RulePart[] {
  const subject = { by: 'rule', policy: policy.ref, path: origin.path } as const;
  switch (action) {
    case 'allow':
      return [...told(context, action, subject), act.accept];
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
