/** Addresses of services as a router of others (BIRD) is told of them: blocks by every node, and single addresses where Calico tells them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolPath } from '../../tools/kube-tools.ts';
import { AgentLab, poplin, until } from './agent-world.ts';

const TOPOLOGY = `
network: { Network: 10.10.0.0/16, EnableIPv6: true, IPv6Network: "fd10::/48", Backend: { Type: vxlan } }
nodes: 2
pods: 0
routers:
  tor:
    run: bird
    config: |
      router id 192.168.51.2;
      protocol device {}
      protocol bgp v4 { local as 65000; neighbor range 192.168.51.0/24 as 64512; dynamic name "v4_"; ipv4 { import all; export none; }; }
      protocol bgp v6 { local as 65000; neighbor range fd51::/64 as 64512; dynamic name "v6_"; ipv6 { import all; export none; }; }
bgp:
  - apiVersion: projectcalico.org/v3
    kind: BGPConfiguration
    metadata: { name: default }
    spec:
      nodeToNodeMeshEnabled: false
      serviceClusterIPs: [{ cidr: 10.96.0.0/16 }, { cidr: "fd96::/112" }]
      serviceExternalIPs: [{ cidr: 192.0.2.0/24 }, { cidr: 203.0.113.7/32 }]
      serviceLoadBalancerIPs: [{ cidr: 198.51.100.0/24 }]
  - apiVersion: projectcalico.org/v3
    kind: BGPPeer
    metadata: { name: tor-v4 }
    spec: { peerIP: 192.168.51.2, asNumber: 65000 }
  - apiVersion: projectcalico.org/v3
    kind: BGPPeer
    metadata: { name: tor-v6 }
    spec: { peerIP: "fd51::2", asNumber: 65000 }
`;

let lab: AgentLab;
beforeAll(async () => {
  lab = await AgentLab.up('services', TOPOLOGY);
});
afterAll(() => lab?.[Symbol.asyncDispose]());

/** The nodes that the router knows a prefix by. */
function toldBy(prefix: string): readonly string[] {
  // It fails where there is no such route.
  const { stdout: text } = spawnSync('birdc', ['-s', `${lab.path}/tor.ctl`, 'show', 'route', prefix], {
    encoding: 'utf8',
  });
  return ['node1', 'node2'].filter((node) =>
    ([4, 6] as const).some((family) => new RegExp(`via ${lab.address(node, family)} `).test(text)),
  );
}

function untilTold(prefix: string, ...nodes: readonly string[]): Promise<unknown> {
  return until(
    `${prefix} by ${nodes.join(' and ') || 'nobody'}`,
    () => toldBy(prefix).join() === nodes.join(),
  );
}

function kubectl(...args: readonly string[]): Promise<string> {
  return poplin(
    'lab',
    'exec',
    '--lab',
    lab.name,
    'fabric',
    '--',
    toolPath('kubectl'),
    '--cache-dir=/tmp/.kube-cache',
    ...args,
  );
}

/** Makes an object, or one of the same name another. */
async function put(
  resource: string,
  object: { readonly metadata: { readonly name: string } },
): Promise<void> {
  const path = `/tmp/poplin-service-${process.pid}.json`;
  execFileSync('tee', [path], { input: JSON.stringify(object), stdio: ['pipe', 'ignore', 'inherit'] });
  try {
    await kubectl('delete', resource, object.metadata.name, '--ignore-not-found');
    await kubectl('create', '-f', path);
  } finally {
    execFileSync('rm', [path]);
  }
}

const putEndpoints = (node: string, ready = true) =>
  put('endpointslices', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.10.9.9'], nodeName: node, conditions: { ready } }],
    ports: [],
  } as { readonly metadata: { readonly name: string } });

const putService = (spec: object) =>
  put('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.96.0.7',
      clusterIPs: ['10.96.0.7'],
      ports: [{ port: 80 }],
      ...spec,
    },
  } as { readonly metadata: { readonly name: string } });

test('blocks are told by every node, and a block of one address by none', async () => {
  for (const block of ['10.96.0.0/16', 'fd96::/112', '192.0.2.0/24', '198.51.100.0/24'])
    await untilTold(block, 'node1', 'node2');
  expect(toldBy('203.0.113.7/32')).toEqual([]);
});

test('a service with externalTrafficPolicy Local is told by the nodes that have its endpoints', async () => {
  await putService({ externalTrafficPolicy: 'Local', externalIPs: ['192.0.2.5', '203.0.113.1'] });
  await putEndpoints('node1');
  for (const address of ['10.96.0.7/32', '192.0.2.5/32']) await untilTold(address, 'node1');
  expect(toldBy('203.0.113.1/32')).toEqual([]);
  await putEndpoints('node2');
  for (const address of ['10.96.0.7/32', '192.0.2.5/32']) await untilTold(address, 'node2');
  await putEndpoints('node2', false);
  await untilTold('10.96.0.7/32');
});

test('a block of one address is told by every node, once a service has it', async () => {
  await putService({ externalTrafficPolicy: 'Cluster', externalIPs: ['203.0.113.7', '192.0.2.6'] });
  await untilTold('203.0.113.7/32', 'node1', 'node2');
  expect(toldBy('192.0.2.6/32')).toEqual([]);
  await kubectl('delete', 'services', 'web');
  await untilTold('203.0.113.7/32');
});

test('a node that load balancers leave out tells none', async () => {
  await kubectl('label', 'node', 'node2', 'node.kubernetes.io/exclude-from-external-load-balancers=');
  await untilTold('10.96.0.0/16', 'node1');
  const { problems } = (await lab.status('node2')) ?? {};
  expect(problems).toEqual([]);
});
