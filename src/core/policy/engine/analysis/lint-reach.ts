/** Findings about pods: those that cannot ask for names, and namespaces that no policy is about. */
import { type Policy, refText } from '../../model.ts';
import type { PolicyGraph } from '../graph.ts';
import type { Finding } from './finding.ts';
import { NameServers } from './name-servers.ts';
import { classesOf, type Point, pointsOf } from './points.ts';

/** Pods that are isolated for egress, and may reach port 53 of nobody. */
export function lintDns(graph: PolicyGraph): Finding[] {
  const classes = classesOf([graph], pointsOf(graph));
  const servers = new NameServers(graph, classes);
  const found = new Map<string, { readonly policies: readonly Policy[]; pods: number; example: string }>();
  for (const each of classes) {
    const [pod] = each as readonly [Point];
    const stages = pod.entry === undefined ? [] : graph.policies.stages(pod.entry).egress;
    const last = stages.findLast(({ tier }) => tier.defaultAction === 'deny') ?? stages.at(-1);
    if (last === undefined || servers.areReachedBy(pod, stages)) continue;
    const key = last.policies.map(({ ref }) => refText(ref)).join();
    const known = found.get(key);
    if (known === undefined)
      found.set(key, { policies: last.policies, pods: each.length, example: pod.name });
    else known.pods += each.length;
  }
  return [...found.values()].map(({ policies, pods, example }) => ({
    code: 'dns-blocked',
    severity: 'warning',
    policy: (policies[0] as Policy).ref,
    path: 'egress',
    message: `${pods === 1 ? example : `${pods} pods (such as ${example})`} may send to port 53 of nobody, so names cannot be looked up: allow egress to UDP and TCP port 53 of the cluster's DNS`,
  }));
}

/** Namespaces with pods of which none is selected by a policy, in neither direction. */
export function lintNamespaces(graph: PolicyGraph): Finding[] {
  const findings: Finding[] = [];
  for (const { key: namespace, entries } of graph.members.namespaces.values()) {
    const pods = [...entries].filter(({ member }) => member.kind === 'pod');
    const isOpen = pods.every((entry) => {
      const { ingress, egress } = graph.policies.stages(entry);
      return ingress.length + egress.length === 0;
    });
    if (pods.length === 0 || !isOpen) continue;
    findings.push({
      code: 'open-namespace',
      severity: 'info',
      namespace,
      message: `no policy selects any of the ${pods.length} pods of namespace ${namespace}: everybody reaches them; a NetworkPolicy with an empty podSelector isolates them all`,
    });
  }
  return findings.toSorted((a, b) => ((a.namespace ?? '') < (b.namespace ?? '') ? -1 : 1));
}
