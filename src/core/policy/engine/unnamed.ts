/** Rules that would have matched a flow if their names stood for its destination: why a rule with names did not decide. */
import type { IpAddress } from '#base/ip/index.ts';
import type { Flow, PolicyRef, PolicyRule, RuleOrigin } from '../model.ts';
import type { PolicyGraph } from './graph.ts';
import type { FlowOptions } from './hosts.ts';
import { type KnownFlow, knownFlow, matchesRule } from './match.ts';

export interface UnnamedRule {
  readonly policy: PolicyRef;
  readonly rule: RuleOrigin;
  readonly domains: readonly string[];
  /** What the names are known to stand for. */
  readonly addresses: readonly IpAddress[];
}

/** Those that the pod it is from was asked about before one that decided. Throws a RangeError for an address that is none. */
export function unnamedRules(
  graph: PolicyGraph,
  flow: Flow,
  { view }: Pick<FlowOptions, 'view'> = {},
): UnnamedRule[] {
  const known = knownFlow(graph, flow);
  const { pod } = known.source;
  const found: UnnamedRule[] = [];
  if (pod === undefined) return found;
  for (const { tier, policies } of graph.policies.stages(pod, view).egress) {
    const asked = policies.flatMap((policy) => (policy.egress ?? []).map((rule) => ({ policy, rule })));
    const decides = asked.findIndex(({ rule }) => rule.action !== 'log' && matchesRule(rule, known));
    for (const { policy, rule } of decides < 0 ? asked : asked.slice(0, decides)) {
      const { domains } = rule.destination;
      if (domains === undefined || !wouldMatch(rule, known)) continue;
      const addresses = [...graph.lookups.domains.addressesOf(domains)];
      found.push({ policy: policy.ref, rule: rule.origin, domains, addresses });
    }
    const action = asked[decides]?.rule.action ?? tier.defaultAction;
    if (action !== 'pass') break;
  }
  return found;
}

function wouldMatch(rule: PolicyRule, known: KnownFlow): boolean {
  const { domains: _names, ...destination } = rule.destination;
  return !matchesRule(rule, known) && matchesRule({ ...rule, destination }, known);
}
