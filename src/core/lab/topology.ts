/**
 * A lab's topology: subnets joined by one router, nodes in subnets, pods on nodes. Read from YAML, or made from numbers;
 * every address that is not given follows from the order of the file. docs/lab.md describes the format.
 */
import { familyOf, type IpFamily, prefixSize } from '#base/ip/index.ts';
import { checkDocument, type ParseResult, type Problem, problemAt, readYaml } from '#core/config/index.ts';
import { enabledFamilies, familyOfKey, type NetConf, parseNetConf } from '#core/lease/index.ts';
import {
  addressesOf,
  hostsOf,
  type LabNode,
  type LabPod,
  type LabSubnet,
  type TellProblem,
  type Topology,
} from './model.ts';
import { checkTopology } from './topology-checks.ts';
import { TOPOLOGY_SCHEMA, type TopologyDocument } from './topology-document.ts';

/** Routers beside the lab's own are numbered from here. */
const FIRST_ROUTER_HOST = 2;
/** Nodes are numbered from here within their subnet; the router has number 1. */
const FIRST_NODE_HOST = 11;

/** The pods' network of a lab that names none, by the families its subnets have. */
function defaultNetConf(families: readonly IpFamily[]): Record<string, unknown> {
  return {
    ...(families.includes(4) ? { Network: '10.10.0.0/16' } : { EnableIPv4: false }),
    ...(families.includes(6) && { EnableIPv6: true, IPv6Network: 'fd10::/48' }),
    Backend: { Type: 'vxlan' },
  };
}

/** Reads a topology file; all problems at once, never throws. */
export function parseTopology(text: string, source: string): ParseResult<Topology> {
  const document = readYaml(text, source);
  if (document.root === undefined) return { ok: false, problems: document.problems, warnings: [] };
  const shape = checkDocument(TOPOLOGY_SCHEMA, document, []);
  if (!shape.ok) return shape;
  const problems: Problem[] = [];
  const tell: TellProblem = (path, message) => problems.push(problemAt(document, path, message));
  const topology = expand(shape.value, tell);
  const net = parseNetConf(JSON.stringify(topology.netConf), source);
  // The network is YAML here: what its own reader says of it is told at this file's lines.
  const here = ({ path, message }: Problem): Problem =>
    problemAt(document, ['network', ...path.split('.').filter((key) => key !== '')], message, { fold: true });
  const warnings = [...shape.warnings, ...net.warnings.map(here)];
  if (net.ok) checkTopology(topology, net.value, tell);
  else problems.push(...net.problems.map(here));
  return problems.length > 0 ? { ok: false, problems, warnings } : { ok: true, value: topology, warnings };
}

/** The lab of `npm start`: three nodes in two racks with a router between them, two pods on each node. */
export function demoTopology(): Topology {
  return expand(
    TOPOLOGY_SCHEMA.parse({
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

/** The network configuration the agents will read; throws RangeError for one that parseTopology would have refused. */
export function netConfOf(topology: Topology): NetConf {
  const parsed = parseNetConf(JSON.stringify(topology.netConf), 'network');
  if (parsed.ok) return parsed.value;
  throw new RangeError(parsed.problems.map((problem) => `${problem.path}: ${problem.message}`).join('; '));
}

/** The families of the pods' network. */
export function networkFamilies(topology: Topology): IpFamily[] {
  return enabledFamilies(netConfOf(topology)).map(familyOfKey);
}

function expand(document: TopologyDocument, tell: TellProblem): Topology {
  const subnets: LabSubnet[] = Object.entries(
    document.subnets ?? { lan: { ipv4: '192.168.51.0/24', ipv6: 'fd51::/64' } },
  ).map(([name, { ipv4, ipv6 }]) => ({
    name,
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
  }));
  if (subnets.length === 0) tell(['subnets'], 'is empty: leave it out, or name a subnet');
  const nodes = expandNodes(document, subnets, tell);
  if (nodes.length === 0) tell(['nodes'], 'is empty: a lab has at least one node');
  const families = subnets.flatMap((subnet) => addressesOf(subnet).map((prefix) => familyOf(prefix)));
  return {
    name: document.name,
    netConf: document.network ?? defaultNetConf(families),
    subnets,
    nodes,
    pods: expandPods(document, nodes, tell),
    ...expandRouters(document, tell),
    ...(document.policies !== undefined && { policies: document.policies }),
    ...(document.bgp !== undefined && { bgp: document.bgp }),
  };
}

/** A node as it stands in the file. */
type LabNodeWish = Omit<LabNode, 'subnet'> & { readonly subnet?: string };

function expandNodes(
  { nodes }: TopologyDocument,
  subnets: readonly LabSubnet[],
  tell: TellProblem,
): LabNode[] {
  const wished =
    typeof nodes === 'number'
      ? Array.from({ length: nodes }, (_, at): LabNodeWish => ({ name: `node${at + 1}` }))
      : Object.entries(nodes).map(([name, node]) => wishOf(name, node ?? {}));
  const used = new Map<string, number>();
  return wished.map((node) => {
    const subnet = node.subnet === undefined ? subnets[0] : subnets.find((each) => each.name === node.subnet);
    if (subnet === undefined) {
      const known = subnets.map((each) => each.name).join(', ');
      tell(['nodes', node.name, 'subnet'], `"${node.subnet}" is no subnet; there are: ${known}`);
      return { name: node.name, subnet: '' };
    }
    const host = FIRST_NODE_HOST + (used.get(subnet.name) ?? 0);
    used.set(subnet.name, host + 1 - FIRST_NODE_HOST);
    // The last address of an IPv4 subnet is its broadcast.
    const small = addressesOf(subnet).find((prefix) => BigInt(host) >= prefixSize(prefix) - 1n);
    if (small !== undefined) tell(['subnets', subnet.name], `${small} is too small for node ${node.name}`);
    return { ...node, subnet: subnet.name, ...(small === undefined && hostsOf(subnet, host)) };
  });
}

function wishOf(
  name: string,
  { subnet, labels, annotations }: Exclude<Extract<TopologyDocument['nodes'], object>[string], null>,
): LabNodeWish {
  return {
    name,
    ...(subnet !== undefined && { subnet }),
    ...(labels !== undefined && { labels }),
    ...(annotations !== undefined && { annotations }),
  };
}

function expandRouters({ routers }: TopologyDocument, tell: TellProblem): Pick<Topology, 'routers'> {
  const entries = Object.entries(routers);
  const most = FIRST_NODE_HOST - FIRST_ROUTER_HOST;
  if (entries.length > most) tell(['routers'], `are ${entries.length}, and ${most} at most`);
  if (entries.length === 0) return {};
  return {
    routers: entries.map(([name, router], at) => ({ name, ...router, host: FIRST_ROUTER_HOST + at })),
  };
}

function expandPods({ pods }: TopologyDocument, nodes: readonly LabNode[], tell: TellProblem): LabPod[] {
  if (typeof pods === 'number') {
    return nodes.flatMap((node, at) =>
      Array.from({ length: pods }, (_, index) => {
        const name = `pod${at * pods + index + 1}`;
        const labels = { app: name };
        return { name, node: node.name, network: 'poplin' as const, namespace: 'default', labels };
      }),
    );
  }
  return Object.entries(pods).map(([name, pod]) => {
    if (!nodes.some((node) => node.name === pod.node))
      tell(['pods', name, 'node'], `"${pod.node}" is no node`);
    return { name, ...pod, labels: { app: name, ...pod.labels } };
  });
}
