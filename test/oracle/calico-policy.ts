/**
 * projectcalico.org/v3 NetworkPolicy and GlobalNetworkPolicy for pods. Tiers in their order; in a tier the policies that select the pod,
 * by their order; in a policy its rules. Allow and Deny decide, Pass goes on to the next tier, Log goes on to the next rule.
 * https://docs.tigera.io/calico/latest/reference/resources/networkpolicy
 */
import { meets } from './calico-selector.ts';
import type { Labels } from './labels.ts';
import { type Direction, hasNamedPort } from './network-policy.ts';
import { type Document, isIn, type OracleFlow, type OraclePod, type World } from './world.ts';

const GROUP = 'projectcalico.org';
const NUMBERS: Readonly<Record<string, number>> = {
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  ICMPv6: 58,
  SCTP: 132,
  UDPLite: 136,
};

/** The policies of a tier that are about a pod in a direction, in the order in which they are asked. */
export function calicoPolicies(world: World, tier: string, pod: OraclePod, direction: Direction): Document[] {
  const all = [...world.of('NetworkPolicy', GROUP), ...world.of('GlobalNetworkPolicy', GROUP)];
  return all
    .filter((policy) => (policy.spec.tier ?? 'default') === tier && typesOf(policy).includes(direction))
    .filter((policy) => isAbout(world, policy, pod))
    .toSorted(
      (a, b) => (a.spec.order ?? Number.POSITIVE_INFINITY) - (b.spec.order ?? Number.POSITIVE_INFINITY),
    );
}

/** What a policy says; undefined if none of its rules does. */
export function calicoVerdict(
  world: World,
  policy: Document,
  direction: Direction,
  flow: OracleFlow,
): 'Allow' | 'Deny' | 'Pass' | undefined {
  for (const rule of policy.spec[direction] ?? []) {
    if (rule.action !== 'Log' && matches(world, policy, rule, flow)) return rule.action;
  }
  return undefined;
}

function typesOf({ spec }: Document): Direction[] {
  const given: string[] = spec.types ?? [];
  if (given.length > 0) return given.map((type) => type.toLowerCase() as Direction);
  const hasEgress = (spec.egress ?? []).length > 0;
  const hasIngress = (spec.ingress ?? []).length > 0;
  if (!hasEgress) return ['ingress'];
  return hasIngress ? ['ingress', 'egress'] : ['egress'];
}

/** What Calico's selectors see of a pod: its labels, and some that it gives to each. */
function labelsOf(pod: OraclePod): Labels {
  return {
    ...pod.labels,
    'projectcalico.org/namespace': pod.namespace,
    'projectcalico.org/orchestrator': 'k8s',
    'projectcalico.org/serviceaccount': pod.serviceAccount,
  };
}

const namespaceLabels = (world: World, name: string): Labels => ({
  ...world.namespaceLabels(name),
  'projectcalico.org/name': name,
});

const serviceAccountLabels = (world: World, pod: OraclePod): Labels => ({
  ...world.serviceAccountLabels(pod.namespace, pod.serviceAccount),
  'projectcalico.org/name': pod.serviceAccount,
});

function isAbout(world: World, { metadata, spec }: Document, pod: OraclePod): boolean {
  if (metadata.namespace !== undefined && metadata.namespace !== pod.namespace) return false;
  if (!meets(spec.namespaceSelector ?? '', namespaceLabels(world, pod.namespace))) return false;
  if (spec.serviceAccountSelector && !meets(spec.serviceAccountSelector, serviceAccountLabels(world, pod)))
    return false;
  return meets(spec.selector ?? '', labelsOf(pod));
}

function matches(world: World, policy: Document, rule: Document, flow: OracleFlow): boolean {
  const number = NUMBERS[flow.protocol];
  if (rule.ipVersion !== undefined && rule.ipVersion !== (flow.source.includes(':') ? 6 : 4)) return false;
  if (rule.protocol !== undefined && numberOf(rule.protocol) !== number) return false;
  if (rule.notProtocol !== undefined && numberOf(rule.notProtocol) === number) return false;
  if (rule.icmp !== undefined && !isIcmp(rule.icmp, flow)) return false;
  if (rule.notICMP !== undefined && isIcmp(rule.notICMP, flow)) return false;
  return (
    isEnd(world, policy, rule.source ?? {}, flow.source, flow.sourcePort, flow) &&
    isEnd(world, policy, rule.destination ?? {}, flow.destination, flow.destinationPort, flow)
  );
}

function numberOf(protocol: string | number): number | undefined {
  return typeof protocol === 'number' ? protocol : NUMBERS[protocol];
}

function isIcmp({ type, code }: Document, flow: OracleFlow): boolean {
  if (flow.protocol !== 'ICMP' && flow.protocol !== 'ICMPv6') return false;
  return (type === undefined || type === flow.icmpType) && (code === undefined || code === flow.icmpCode);
}

function isEnd(
  world: World,
  policy: Document,
  end: Document,
  address: string,
  port: number | undefined,
  flow: OracleFlow,
): boolean {
  const { nets, notNets, ports, notPorts } = end;
  if (nets !== undefined && !nets.some((net: string) => isIn(address, net))) return false;
  if (notNets?.some((net: string) => isIn(address, net)) === true) return false;
  const isPort = (each: number | string): boolean => {
    if (typeof each === 'number') return each === port;
    const [from, to] = each.split(':').map(Number);
    if (from !== undefined && to !== undefined && !Number.isNaN(from))
      return port !== undefined && port >= from && port <= to;
    // The port of a pod that the selector of this end selects: a set of networks around it has no ports.
    return hasNamedPort(world, flow, each) && isScopedMember(world, policy, end, address, true);
  };
  if (ports !== undefined && !ports.some(isPort)) return false;
  if (notPorts?.some(isPort) === true) return false;
  if (!isScopedMember(world, policy, end, address)) return false;
  if (end.notSelector) return !members(world, address).some(({ labels }) => meets(end.notSelector, labels));
  return true;
}

interface FoundMember {
  readonly labels: Labels;
  readonly namespace?: string;
  readonly pod?: OraclePod;
}

/** Everything with labels that an address belongs to: a pod, and any number of network sets. */
function members(world: World, address: string): FoundMember[] {
  const pod = world.podAt(address);
  const sets = [...world.of('NetworkSet', GROUP), ...world.of('GlobalNetworkSet', GROUP)];
  return [
    ...(pod === undefined ? [] : [{ labels: labelsOf(pod), namespace: pod.namespace, pod }]),
    ...sets
      .filter(({ spec }) => (spec.nets ?? []).some((net: string) => isIn(address, net)))
      .map(({ metadata }) => ({
        labels: {
          ...metadata.labels,
          ...(metadata.namespace && { 'projectcalico.org/namespace': metadata.namespace }),
        },
        ...(metadata.namespace && { namespace: metadata.namespace }),
      })),
  ];
}

/** In a policy of a namespace a selector is about this namespace, unless the rule says of which it is. */
function isScopedMember(
  world: World,
  policy: Document,
  end: Document,
  address: string,
  podsOnly = false,
): boolean {
  const { selector, namespaceSelector, serviceAccounts, notSelector } = end;
  const own: string | undefined = policy.metadata.namespace;
  // That notSelector limits the end to the namespace, too, is what Calico does (GetEntityRuleSelector), whatever its name says.
  const isLimited = own !== undefined && notSelector;
  if (!selector && !namespaceSelector && serviceAccounts === undefined && !isLimited) return true;
  return members(world, address).some((member) => {
    if (podsOnly && member.pod === undefined) return false;
    if (!meets(selector ?? '', member.labels)) return false;
    if (namespaceSelector) {
      if (namespaceSelector === 'global()') {
        if (member.namespace !== undefined) return false;
      } else if (
        member.namespace === undefined ||
        !meets(namespaceSelector, namespaceLabels(world, member.namespace))
      )
        return false;
    } else if (own !== undefined && member.namespace !== own) return false;
    return serviceAccounts === undefined || hasServiceAccount(world, serviceAccounts, member.pod);
  });
}

function hasServiceAccount(world: World, wanted: Document, pod: OraclePod | undefined): boolean {
  if (pod === undefined) return false;
  const { names = [], selector } = wanted;
  if (names.length > 0 && !names.includes(pod.serviceAccount)) return false;
  return !selector || meets(selector, serviceAccountLabels(world, pod));
}
