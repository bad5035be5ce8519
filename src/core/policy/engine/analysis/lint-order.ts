/** Findings about rules that others come before: never reached, or against what an earlier tier says. */
import type { Direction, Policy } from '../../model.ts';
import type { PolicyGraph } from '../graph.ts';
import { comparePolicies, compareTiers, enforcedText } from '../stages.ts';
import { coversRule, implies } from './cover.ts';
import type { Finding } from './finding.ts';
import { nameOf, type PlacedRule, rulesOf } from './lint-parts.ts';

/** Rules in the order in which they are asked, each compared with those before it. */
export function lintOrder(graph: PolicyGraph): Finding[] {
  const { tiers, byRef } = graph.policies;
  const orders = new Map(tiers.toSorted(compareTiers).map(({ name }, index) => [name, index]));
  const policies = [...byRef.values()]
    .filter(({ staged, tier }) => staged === undefined && orders.has(tier))
    .toSorted(
      (a, b) =>
        (orders.get(a.tier) as number) - (orders.get(b.tier) as number) ||
        comparePolicies(a, b, enforcedText),
    );
  return (['ingress', 'egress'] as const).flatMap((direction) => lintDirection(policies, direction));
}

function lintDirection(policies: readonly Policy[], direction: Direction): Finding[] {
  const findings: Finding[] = [];
  /** Rules that end the way of what they match, as far as they were asked already. */
  const earlier: PlacedRule[] = [];
  for (const policy of policies) {
    for (const placed of rulesOf(policy)) {
      if (placed.direction !== direction) continue;
      const found = earlier.map((one) => findingOf(one, placed)).find((each) => each !== undefined);
      if (found !== undefined) findings.push(found);
      if (placed.rule.action !== 'log') earlier.push(placed);
    }
  }
  return findings;
}

function findingOf(first: PlacedRule, second: PlacedRule): Finding | undefined {
  const isOther = first.rule.action !== second.rule.action;
  const isOfOther = first.policy !== second.policy;
  // What several policies allow alike is no mistake, and one rule of an API may have become several here.
  if (isOfOther ? !isOther : first.rule.origin.path === second.rule.origin.path) return undefined;
  const isLaterTier = first.policy.tier !== second.policy.tier;
  if (isLaterTier && first.rule.action === 'pass') return undefined;
  if (second.policy.ref.kind === 'Profile') return undefined; // asked for what is left, and meant to be
  if (isOfOther && !implies(second.policy.subject, first.policy.subject)) return undefined;
  if (!coversRule(first.rule, second.rule)) return undefined;
  const about = { severity: 'warning', policy: second.policy.ref, path: second.rule.origin.path } as const;
  if (isLaterTier)
    return {
      ...about,
      code: 'contradiction',
      message: `${nameOf(first)}, of the earlier tier "${first.policy.tier}", does ${first.rule.action} first: the rule has no effect; let that one pass, or take this one away`,
    };
  return {
    ...about,
    code: 'shadowed-rule',
    message: `${nameOf(first)} comes first and matches all that this rule does: ${isOther ? 'put this one before it, or make that one narrower' : 'take this one away'}`,
  };
}
