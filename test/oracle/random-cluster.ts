/** A small cluster whose labels, addresses and ports are few, so that policies written at random hit something. */
import type { Dice } from './random.ts';
import type { Document, OracleFlow } from './world.ts';

export const NAMESPACES = ['alpha', 'beta', 'gamma'] as const;
export const NODES = ['node-1', 'node-2', 'node-3'] as const;
export const SERVICE_ACCOUNTS = ['default', 'robot'] as const;
/** Of pods, namespaces, nodes, service accounts and network sets alike. */
export const LABELS = { app: ['web', 'db', 'cache'], tier: ['front', 'back'], zone: ['a', 'b'] } as const;
export const PORT_NAMES = ['http', 'dns'] as const;
export const PORTS = [53, 80, 443, 8080, 9000] as const;
/** Around the addresses of pods (10.1.N.0/24, fd01:N::/64) and of the world beyond. */
export const BLOCKS = [
  '10.1.0.0/16',
  '10.1.1.0/24',
  '10.1.2.0/28',
  '10.1.1.3/32',
  '192.0.2.0/24',
  '192.0.2.128/25',
  '0.0.0.0/0',
  'fd01::/16',
  'fd01:1::/64',
  'fd01:2::2/128',
  '2001:db8::/32',
  '::/0',
] as const;
const STRANGERS = ['192.0.2.7', '192.0.2.200', '198.51.100.9', '2001:db8::7', '2001:db9::9'] as const;

export function randomLabels(dice: Dice): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, values] of Object.entries(LABELS)) if (dice.chance(0.6)) labels[key] = dice.one(values);
  return labels;
}

/** Namespaces, nodes, service accounts and pods; `pods` at most. */
export function randomCluster(dice: Dice, pods = 9): Document[] {
  const namespaces = NAMESPACES.map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { ...randomLabels(dice), 'kubernetes.io/metadata.name': name } },
  }));
  const nodes = NODES.map((name, index) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: randomLabels(dice) },
    status: {
      addresses: [
        { type: 'Hostname', address: name },
        { type: 'InternalIP', address: `172.16.0.${index + 1}` },
        { type: 'InternalIP', address: `fd16::${index + 1}` },
      ],
    },
  }));
  const accounts = NAMESPACES.flatMap((namespace) =>
    SERVICE_ACCOUNTS.map((name) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace, labels: randomLabels(dice) },
    })),
  );
  return [...namespaces, ...nodes, ...accounts, ...dice.times(2, pods, (index) => randomPod(dice, index))];
}

function randomPod(dice: Dice, index: number): Document {
  const at = dice.between(1, NODES.length);
  const isHostNetwork = dice.chance(0.06);
  const addresses = isHostNetwork
    ? [`172.16.0.${at}`, `fd16::${at}`]
    : [`10.1.${at}.${index + 2}`, `fd01:${at}::${(index + 2).toString(16)}`];
  const count = dice.chance(0.05) ? 0 : dice.chance(0.85) ? 2 : 1;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${index}`, namespace: dice.one(NAMESPACES), labels: randomLabels(dice) },
    spec: {
      nodeName: NODES[at - 1],
      serviceAccountName: dice.one(SERVICE_ACCOUNTS),
      ...(isHostNetwork && { hostNetwork: true }),
      containers: [{ name: 'main', ports: randomPorts(dice) }],
    },
    status: {
      phase: dice.chance(0.06) ? dice.one(['Succeeded', 'Failed']) : 'Running',
      podIPs: addresses.slice(0, count).map((ip) => ({ ip })),
    },
  };
}

/** One name may have a number for each protocol. */
function randomPorts(dice: Dice): Document[] {
  return PORT_NAMES.filter(() => dice.chance(0.7)).flatMap((name) =>
    dice.some(['TCP', 'UDP', 'SCTP'], 1).map((protocol) => ({
      name,
      containerPort: dice.one(PORTS),
      ...((protocol !== 'TCP' || dice.chance(0.5)) && { protocol }),
    })),
  );
}

/** A flow between two of the cluster's addresses, or with a stranger; both ends of one family. */
export function randomFlow(dice: Dice, cluster: readonly Document[]): OracleFlow {
  const addresses = cluster.flatMap((each): string[] =>
    each.kind === 'Pod'
      ? each.status.podIPs.map(({ ip }: Document) => ip)
      : each.kind === 'Node'
        ? [each.status.addresses[1].address, each.status.addresses[2].address]
        : [],
  );
  const pods = cluster.flatMap((each): string[] =>
    each.kind === 'Pod' ? each.status.podIPs.map(({ ip }: Document) => ip) : [],
  );
  const pool = [...pods, ...pods, ...pods, ...addresses, ...STRANGERS];
  const source = dice.one(pool);
  const isV6 = source.includes(':');
  const destination = dice.one(pool.filter((each) => each.includes(':') === isV6 && each !== source));
  const protocol = dice.one(['TCP', 'TCP', 'UDP', 'SCTP', isV6 ? 'ICMPv6' : 'ICMP'] as const);
  if (protocol === 'ICMP' || protocol === 'ICMPv6') {
    const [type, code] = dice.one(isV6 ? ICMPV6 : ICMP);
    return { source, destination, protocol, icmpType: type, icmpCode: code };
  }
  return { source, destination, protocol, sourcePort: 40_000, destinationPort: dice.one(PORTS) };
}

/** Echo requests and what no connection tracking takes for the answer to something. */
export const ICMP: readonly (readonly [type: number, code: number])[] = [
  [8, 0],
  [13, 0],
];
export const ICMPV6: typeof ICMP = [
  [128, 0],
  [139, 0],
];
