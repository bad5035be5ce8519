/** Policies of all kinds, written at random as a user might have written them: valid, with every field and every way to leave one out. */
import type { Dice } from './random.ts';
import {
  BLOCKS,
  ICMP,
  ICMPV6,
  LABELS,
  NAMESPACES,
  PORT_NAMES,
  PORTS,
  randomLabels,
  SERVICE_ACCOUNTS,
} from './random-cluster.ts';
import type { Document } from './world.ts';

const KEYS = Object.keys(LABELS) as (keyof typeof LABELS)[];

/** Some policies of each kind, tiers and network sets. No two of one tier have the same order, nor that of NetworkPolicies: which comes first is not said. */
export function randomPolicies(dice: Dice): Document[] {
  const priorities = shuffled(dice, 40);
  const orders = shuffled(dice, 40).map((order) => order * 50 + 1);
  const priority = (): number => priorities.pop() as number;
  const order = (): number => orders.pop() as number;
  const tiers = dice.times(0, 2, (index) => randomTier(dice, index));
  const tierNames = ['default', ...tiers.map((tier) => tier.metadata.name as string)];
  return [
    ...tiers,
    ...dice.times(0, 4, (index) => networkPolicy(dice, index)),
    ...dice.times(0, 2, (index) => clusterNetworkPolicy(dice, index, priority())),
    ...dice.times(0, 1, (index) => adminNetworkPolicy(dice, index, priority())),
    ...(dice.chance(0.2) ? [baselineAdminNetworkPolicy(dice)] : []),
    ...dice.times(0, 2, (index) => calicoPolicy(dice, index, dice.one(tierNames), order(), false)),
    ...dice.times(0, 2, (index) => calicoPolicy(dice, index, dice.one(tierNames), order(), true)),
    ...dice.times(0, 2, (index) => networkSet(dice, index)),
  ];
}

function shuffled(dice: Dice, count: number): number[] {
  const list = Array.from({ length: count }, (_, index) => index + 1);
  return list
    .map((each) => [dice.next(), each] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, each]) => each);
}

function labelSelector(dice: Dice): Document {
  if (dice.chance(0.2)) return {};
  const key = dice.one(KEYS);
  if (dice.chance(0.5)) return { matchLabels: { [key]: dice.one(LABELS[key]) } };
  const operator = dice.one(['In', 'NotIn', 'Exists', 'DoesNotExist'] as const);
  const values = operator === 'In' || operator === 'NotIn' ? { values: dice.some(LABELS[key], 1) } : {};
  return {
    matchExpressions: [{ key, operator, ...values }],
    ...(dice.chance(0.2) && { matchLabels: randomLabels(dice) }),
  };
}

const maybe = (dice: Dice, of: number, part: () => Document): Document => (dice.chance(of) ? part() : {});
/** Absent, empty, or some. */
const list = (dice: Dice, key: string, most: number, make: () => Document): Document =>
  dice.chance(0.15) ? {} : { [key]: dice.times(dice.chance(0.1) ? 0 : 1, most, make) };

function networkPolicy(dice: Dice, index: number): Document {
  const types = dice.one([undefined, ['Ingress'], ['Egress'], ['Ingress', 'Egress']]);
  const rule = (peers: 'from' | 'to') => (): Document => ({
    ...list(dice, peers, 2, () => networkPolicyPeer(dice)),
    ...list(dice, 'ports', 2, () => networkPolicyPort(dice)),
  });
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `np-${index}`, namespace: dice.one(NAMESPACES) },
    spec: {
      podSelector: labelSelector(dice),
      ...(types && { policyTypes: types }),
      ...list(dice, 'ingress', 2, rule('from')),
      ...list(dice, 'egress', 2, rule('to')),
    },
  };
}

function networkPolicyPeer(dice: Dice): Document {
  if (dice.chance(0.3)) return { ipBlock: ipBlock(dice) };
  const which = dice.between(0, 2);
  return {
    ...(which !== 0 && { namespaceSelector: labelSelector(dice) }),
    ...(which !== 1 && { podSelector: labelSelector(dice) }),
  };
}

/** Exceptions lie within the block and are smaller, as the API server demands. */
function ipBlock(dice: Dice): Document {
  const cidr = dice.one(BLOCKS);
  const within: Readonly<Record<string, readonly string[]>> = {
    '10.1.0.0/16': ['10.1.1.0/24', '10.1.2.0/28'],
    '10.1.1.0/24': ['10.1.1.3/32', '10.1.1.0/30'],
    '192.0.2.0/24': ['192.0.2.128/25'],
    '0.0.0.0/0': ['10.1.0.0/16', '192.0.2.0/24'],
    'fd01::/16': ['fd01:1::/64'],
    '::/0': ['fd01:2::/64', '2001:db8::/32'],
  };
  const except = within[cidr];
  return { cidr, ...(except && dice.chance(0.5) && { except: dice.some(except, 1) }) };
}

function networkPolicyPort(dice: Dice): Document {
  const protocol = maybe(dice, 0.7, () => ({ protocol: dice.one(['TCP', 'UDP', 'SCTP']) }));
  const kind = dice.between(0, 3);
  if (kind === 0) return protocol;
  if (kind === 1) return { ...protocol, port: dice.one(PORT_NAMES) };
  if (kind === 2) return { ...protocol, port: dice.one(PORTS) };
  return { ...protocol, port: dice.one([1, 53, 400]), endPort: dice.one([443, 8080, 65_535]) };
}

function clusterSubject(dice: Dice): Document {
  if (dice.chance(0.5)) return { namespaces: labelSelector(dice) };
  return { pods: { namespaceSelector: labelSelector(dice), podSelector: labelSelector(dice) } };
}

function clusterRules(dice: Dice, actions: readonly string[], match: () => Document): Document {
  return {
    ingress: dice.times(0, 2, () => ({
      action: dice.one(actions),
      from: dice.times(1, 2, () => clusterSubject(dice)),
      ...match(),
    })),
    egress: dice.times(0, 2, () => ({
      action: dice.one(actions),
      ...toWithMatch(dice, match()),
    })),
  };
}

/** Names of ports may not be asked of nodes and networks. */
function toWithMatch(dice: Dice, match: Document): Document {
  const isNamed = JSON.stringify(match).includes('amedPort');
  return { to: dice.times(1, 2, () => egressPeer(dice, isNamed)), ...match };
}

function egressPeer(dice: Dice, podsOnly: boolean): Document {
  if (podsOnly || dice.chance(0.5)) return clusterSubject(dice);
  return dice.chance(0.5) ? { nodes: labelSelector(dice) } : { networks: dice.some(BLOCKS, 1) };
}

function clusterNetworkPolicy(dice: Dice, index: number, priority: number): Document {
  const protocols = (): Document =>
    dice.chance(0.4) ? {} : { protocols: dice.times(1, 2, () => clusterProtocol(dice)) };
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: `cnp-${index}` },
    spec: {
      tier: dice.one(['Admin', 'Baseline']),
      priority,
      subject: clusterSubject(dice),
      ...clusterRules(dice, ['Accept', 'Deny', 'Pass'], protocols),
    },
  };
}

function clusterProtocol(dice: Dice): Document {
  if (dice.chance(0.25)) return { destinationNamedPort: dice.one(PORT_NAMES) };
  const port = dice.chance(0.5)
    ? { number: dice.one(PORTS) }
    : { range: { start: 53, end: dice.one(PORTS) + 1 } };
  return { [dice.one(['tcp', 'udp', 'sctp'])]: { destinationPort: port } };
}

function adminPorts(dice: Dice): Document {
  if (dice.chance(0.4)) return {};
  const protocol = dice.one(['TCP', 'UDP', 'SCTP']);
  return {
    ports: dice.times(1, 2, () =>
      dice.one([
        { namedPort: dice.one(PORT_NAMES) },
        { portNumber: { protocol, port: dice.one(PORTS) } },
        { portRange: { protocol, start: 53, end: dice.one(PORTS) + 1 } },
      ]),
    ),
  };
}

function adminNetworkPolicy(dice: Dice, index: number, priority: number): Document {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'AdminNetworkPolicy',
    metadata: { name: `anp-${index}` },
    spec: {
      priority,
      subject: clusterSubject(dice),
      ...clusterRules(dice, ['Allow', 'Deny', 'Pass'], () => adminPorts(dice)),
    },
  };
}

/** Comes after the ClusterNetworkPolicies of its tier: it has no priority. */
function baselineAdminNetworkPolicy(dice: Dice): Document {
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind: 'BaselineAdminNetworkPolicy',
    metadata: { name: 'default' },
    spec: { subject: clusterSubject(dice), ...clusterRules(dice, ['Allow', 'Deny'], () => adminPorts(dice)) },
  };
}

function randomTier(dice: Dice, index: number): Document {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'Tier',
    metadata: { name: `tier-${index}` },
    spec: {
      order: [500, 2_000_000][index],
      ...maybe(dice, 0.7, () => ({ defaultAction: dice.one(['Deny', 'Pass']) })),
    },
  };
}

/** Half of the orders come before that of Kubernetes' policies, half after it; a few have none and come last. */
function calicoPolicy(dice: Dice, index: number, tier: string, order: number, isGlobal: boolean): Document {
  const types = dice.one([undefined, ['Ingress'], ['Egress'], ['Ingress', 'Egress']]);
  const rule = (): Document => calicoRule(dice);
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: isGlobal ? 'GlobalNetworkPolicy' : 'NetworkPolicy',
    metadata: {
      name: tier === 'default' ? `calico-${index}` : `${tier}.calico-${index}`,
      ...(!isGlobal && { namespace: dice.one(NAMESPACES) }),
    },
    spec: {
      ...(tier !== 'default' && { tier }),
      order,
      ...(isGlobal && maybe(dice, 0.3, () => ({ namespaceSelector: calicoSelector(dice) }))),
      ...maybe(dice, 0.8, () => ({ selector: calicoSelector(dice) })),
      ...maybe(dice, 0.2, () => ({ serviceAccountSelector: calicoSelector(dice) })),
      ...(types && { types }),
      ...list(dice, 'ingress', 3, rule),
      ...list(dice, 'egress', 3, rule),
    },
  };
}

function calicoRule(dice: Dice): Document {
  const protocol = dice.one([undefined, undefined, 'TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 6, 17]);
  const hasPorts = protocol !== undefined && !String(protocol).startsWith('ICMP');
  const isIcmp = protocol === 'ICMP' || protocol === 'ICMPv6';
  const [type, code] = dice.one(protocol === 'ICMP' ? ICMP : ICMPV6);
  const icmp = { type, ...(dice.chance(0.5) && { code }) };
  return {
    action: dice.one(['Allow', 'Allow', 'Deny', 'Pass', 'Log']),
    ...maybe(dice, 0.15, () => ({
      ipVersion: protocol === 'ICMP' ? 4 : protocol === 'ICMPv6' ? 6 : dice.one([4, 6]),
    })),
    ...(protocol !== undefined && { protocol }),
    ...(protocol === undefined && maybe(dice, 0.15, () => ({ notProtocol: dice.one(['TCP', 'UDP', 132]) }))),
    ...(isIcmp && maybe(dice, 0.6, () => ({ [dice.one(['icmp', 'notICMP'])]: icmp }))),
    ...maybe(dice, 0.6, () => ({ source: calicoEnd(dice, hasPorts, false) })),
    ...maybe(dice, 0.6, () => ({ destination: calicoEnd(dice, hasPorts, true) })),
  };
}

function calicoEnd(dice: Dice, hasPorts: boolean, mayBeNamed: boolean): Document {
  const port = (): number | string =>
    dice.one<number | string>([dice.one(PORTS), '50:500', ...(mayBeNamed ? [dice.one(PORT_NAMES)] : [])]);
  return {
    ...maybe(dice, 0.2, () => ({ nets: dice.some(BLOCKS, 1) })),
    ...maybe(dice, 0.15, () => ({ notNets: dice.some(BLOCKS, 1) })),
    ...maybe(dice, 0.4, () => ({ selector: calicoSelector(dice) })),
    ...maybe(dice, 0.15, () => ({ notSelector: calicoSelector(dice) })),
    ...maybe(dice, 0.25, () => ({
      namespaceSelector: dice.chance(0.2) ? 'global()' : calicoSelector(dice),
    })),
    ...maybe(dice, 0.15, () => ({
      serviceAccounts: dice.chance(0.5)
        ? { names: dice.some(SERVICE_ACCOUNTS, 1) }
        : { selector: calicoSelector(dice) },
    })),
    ...(hasPorts && maybe(dice, 0.4, () => ({ ports: dice.times(1, 2, port) }))),
    ...(hasPorts && maybe(dice, 0.15, () => ({ notPorts: dice.times(1, 2, port) }))),
  };
}

export function calicoSelector(dice: Dice, depth = 2): string {
  if (depth > 0 && dice.chance(0.35)) {
    const [left, right] = [calicoSelector(dice, depth - 1), calicoSelector(dice, depth - 1)];
    return dice.one([
      `${left} && ${right}`,
      `(${left}) || (${right})`,
      `!(${left})`,
      `(${left} || ${right}) && ${left}`,
    ]);
  }
  const key = dice.one(KEYS);
  const value = dice.one(LABELS[key]);
  const quoted = dice.chance(0.5) ? `"${value}"` : `'${value}'`;
  return dice.one([
    `${key} == ${quoted}`,
    `${key} != ${quoted}`,
    `has(${key})`,
    `!has(${key})`,
    'all()',
    `${key} in {${quoted}, "other"}`,
    `${key} not in {${quoted}}`,
    `${key} contains "${value.slice(1)}"`,
    `${key} starts with "${value.slice(0, 1)}"`,
    `${key} ends with "${value.slice(-1)}"`,
    `projectcalico.org/namespace == "${dice.one(NAMESPACES)}"`,
    `projectcalico.org/serviceaccount == "${dice.one(SERVICE_ACCOUNTS)}"`,
  ]);
}

function networkSet(dice: Dice, index: number): Document {
  const isGlobal = dice.chance(0.5);
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: isGlobal ? 'GlobalNetworkSet' : 'NetworkSet',
    metadata: {
      name: `set-${index}`,
      labels: randomLabels(dice),
      ...(!isGlobal && { namespace: dice.one(NAMESPACES) }),
    },
    spec: { nets: dice.some(BLOCKS, 1) },
  };
}
