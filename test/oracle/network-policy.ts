/**
 * networking.k8s.io/v1 NetworkPolicy. A pod that some policy selects in a direction is isolated there, and gets what any of
 * these policies allows, and nothing else. https://kubernetes.io/docs/concepts/services-networking/network-policies/
 */
import { selects } from './labels.ts';
import { type Document, isIn, type OracleFlow, type OraclePod, type World } from './world.ts';

export type Direction = 'ingress' | 'egress';

export function isAbout(policy: Document, pod: OraclePod): boolean {
  return policy.metadata.namespace === pod.namespace && selects(policy.spec.podSelector ?? {}, pod.labels);
}

/** Without policyTypes it is about ingress, and about egress if there is any egress rule. */
export function typesOf(policy: Document): Direction[] {
  const given: string[] | undefined = policy.spec.policyTypes;
  if (given !== undefined && given.length > 0) return given.map((type) => type.toLowerCase() as Direction);
  return (policy.spec.egress ?? []).length > 0 ? ['ingress', 'egress'] : ['ingress'];
}

export function allows(world: World, policy: Document, direction: Direction, flow: OracleFlow): boolean {
  const rules: Document[] = policy.spec[direction] ?? [];
  const { namespace } = policy.metadata;
  return rules.some((rule) => {
    const peers: Document[] = (direction === 'ingress' ? rule.from : rule.to) ?? [];
    const ports: Document[] = rule.ports ?? [];
    const other = direction === 'ingress' ? flow.source : flow.destination;
    return (
      (peers.length === 0 || peers.some((peer) => isPeer(world, peer, namespace, other))) &&
      (ports.length === 0 || ports.some((port) => isPort(world, port, flow)))
    );
  });
}

function isPeer(world: World, peer: Document, namespace: string, address: string): boolean {
  if (peer.ipBlock !== undefined) {
    const { cidr, except = [] } = peer.ipBlock;
    return isIn(address, cidr) && !except.some((each: string) => isIn(address, each));
  }
  const pod = world.podAt(address);
  if (pod === undefined) return false;
  if (peer.namespaceSelector === undefined) {
    return pod.namespace === namespace && selects(peer.podSelector, pod.labels);
  }
  return (
    selects(peer.namespaceSelector, world.namespaceLabels(pod.namespace)) &&
    selects(peer.podSelector ?? {}, pod.labels)
  );
}

function isPort(world: World, port: Document, flow: OracleFlow): boolean {
  if (flow.protocol !== (port.protocol ?? 'TCP')) return false;
  if (port.port === undefined) return true;
  if (typeof port.port === 'string') return hasNamedPort(world, flow, port.port);
  const last: number = port.endPort ?? port.port;
  const at = flow.destinationPort ?? -1;
  return at >= port.port && at <= last;
}

/** Names of ports are those of the pod the packet goes to, whoever's policy it is. */
export function hasNamedPort(world: World, flow: OracleFlow, name: string): boolean {
  const ports = world.podAt(flow.destination)?.ports ?? [];
  return ports.some(
    (each) => each.name === name && each.protocol === flow.protocol && each.port === flow.destinationPort,
  );
}
