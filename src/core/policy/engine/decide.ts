/** What the tiers of an endpoint say of a flow. One way for all who ask: those who want every step pass an array for them. */
import type { TierStage } from '../graph.ts';
import type { Direction, Policy, PolicyRule, RuleAction, VerdictStep } from '../model.ts';
import { type KnownFlow, matchesRule } from './match.ts';

export type Decision = 'allow' | 'deny';

export interface Asked {
  readonly direction: Direction;
  /** Of the policies of the stages, those that count; absent: all. */
  readonly counts?: (policy: Policy) => boolean;
  /** False where what no rule decides is left to what comes after: before addresses are translated, and before tracking. */
  readonly hasTierDefaults: boolean;
}

/** undefined if no rule and no tier decided. Stages none of whose policies count are as if they were not there. */
export function decide(
  stages: readonly TierStage[],
  known: KnownFlow,
  asked: Asked,
  steps?: VerdictStep[],
): Decision | undefined {
  for (const { tier, policies } of stages) {
    const counted = asked.counts === undefined ? policies : policies.filter(asked.counts);
    if (counted.length === 0) continue;
    const said = askPolicies(tier.name, counted, known, asked.direction, steps);
    if (said === 'allow' || said === 'deny') return said;
    if (said === 'pass' || !asked.hasTierDefaults) continue;
    steps?.push({
      by: 'tier-default',
      tier: tier.name,
      policies: counted.map(({ ref }) => ref),
      action: tier.defaultAction,
    });
    if (tier.defaultAction === 'deny') return 'deny';
  }
  return undefined;
}

function askPolicies(
  tier: string,
  policies: readonly Policy[],
  known: KnownFlow,
  direction: Direction,
  steps: VerdictStep[] | undefined,
): Exclude<RuleAction, 'log'> | undefined {
  for (const policy of policies) {
    for (const rule of policy[direction] ?? []) {
      if (!matchesRule(rule, known)) continue;
      steps?.push(stepOf(tier, policy, rule));
      if (rule.action !== 'log') return rule.action;
    }
  }
  return undefined;
}

function stepOf(tier: string, policy: Policy, rule: PolicyRule): VerdictStep {
  return { by: 'rule', tier, policy: policy.ref, rule: rule.origin, action: rule.action };
}
