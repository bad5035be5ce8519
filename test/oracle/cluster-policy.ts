/**
 * policy.networking.k8s.io: ClusterNetworkPolicy (v1alpha2), AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1). Of the
 * policies of a tier that select the pod, in the order of their priority, the first rule that matches decides; Pass, or no rule,
 * leaves it to the next tier. https://network-policy-api.sigs.k8s.io
 */
import { selects } from './labels.ts';
import { type Direction, hasNamedPort } from './network-policy.ts';
import { type Document, isIn, nodeAddresses, type OracleFlow, type OraclePod, type World } from './world.ts';

/** undefined: the tier says nothing. */
export function clusterPolicyVerdict(
  world: World,
  tier: 'Admin' | 'Baseline',
  pod: OraclePod,
  direction: Direction,
  flow: OracleFlow,
): 'allow' | 'deny' | undefined {
  for (const policy of policiesOf(world, tier)) {
    if (!isSubject(world, policy.spec.subject, pod)) continue;
    for (const rule of policy.spec[direction] ?? []) {
      if (!matches(world, rule, direction, flow)) continue;
      if (rule.action === 'Pass') return undefined;
      return rule.action === 'Deny' ? 'deny' : 'allow';
    }
  }
  return undefined;
}

/** In the order in which they are asked; a BaselineAdminNetworkPolicy has no priority, and there is one at most. */
function policiesOf(world: World, tier: 'Admin' | 'Baseline'): Document[] {
  const older = world.of(tier === 'Admin' ? 'AdminNetworkPolicy' : 'BaselineAdminNetworkPolicy');
  const newer = world.of('ClusterNetworkPolicy').filter((each) => each.spec.tier === tier);
  const priorityOf = (policy: Document): number => policy.spec.priority ?? Number.POSITIVE_INFINITY;
  return [...older, ...newer].toSorted((a, b) => (priorityOf(a) < priorityOf(b) ? -1 : 1));
}

function isSubject(world: World, subject: Document, pod: OraclePod): boolean {
  const ofNamespace = world.namespaceLabels(pod.namespace);
  if (subject.namespaces !== undefined) return selects(subject.namespaces, ofNamespace);
  return (
    selects(subject.pods.namespaceSelector ?? {}, ofNamespace) &&
    selects(subject.pods.podSelector, pod.labels)
  );
}

function matches(world: World, rule: Document, direction: Direction, flow: OracleFlow): boolean {
  const peers: Document[] = direction === 'ingress' ? rule.from : rule.to;
  const other = direction === 'ingress' ? flow.source : flow.destination;
  if (!peers.some((peer) => isPeer(world, peer, other))) return false;
  const protocols: Document[] | undefined = rule.protocols;
  if (protocols !== undefined) return protocols.some((each) => isProtocol(world, each, flow));
  const ports: Document[] | undefined = rule.ports;
  return ports === undefined || ports.length === 0 || ports.some((each) => isPort(world, each, flow));
}

function isPeer(world: World, peer: Document, address: string): boolean {
  if (peer.networks !== undefined) return peer.networks.some((cidr: string) => isIn(address, cidr));
  if (peer.nodes !== undefined) {
    const nodes = world.of('Node').filter((node) => selects(peer.nodes, node.metadata.labels ?? {}));
    return nodes.some((node) => nodeAddresses(node).some((each) => isIn(address, each)));
  }
  const pod = world.podAt(address);
  return pod !== undefined && isSubject(world, peer, pod);
}

function isProtocol(world: World, protocol: Document, flow: OracleFlow): boolean {
  if (protocol.destinationNamedPort !== undefined)
    return hasNamedPort(world, flow, protocol.destinationNamedPort);
  const [name, detail] = Object.entries<Document>(protocol)[0] ?? ['', {}];
  if (flow.protocol !== name.toUpperCase()) return false;
  const port = detail.destinationPort;
  if (port === undefined) return true;
  const at = flow.destinationPort ?? -1;
  if (port.number !== undefined) return at === port.number;
  return at >= port.range.start && at <= port.range.end;
}

function isPort(world: World, port: Document, flow: OracleFlow): boolean {
  if (port.namedPort !== undefined) return hasNamedPort(world, flow, port.namedPort);
  const at = flow.destinationPort ?? -1;
  if (port.portNumber !== undefined)
    return flow.protocol === (port.portNumber.protocol ?? 'TCP') && at === port.portNumber.port;
  const { protocol = 'TCP', start, end } = port.portRange;
  return flow.protocol === protocol && at >= start && at <= end;
}
