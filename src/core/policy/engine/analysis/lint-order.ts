/** Findings about rules that others come before: never reached, or against what an earlier tier says. */
import type { Direction, Policy, RuleAction } from '../../model.ts';
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
  /** Rules of earlier policies that end the way of what they match, by what they do. */
  const earlier = new Map<RuleAction, PlacedRule[]>();
  for (const policy of policies) {
    const own: PlacedRule[] = [];
    for (const placed of rulesOf(policy).filter((each) => each.direction === direction)) {
      // What several policies do alike is no mistake.
      const others = [...earlier].flatMap(([action, rules]) => (action === placed.rule.action ? [] : rules));
      const found = firstFinding(others, placed) ?? firstFinding(own, placed);
      if (found !== undefined) findings.push(found);
      if (placed.rule.action !== 'log') own.push(placed);
    }
    for (const placed of own) {
      const rules = earlier.get(placed.rule.action);
      if (rules === undefined) earlier.set(placed.rule.action, [placed]);
      else rules.push(placed);
    }
  }
  return findings;
}

function firstFinding(earlier: readonly PlacedRule[], placed: PlacedRule): Finding | undefined {
  for (const each of earlier) {
    const found = findingOf(each, placed);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findingOf(first: PlacedRule, second: PlacedRule): Finding | undefined {
  const isOther = first.rule.action !== second.rule.action;
  const isOfOther = first.policy !== second.policy;
  // One rule of an API may have become several here.
  if (!isOfOther && first.rule.origin.path === second.rule.origin.path) return undefined;
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
