/** Findings about pods: those that cannot ask for names, and namespaces that no policy is about. */
import { firstIp } from '#base/ip/index.ts';
import { type Policy, PROTOCOLS, refText } from '../../model.ts';
import { decide } from '../decide.ts';
import type { PolicyGraph } from '../graph.ts';
import type { Finding } from './finding.ts';
import { classesOf, type Point, type PointClass, pointsOf } from './points.ts';
import { Prober } from './prober.ts';

const DNS_PORT = 53;
/** Stand for the world: of the blocks that are kept for documentation (RFC 5737, RFC 3849). */
const ANYWHERE = ['198.51.100.53', '2001:db8:53::53'] as const;

/** Pods that are isolated for egress, and may reach port 53 of nobody. */
export function lintDns(graph: PolicyGraph): Finding[] {
  const points = pointsOf(graph);
  const classes = classesOf([graph], points);
  const prober = new Prober(graph);
  const found = new Map<string, { readonly policies: readonly Policy[]; pods: number; example: string }>();
  for (const each of classes) {
    const [pod] = each as readonly [Point];
    const stages = pod.entry === undefined ? [] : graph.policies.stages(pod.entry).egress;
    const last = stages.findLast(({ tier }) => tier.defaultAction === 'deny') ?? stages.at(-1);
    if (last === undefined || mayAskNames(graph, prober, pod, classes)) continue;
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

function mayAskNames(
  graph: PolicyGraph,
  prober: Prober,
  pod: Point,
  classes: readonly PointClass[],
): boolean {
  const beyond = netsOf(graph, pod).map((address): Point => ({ name: address, addresses: [address] }));
  const servers = classes.flatMap(([first, second]) => [first as Point, ...(second ? [second] : [])]);
  return [...servers, ...beyond].some(
    (server) => server.name !== pod.name && mayAsk(graph, prober, pod, server),
  );
}

/** Addresses outside that the pod's rules speak of, nodes, and some of nowhere. */
function netsOf(graph: PolicyGraph, { entry }: Point): string[] {
  const stages = entry === undefined ? [] : graph.policies.stages(entry).egress;
  const rules = stages.flatMap(({ policies }) => policies.flatMap(({ egress = [] }) => egress));
  const nets = rules.flatMap(({ destination }) => destination.nets ?? []);
  const nodes = [...graph.members.entries.values()].flatMap(({ member }) =>
    member.kind === 'pod' ? [] : member.nets,
  );
  return [...new Set([...ANYWHERE, ...[...nets, ...nodes].map(firstIp)])];
}

function mayAsk(graph: PolicyGraph, prober: Prober, pod: Point, server: Point): boolean {
  if (pod.entry === undefined) return true;
  const stages = graph.policies.stages(pod.entry).egress;
  return [PROTOCOLS.udp, PROTOCOLS.tcp].some((protocol) =>
    prober
      .flows(pod, server, { protocol, port: DNS_PORT })
      .some((known) => decide(stages, known, { direction: 'egress', hasTierDefaults: true }) !== 'deny'),
  );
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
