import { describe, expect, test } from 'vitest';
import { formatProblem } from '#core/config/index.ts';
import type { Topology } from './model.ts';
import { demoTopology, netConfOf, networkFamilies, parseTopology } from './topology.ts';

function parse(text: string): Topology {
  const result = parseTopology(text, 'lab.yaml');
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.value;
}

function problemsOf(text: string): string[] {
  const result = parseTopology(text, 'lab.yaml');
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(/^lab\.yaml:/, ''));
}

describe('a topology', () => {
  test('that says nothing is three nodes in one subnet with two pods each', () => {
    const topology = parse('{}');
    expect(topology.subnets).toEqual([{ name: 'lan', ipv4: '192.168.51.0/24', ipv6: 'fd51::/64' }]);
    expect(topology.nodes).toEqual([
      { name: 'node1', subnet: 'lan', ipv4: '192.168.51.11', ipv6: 'fd51::b' },
      { name: 'node2', subnet: 'lan', ipv4: '192.168.51.12', ipv6: 'fd51::c' },
      { name: 'node3', subnet: 'lan', ipv4: '192.168.51.13', ipv6: 'fd51::d' },
    ]);
    expect(topology.pods.map(({ name, node }) => `${name} ${node}`)).toEqual([
      'pod1 node1',
      'pod2 node1',
      'pod3 node2',
      'pod4 node2',
      'pod5 node3',
      'pod6 node3',
    ]);
    expect(networkFamilies(topology)).toEqual([4, 6]);
  });

  test('numbers its nodes in each subnet anew', () => {
    const { nodes } = demoTopology();
    expect(nodes.map(({ ipv4 }) => ipv4)).toEqual(['192.168.51.11', '192.168.51.12', '192.168.52.11']);
  });

  test('of one family has a network of that family', () => {
    expect(networkFamilies(parse('subnets: { a: { ipv4: 10.0.0.0/24 } }'))).toEqual([4]);
    expect(networkFamilies(parse('subnets: { a: { ipv6: "fd00::/64" } }'))).toEqual([6]);
  });

  test('may give the pods one family of two', () => {
    const topology = parse('network: { Network: 10.9.0.0/16, Backend: { Type: vxlan } }');
    expect(networkFamilies(topology)).toEqual([4]);
    expect(netConfOf(topology).ipv4?.network).toBe('10.9.0.0/16');
  });

  test('may say whose its pods are, and what policies there are', () => {
    const { pods, policies } = parse(
      `nodes: 1
pods:
  a: { node: node1 }
  b: { node: node1, namespace: shop, labels: { tier: web, "example.com/app": x } }
policies:
  - policies.yaml
  - { apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: closed }, spec: { podSelector: {} } }`,
    );
    expect(pods.map(({ namespace, labels }) => ({ namespace, labels }))).toEqual([
      { namespace: 'default', labels: { app: 'a' } },
      { namespace: 'shop', labels: { app: 'b', tier: 'web', 'example.com/app': 'x' } },
    ]);
    expect(policies).toMatchObject(['policies.yaml', { kind: 'NetworkPolicy', spec: { podSelector: {} } }]);
    expect(parse('{}').policies).toBeUndefined();
  });

  test('may have routers of others, what nodes say of themselves, and objects of BGP', () => {
    const topology = parse(
      `nodes:
  a: { labels: { rack: a }, annotations: { projectcalico.org/ASNumber: "65011" } }
  b:
routers:
  tor: { run: bird, config: "protocol device {}" }
  spine: { run: bird, config: "" }
bgp:
  - bgp.yaml
  - { apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: { name: default } }`,
    );
    expect(topology.nodes.map(({ labels, annotations }) => ({ labels, annotations }))).toEqual([
      { labels: { rack: 'a' }, annotations: { 'projectcalico.org/ASNumber': '65011' } },
      {},
    ]);
    expect(topology.routers).toEqual([
      { name: 'tor', run: 'bird', config: 'protocol device {}', host: 2 },
      { name: 'spine', run: 'bird', config: '', host: 3 },
    ]);
    expect(topology.bgp).toMatchObject(['bgp.yaml', { kind: 'BGPConfiguration' }]);
    expect(parse('{}')).not.toHaveProperty('routers');
    expect(parse('{}')).not.toHaveProperty('bgp');
  });

  test('without pods is one', () => {
    expect(parse('pods: 0').pods).toEqual([]);
  });
});

const REFUSED: readonly (readonly [what: string, text: string, ...problems: string[]])[] = [
  [
    'pods of both kinds on one node',
    'nodes: 1\npods:\n  a: { node: node1 }\n  b: { node: node1, network: bridge }',
    "4:30: pods.b.network: node node1 has pods of both kinds: a pod on the bridge takes the node's whole subnet to be on that bridge and would never find the routed ones; put them on different nodes",
  ],
  ['a pod on no node', 'pods:\n  a: { node: x }', '2:14: pods.a.node: "x" is no node'],
  [
    'a node in no subnet',
    'nodes:\n  a: { subnet: x }',
    '2:16: nodes.a.subnet: "x" is no subnet; there are: lan',
  ],
  [
    'a pod with the name of a node',
    'nodes: 1\npods:\n  node1: { node: node1 }',
    '3:10: pods.node1: pod node1 has the name of a node',
  ],
  [
    'a router with the name of a node',
    'nodes: { a: }\npods: 0\nrouters: { a: { run: bird, config: "" } }',
    '3:15: routers.a: has the name of a node',
  ],
  [
    'more routers than there are numbers',
    `pods: 0\nrouters: { ${Array.from({ length: 10 }, (_, at) => `r${at}: { run: bird, config: "" }`).join(', ')} }`,
    '2:10: routers: are 10, and 9 at most',
  ],
  [
    'a node with the name of the fabric',
    'nodes: { fabric: }\npods: 0',
    "1:18: nodes.fabric: has the name of the lab's own switch and router",
  ],
  [
    'overlapping subnets',
    'subnets:\n  a: { ipv4: 10.0.0.0/23 }\n  b: { ipv4: 10.0.1.0/24 }\nnetwork: { Network: 10.9.0.0/16, Backend: { Type: vxlan } }',
    "3:14: subnets.b.ipv4: 10.0.1.0/24 overlaps subnet a's 10.0.0.0/23",
  ],
  [
    "a subnet within the pods' network",
    'subnets:\n  a: { ipv4: 10.10.3.0/24 }',
    "2:14: subnets.a.ipv4: 10.10.3.0/24 overlaps the pods' network 10.10.0.0/16",
  ],
  [
    'subnets of different families',
    'subnets:\n  a: { ipv4: 10.0.0.0/24 }\n  b: { ipv4: 10.0.1.0/24, ipv6: "fd00::/64" }\nnetwork: { Network: 10.9.0.0/16, Backend: { Type: vxlan } }',
    '2:6: subnets.a: has no ipv6, and subnet b has one',
  ],
  [
    'a network in a family that no node has',
    'subnets:\n  a: { ipv4: 10.0.0.0/24 }\nnetwork: { EnableIPv4: false, EnableIPv6: true, IPv6Network: "fd10::/48", Backend: { Type: vxlan } }',
    "2:6: subnets.a: has no ipv6, and the pods' network fd10::/48 needs it",
  ],
  [
    'a subnet too small for its nodes',
    'subnets:\n  a: { ipv4: 10.0.0.0/28 }\nnodes: 5',
    '2:6: subnets.a: 10.0.0.0/28 is too small for node node5',
  ],
  [
    'more nodes than subnets for pods',
    'nodes: 4\nnetwork: { Network: 10.9.0.0/24, SubnetLen: 26, Backend: { Type: vxlan } }',
    '2:10: network: has 3 subnets of /26 in 10.9.0.0/24, and there are 4 nodes',
  ],
  [
    'more pods than addresses',
    'nodes: 1\npods: 6\nnetwork: { Network: 10.9.0.0/16, SubnetLen: 29, Backend: { Type: vxlan } }',
    '3:10: network: gives a node a /29 (ipv4) with room for 5 pods, and node1 has 6',
  ],
  [
    'what net-conf.json refuses, at the line of the YAML file',
    'name: x\nnetwork:\n  Network: 10.9.0.0/16\n  Backend: { Type: vxlan, VNI: -1 }',
    '4:32: network.Backend.VNI: must be at least 0, not -1',
  ],
  ['no nodes', 'nodes: {}\npods: 0', '1:8: nodes: is empty: a lab has at least one node'],
  [
    'a name that is none',
    'name: Lab_1',
    '1:7: name: is not a name: 1 to 20 of a-z, 0-9 and -, beginning and ending with a letter or digit',
  ],
  [
    'a label that is none',
    'nodes: 1\npods:\n  a: { node: node1, labels: { tier: "x y" } }',
    '3:37: pods.a.labels.tier: is no value of a label',
  ],
  [
    'a namespace that is none',
    'nodes: 1\npods:\n  a: { node: node1, namespace: Shop }',
    '3:32: pods.a.namespace: is not a name',
  ],
  ['an unknown key', 'nodse: 3', '1:1: nodse: is not a known key'],
  [
    'a prefix with host bits',
    'subnets: { a: { ipv4: 10.0.0.1/24 } }',
    '1:23: subnets.a.ipv4: is not an IPv4 prefix of at most /29 with host bits zero',
  ],
];

test.each(REFUSED)('refuses %s', (_, text, ...problems) => {
  const found = problemsOf(text);
  expect(found).toHaveLength(problems.length);
  for (const [at, problem] of problems.entries()) expect(found[at]).toContain(problem);
});
