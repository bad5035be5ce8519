/**
 * A lab's topology: subnets joined by one router, nodes in subnets, pods on nodes. Read from YAML, or made from numbers;
 * every address that is not given follows from the order of the file. docs/lab.md describes the format.
 */
import { z } from 'zod';
import {
  type IpAddress,
  type IpPrefix,
  networkOf,
  offsetIp,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixParts,
} from '#base/ip/index.ts';
import { checkDocument, type ParseResult, type Problem, problemAt, readYaml } from '#core/config/index.ts';

export interface LabSubnet {
  readonly name: string;
  readonly ipv4: IpPrefix;
  readonly ipv6: IpPrefix;
}

export interface LabNode {
  readonly name: string;
  readonly subnet: string;
  readonly ipv4: IpAddress;
  readonly ipv6: IpAddress;
}

/** How a pod is attached: `poplin` is a routed veth, `bridge` a port of the node's bridge cni0. */
export type PodNetwork = 'poplin' | 'bridge';

export interface LabPod {
  readonly name: string;
  readonly node: string;
  readonly network: PodNetwork;
}

export interface Topology {
  readonly name: string;
  /** The cluster's net-conf.json, as an object. */
  readonly netConf: Readonly<Record<string, unknown>>;
  readonly subnets: readonly LabSubnet[];
  readonly nodes: readonly LabNode[];
  readonly pods: readonly LabPod[];
}

const name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$/,
    'is not a name: 1 to 30 of a-z, 0-9 and -, beginning and ending with a letter or digit',
  );
const prefix = (family: 4 | 6, longest: number) =>
  z.string().refine(
    (text) => {
      const parts = parsePrefix(text);
      return parts?.family === family && parts.length <= longest && networkOf(text) === text;
    },
    { error: `is not an IPv${family} prefix of at most /${longest} with host bits zero` },
  );

const SCHEMA = z.strictObject({
  name: name.default('lab'),
  network: z.looseObject({}).optional(),
  subnets: z.record(name, z.strictObject({ ipv4: prefix(4, 29), ipv6: prefix(6, 125) })).optional(),
  nodes: z
    .union([z.int().min(1).max(200), z.record(name, z.strictObject({ subnet: name.optional() }).nullable())])
    .default(3),
  pods: z
    .union([
      z.int().min(0).max(100),
      z.record(name, z.strictObject({ node: name, network: z.enum(['poplin', 'bridge']).default('poplin') })),
    ])
    .default(2),
});
type Document = z.output<typeof SCHEMA>;

/** The pods' network of a lab that names none: both families. */
export const DEFAULT_NET_CONF = {
  Network: '10.10.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd10::/48',
  Backend: { Type: 'vxlan' },
} as const;

/** Nodes are numbered from here within their subnet; the router has number 1. */
const FIRST_NODE_HOST = 11;
export const ROUTER_HOST = 1;

/** Reads a topology file; all problems at once, never throws. */
export function parseTopology(text: string, source: string): ParseResult<Topology> {
  const document = readYaml(text, source);
  if (document.root === undefined) return { ok: false, problems: document.problems, warnings: [] };
  const shape = checkDocument(SCHEMA, document, []);
  if (!shape.ok) return shape;
  const problems: Problem[] = [];
  const topology = expand(shape.value, (path, message) => problems.push(problemAt(document, path, message)));
  return problems.length > 0
    ? { ok: false, problems, warnings: shape.warnings }
    : { ok: true, value: topology, warnings: shape.warnings };
}

/** The lab of `npm start`: three nodes in two racks with a router between them, two pods on each node. */
export function demoTopology(): Topology {
  return expand(
    SCHEMA.parse({
      name: 'demo',
      subnets: {
        'rack-a': { ipv4: '192.168.51.0/24', ipv6: 'fd51:a::/64' },
        'rack-b': { ipv4: '192.168.52.0/24', ipv6: 'fd51:b::/64' },
      },
      nodes: { node1: { subnet: 'rack-a' }, node2: { subnet: 'rack-a' }, node3: { subnet: 'rack-b' } },
    }),
    (path, message) => {
      throw new RangeError(`${path.join('.')}: ${message}`);
    },
  );
}

function expand(document: Document, problem: (path: readonly string[], message: string) => void): Topology {
  const subnets = Object.entries(
    document.subnets ?? { lan: { ipv4: '192.168.51.0/24', ipv6: 'fd51::/64' } },
  ).map(([subnetName, prefixes]) => ({ name: subnetName, ...prefixes }));
  checkSubnets(subnets, problem);
  const nodes = expandNodes(document, subnets, problem);
  return {
    name: document.name,
    netConf: document.network ?? DEFAULT_NET_CONF,
    subnets,
    nodes,
    pods: expandPods(document, nodes, problem),
  };
}

function checkSubnets(
  subnets: readonly LabSubnet[],
  problem: (path: readonly string[], message: string) => void,
): void {
  for (const [at, subnet] of subnets.entries()) {
    for (const other of subnets.slice(0, at)) {
      for (const family of ['ipv4', 'ipv6'] as const) {
        if (prefixesOverlap(subnet[family], other[family])) {
          problem(
            ['subnets', subnet.name, family],
            `${subnet[family]} overlaps subnet ${other.name}'s ${other[family]}`,
          );
        }
      }
    }
  }
}

function expandNodes(
  { nodes }: Document,
  subnets: readonly LabSubnet[],
  problem: (path: readonly string[], message: string) => void,
): LabNode[] {
  const wished =
    typeof nodes === 'number'
      ? Array.from({ length: nodes }, (_, at) => ({ name: `node${at + 1}`, subnet: undefined }))
      : Object.entries(nodes).map(([nodeName, node]) => ({ name: nodeName, subnet: node?.subnet }));
  const used = new Map<string, number>();
  return wished.flatMap((node) => {
    const subnet = node.subnet === undefined ? subnets[0] : subnets.find((each) => each.name === node.subnet);
    if (subnet === undefined) {
      problem(
        ['nodes', node.name, 'subnet'],
        `"${node.subnet}" is no subnet; there are ${subnets.map((each) => each.name).join(', ')}`,
      );
      return [];
    }
    const host = FIRST_NODE_HOST + (used.get(subnet.name) ?? 0);
    used.set(subnet.name, (used.get(subnet.name) ?? 0) + 1);
    const [ipv4, ipv6] = [hostOf(subnet.ipv4, host), hostOf(subnet.ipv6, host)];
    if (!prefixContains(subnet.ipv4, ipv4) || !prefixContains(subnet.ipv6, ipv6)) {
      problem(['subnets', subnet.name], `is too small for node ${node.name}, its number ${host}`);
    }
    return [{ name: node.name, subnet: subnet.name, ipv4, ipv6 }];
  });
}

function expandPods(
  { pods }: Document,
  nodes: readonly LabNode[],
  problem: (path: readonly string[], message: string) => void,
): LabPod[] {
  if (typeof pods === 'number') {
    return nodes.flatMap((node, at) =>
      Array.from({ length: pods }, (_, index) => ({
        name: `pod${at * pods + index + 1}`,
        node: node.name,
        network: 'poplin' as const,
      })),
    );
  }
  const taken = new Set(nodes.map((node) => node.name));
  return Object.entries(pods).map(([podName, pod]) => {
    if (taken.has(podName)) problem(['pods', podName], 'has the name of a node');
    if (!taken.has(pod.node)) problem(['pods', podName, 'node'], `"${pod.node}" is no node`);
    return { name: podName, ...pod };
  });
}

/** The address of that number in a prefix. */
export function hostOf(prefixText: IpPrefix, host: number): IpAddress {
  return offsetIp(prefixParts(prefixText).address, host);
}
