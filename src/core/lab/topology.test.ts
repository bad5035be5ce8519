import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '#core/config/index.ts';
import { demoTopology, netConfOf, networkFamilies, parseTopology } from './topology.ts';
import { isLabName } from './topology-document.ts';

/** The problems of a text, each as one line, in the order of the file. */
function problemsOf(text: string): string[] {
  const result = parseTopology(text, 'lab.yaml');
  if (result.ok) throw new Error('there are no problems');
  return [...result.problems].sort((a, b) => a.line - b.line || a.column - b.column).map(formatProblem);
}

function topologyOf(text: string) {
  const result = parseTopology(text, 'lab.yaml');
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.value;
}

describe('parseTopology', () => {
  it('makes nodes, pods and all addresses from numbers', () => {
    expect(topologyOf('nodes: 2\npods: 2\n')).toEqual({
      name: 'lab',
      netConf: {
        Network: '10.10.0.0/16',
        EnableIPv6: true,
        IPv6Network: 'fd10::/48',
        Backend: { Type: 'vxlan' },
      },
      subnets: [{ name: 'lan', ipv4: '192.168.51.0/24', ipv6: 'fd51::/64' }],
      nodes: [
        { name: 'node1', subnet: 'lan', ipv4: '192.168.51.11', ipv6: 'fd51::b' },
        { name: 'node2', subnet: 'lan', ipv4: '192.168.51.12', ipv6: 'fd51::c' },
      ],
      pods: [
        { name: 'pod1', node: 'node1', network: 'poplin' },
        { name: 'pod2', node: 'node1', network: 'poplin' },
        { name: 'pod3', node: 'node2', network: 'poplin' },
        { name: 'pod4', node: 'node2', network: 'poplin' },
      ],
    });
  });

  it('takes names, subnets, networks and attachments as they are given', () => {
    const topology = topologyOf(`\
name: two-racks
network: { Network: 10.20.0.0/16, EnableIPv6: true, IPv6Network: fd20::/48, Backend: { Type: vxlan, VNI: 7 } }
subnets:
  a: { ipv4: 10.1.0.0/24, ipv6: fd01::/64 }
  b: { ipv4: 10.2.0.0/24, ipv6: fd02::/64 }
nodes:
  alpha:
  beta: { subnet: b }
  gamma: { subnet: b }
pods:
  web: { node: beta, network: bridge }
  client: { node: alpha }
`);
    expect(topology.nodes).toEqual([
      { name: 'alpha', subnet: 'a', ipv4: '10.1.0.11', ipv6: 'fd01::b' },
      { name: 'beta', subnet: 'b', ipv4: '10.2.0.11', ipv6: 'fd02::b' },
      { name: 'gamma', subnet: 'b', ipv4: '10.2.0.12', ipv6: 'fd02::c' },
    ]);
    expect(topology.pods).toEqual([
      { name: 'web', node: 'beta', network: 'bridge' },
      { name: 'client', node: 'alpha', network: 'poplin' },
    ]);
    expect(netConfOf(topology)).toMatchObject({ backend: { type: 'vxlan', vni: 7 } });
  });

  it.each<[string, string, readonly (4 | 6)[]]>([
    ['both', 'nodes: 1', [4, 6]],
    ['IPv4', 'subnets: { a: { ipv4: 10.1.0.0/24 } }', [4]],
    ['IPv6', 'subnets: { a: { ipv6: fd01::/64 } }', [6]],
  ])('gives the pods the families their nodes have: %s', (_, text, families) => {
    const topology = topologyOf(text);
    expect(networkFamilies(topology)).toEqual(families);
    expect(
      topology.nodes.every(
        ({ ipv4, ipv6 }) => Boolean(ipv4) === families.includes(4) && Boolean(ipv6) === families.includes(6),
      ),
    ).toBe(true);
  });

  it.each<[string, string, string[]]>([
    ['no text', '', ['1:1: the text is empty']],
    [
      'no YAML',
      'nodes: [\n',
      ['2:1: not YAML: flow sequence in block collection must be sufficiently indented and end with a ]'],
    ],
    [
      'bad keys and numbers',
      'name: Bad_Name\nnodez: 2\nnodes: 0\npods: 101\n',
      [
        '1:7: name: is not a name: 1 to 20 of a-z, 0-9 and -, beginning and ending with a letter or digit',
        '2:1: nodez: is not a known key (did you mean "nodes"?)',
        '3:8: nodes: must be at least 1, not 0',
        '4:7: pods: must be at most 100, not 101',
      ],
    ],
    [
      'prefixes that are none',
      'subnets:\n  a: { ipv4: 10.1.0.1/24, ipv6: fd01::/126 }\n  b: { ipv4: fd01::/64 }\n',
      [
        '2:14: subnets.a.ipv4: is not an IPv4 prefix of at most /29 with host bits zero',
        '2:33: subnets.a.ipv6: is not an IPv6 prefix of at most /125 with host bits zero',
        '3:14: subnets.b.ipv4: is not an IPv4 prefix of at most /29 with host bits zero',
      ],
    ],
    [
      'subnets that overlap each other and the pods',
      `subnets:
  a: { ipv4: 10.10.1.0/24, ipv6: fd01::/64 }
  b: { ipv4: 10.10.1.128/25, ipv6: fd01::/64 }
nodes: { n1: { subnet: z } }
`,
      [
        "2:14: subnets.a.ipv4: 10.10.1.0/24 overlaps the pods' network 10.10.0.0/16",
        "3:14: subnets.b.ipv4: 10.10.1.128/25 overlaps subnet a's 10.10.1.0/24",
        "3:14: subnets.b.ipv4: 10.10.1.128/25 overlaps the pods' network 10.10.0.0/16",
        "3:36: subnets.b.ipv6: fd01::/64 overlaps subnet a's fd01::/64",
        '4:24: nodes.n1.subnet: "z" is no subnet; there are: a, b',
      ],
    ],
    [
      'a subnet without room for its nodes',
      'subnets: { a: { ipv4: 10.1.0.0/29, ipv6: fd01::/64 } }\nnodes: 1\n',
      ['1:15: subnets.a: 10.1.0.0/29 is too small for node node1'],
    ],
    [
      'subnets of different families',
      'subnets:\n  a: { ipv4: 10.1.0.0/24 }\n  b: { ipv6: fd01::/64 }\n',
      [
        "2:6: subnets.a: has no ipv6, and the pods' network fd10::/48 needs it",
        "3:6: subnets.b: has no ipv4, and the pods' network 10.10.0.0/16 needs it",
      ],
    ],
    [
      'names that are taken and nodes that are not there',
      `nodes: { n1: , fabric: }
pods:
  n1: { node: n1 }
  p2: { node: nowhere }
`,
      [
        '1:24: nodes.fabric: has the name of the lab’s own switch and router',
        '3:7: pods.n1: pod n1 has the name of a node',
        '4:15: pods.p2.node: "nowhere" is no node',
      ],
    ],
    [
      'an attachment that is none',
      'pods: { p: { node: node1, network: host } }',
      ['1:36: pods.p.network: must be one of "poplin", "bridge", not the string "host"'],
    ],
    [
      'both kinds of pods on one node',
      'nodes: { n1: }\npods:\n  p1: { node: n1 }\n  p2: { node: n1, network: bridge }\n',
      [
        "4:28: pods.p2.network: node n1 has pods of both kinds: a pod on the bridge takes the node's whole subnet to be on that bridge and would never find the routed ones; put them on different nodes",
      ],
    ],
    [
      "a pods' network that flannel's reader refuses",
      'network:\n  Network: 10.10.0.0/99\n  Backend: { Type: vxlan, VNI: -1 }\n',
      [
        '2:12: network.Network: must be an IPv4 network such as "10.244.0.0/16": "10.10.0.0/99" is not a network',
        '3:32: network.Backend.VNI: must be at least 0, not -1',
      ],
    ],
    [
      "a pods' network with too few subnets",
      'network: { Network: 10.10.0.0/24, SubnetLen: 26, Backend: { Type: vxlan } }\nsubnets: { a: { ipv4: 10.1.0.0/24 } }\nnodes: 4\n',
      ['1:10: network: has 3 subnets of /26 in 10.10.0.0/24, and there are 4 nodes'],
    ],
    [
      "a pods' network with too little room for pods",
      'network: { Network: 10.10.0.0/24, SubnetLen: 30, Backend: { Type: vxlan } }\nsubnets: { a: { ipv4: 10.1.0.0/24 } }\nnodes: 1\npods: 2\n',
      ['1:10: network: gives a node a /30 (ipv4) with room for 1 pods, and node1 has 2'],
    ],
  ])('tells all problems with their place: %s', (_, text, problems) => {
    expect(problemsOf(text)).toEqual(problems.map((problem) => `lab.yaml:${problem}`));
  });

  it('never throws', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        'nodes: ',
        'pods: ',
        'subnets: ',
        'network: ',
        '{ a: ',
        '}',
        '3',
        'ipv4: 10.0.0.0/24',
        '\n',
        '  ',
        ',',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        parseTopology(pieces.join(''), 'lab.yaml');
      }),
      { numRuns: 500 },
    );
  });
});

describe('demoTopology', () => {
  it('is three nodes in two racks with two pods each', () => {
    const { nodes, pods, subnets } = demoTopology();
    expect(subnets.map(({ name }) => name)).toEqual(['rack-a', 'rack-b']);
    expect(nodes.map(({ name, subnet, ipv4, ipv6 }) => `${name} ${subnet} ${ipv4} ${ipv6}`)).toEqual([
      'node1 rack-a 192.168.51.11 fd51:a::b',
      'node2 rack-a 192.168.51.12 fd51:a::c',
      'node3 rack-b 192.168.52.11 fd51:b::b',
    ]);
    expect(pods.map(({ name, node }) => `${name} ${node}`)).toEqual([
      'pod1 node1',
      'pod2 node1',
      'pod3 node2',
      'pod4 node2',
      'pod5 node3',
      'pod6 node3',
    ]);
  });
});

describe('isLabName', () => {
  it.each([
    ['a', true],
    ['node-1', true],
    ['a'.repeat(20), true],
    ['a'.repeat(21), false],
    ['', false],
    ['-a', false],
    ['a-', false],
    ['A', false],
    ['../a', false],
  ])('"%s": %s', (text, expected) => {
    expect(isLabName(text)).toBe(expected);
  });
});
