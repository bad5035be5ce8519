/** Findings about single policies and rules: what they speak of is not there, or they say nothing. */
import { type Direction, type EndMatch, type Policy, type PolicyRule, refText } from '../../model.ts';
import { endSets } from '../../peer-set.ts';
import { memberElements } from '../elements.ts';
import type { PolicyGraph } from '../graph.ts';
import { pivotOf } from '../pivot.ts';
import type { Finding } from './finding.ts';

/** A rule with where it is. */
export interface PlacedRule {
  readonly policy: Policy;
  readonly direction: Direction;
  readonly rule: PolicyRule;
}

/** All rules of a policy. */
export function rulesOf(policy: Policy): PlacedRule[] {
  return (['ingress', 'egress'] as const).flatMap((direction) =>
    (policy[direction] ?? []).map((rule) => ({ policy, direction, rule })),
  );
}

export function lintPolicy(graph: PolicyGraph, policy: Policy): Finding[] {
  const findings: Finding[] = [];
  const about = { policy: policy.ref } as const;
  if (!graph.policies.tiers.some(({ name }) => name === policy.tier))
    findings.push({
      ...about,
      code: 'unknown-tier',
      severity: 'error',
      path: 'tier',
      message: `there is no tier "${policy.tier}", so the policy has no effect: create the tier, or name one that is there`,
    });
  if (policy.ingress === undefined && policy.egress === undefined && policy.staged !== 'delete')
    findings.push({
      ...about,
      code: 'empty-policy',
      severity: 'warning',
      path: pathsOf(policy).types,
      message:
        'the policy is about neither direction and has no effect: give it rules, or name Ingress or Egress in its types',
    });
  if (!graph.members.selectsAny(policy.subject))
    findings.push({
      ...about,
      code: 'selects-nothing',
      severity: 'warning',
      path: pathsOf(policy).subject,
      message:
        'no endpoint is selected: compare the labels that the policy asks for with those that are there',
    });
  for (const placed of rulesOf(policy)) findings.push(...lintRule(graph, placed));
  return findings;
}

/** Where the kinds of policy say whom they are about, and in which directions. */
function pathsOf({ ref: { kind } }: Policy): { readonly subject: string; readonly types: string } {
  switch (kind) {
    case 'NetworkPolicy':
    case 'StagedKubernetesNetworkPolicy':
      return { subject: 'podSelector', types: 'policyTypes' };
    case 'ClusterNetworkPolicy':
    case 'AdminNetworkPolicy':
    case 'BaselineAdminNetworkPolicy':
      return { subject: 'subject', types: 'ingress' };
    default:
      return { subject: 'selector', types: 'types' };
  }
}

function lintRule(graph: PolicyGraph, placed: PlacedRule): Finding[] {
  return (['source', 'destination'] as const).flatMap((end) => {
    const match = placed.rule[end];
    return [
      ...lintSelectors(graph, placed, match),
      ...lintPorts(graph, placed, end),
      ...lintLists(placed, match),
    ];
  });
}

function lintSelectors(graph: PolicyGraph, { policy, rule }: PlacedRule, { selector }: EndMatch): Finding[] {
  if (selector === undefined || graph.members.selectsAny(selector)) return [];
  return [
    {
      code: 'peer-selects-nothing',
      severity: 'warning',
      policy: policy.ref,
      path: rule.origin.path,
      message: `nothing is selected, so the rule has no effect now: compare its labels with those that are there`,
    },
  ];
}

function lintPorts(graph: PolicyGraph, placed: PlacedRule, end: 'source' | 'destination'): Finding[] {
  const { policy, direction, rule } = placed;
  return endSets(policy, direction, rule, end).ports.flatMap((set): Finding[] => {
    if (set.kind !== 'named-port') return [];
    const selector = set.selector ?? { op: 'all' };
    for (const entry of graph.members.selected(selector, pivotOf(selector, graph.members.weigh)))
      if (memberElements(set, entry.member).length > 0) return [];
    return [
      {
        code: 'unknown-port-name',
        severity: 'warning',
        policy: policy.ref,
        path: rule.origin.path,
        message: `no pod that the rule could be about has a port named "${set.port}" of protocol ${set.protocol}: name it in the pods, or give its number`,
      },
    ];
  });
}

function lintLists({ policy, rule }: PlacedRule, { nets, ports }: EndMatch): Finding[] {
  if (nets?.length !== 0 && ports?.length !== 0) return [];
  return [
    {
      code: 'matches-nothing',
      severity: 'warning',
      policy: policy.ref,
      path: rule.origin.path,
      message: `the list of ${nets?.length === 0 ? 'nets' : 'ports'} is empty and matches nothing: leave it out to match everything, or fill it`,
    },
  ];
}

/** `rule 2 (ingress[1].from[0]) of NetworkPolicy shop/web`. */
export function nameOf({ policy, rule }: PlacedRule): string {
  return `${rule.origin.path} of ${refText(policy.ref)}`;
}
