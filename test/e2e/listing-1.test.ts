/** Listing 1, flannel's net-conf.json as it is printed everywhere: its subnets are leased as it says, and its backend carries packets. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LEASE_ANNOTATIONS, LEASE_LABELS, LEASE_NAMESPACE, leaseName } from '#core/lease/index.ts';
import { LISTING_1 } from '#core/lease/listings.fixture.ts';
import { Station } from './agent-station.ts';
import { inNetns } from './agent-world.ts';

const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${LEASE_NAMESPACE}/leases`;
const NODES = ['n1', 'n2', 'n3'] as const;

let station: Station;
beforeAll(async () => {
  station = await Station.open(LISTING_1);
});
afterAll(() => station?.[Symbol.asyncDispose]());

function leased(node: string): Promise<string> {
  return station
    .statusWhere(node, 'lease', ({ lease }) => lease.ipv4 !== null)
    .then(({ lease }) => lease.ipv4 as string);
}

/** A lease as another agent would have written it. */
function leaseObject(subnet: string, node: string, ownerUid: string, host: number): object {
  const now = new Date().toISOString().replace('Z', '000Z');
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: leaseName(subnet),
      namespace: LEASE_NAMESPACE,
      labels: {
        [LEASE_LABELS.kind]: 'subnet-lease',
        [LEASE_LABELS.node]: node,
        [LEASE_LABELS.family]: 'ipv4',
      },
      annotations: {
        [LEASE_ANNOTATIONS.subnet]: subnet,
        [LEASE_ANNOTATIONS.publicIp]: `192.168.60.${host}`,
        [LEASE_ANNOTATIONS.backendType]: 'udp',
        [LEASE_ANNOTATIONS.ownerUid]: ownerUid,
      },
    },
    spec: { holderIdentity: node, leaseDurationSeconds: 86_400, acquireTime: now, renewTime: now },
  };
}

test('agents lease 10.10.0.0/20, 10.10.16.0/20 and 10.10.32.0/20, in this order', async () => {
  const subnets: string[] = [];
  for (const [at, node] of NODES.entries()) {
    station.startAgent(node, 11 + at);
    subnets.push(await leased(node));
  }
  expect(subnets).toEqual(['10.10.0.0/20', '10.10.16.0/20', '10.10.32.0/20']);
});

test('the leases stand in the store, with the backend of the file', () => {
  const { items } = station.api('GET', LEASES) as {
    items: { metadata: { name: string; annotations: object }; spec: object }[];
  };
  expect(items.map((item) => item.metadata.name).sort()).toEqual([
    'subnet-10.10.0.0-20',
    'subnet-10.10.16.0-20',
    'subnet-10.10.32.0-20',
  ]);
  expect(items[0]?.metadata.annotations).toEqual({
    [LEASE_ANNOTATIONS.subnet]: '10.10.0.0/20',
    [LEASE_ANNOTATIONS.publicIp]: '192.168.60.11',
    [LEASE_ANNOTATIONS.backendType]: 'udp',
    [LEASE_ANNOTATIONS.ownerUid]: expect.any(String),
  });
  expect(items[0]?.spec).toMatchObject({ holderIdentity: 'n1' });
});

test('the agents are ready, and tell the host what flannel would', async () => {
  for (const [at, node] of NODES.entries()) {
    await station.statusWhere(node, 'ready', ({ ready }) => ready);
    expect(readFileSync(station.paths(node).subnetEnv, 'utf8')).toBe(
      `FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.10.${at * 16}.1/20\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n`,
    );
  }
});

test('pods of different nodes reach each other over UDP port 7890', async () => {
  const addresses: string[] = [];
  for (const node of ['n1', 'n2']) {
    const { json } = await station.plugin(node, {
      plugin: 'poplin',
      command: 'ADD',
      containerId: node,
      netns: station.pod(node),
      stdin: '{"cniVersion": "1.0.0", "name": "pods", "type": "poplin"}',
    });
    const { ips } = json as { ips: { address: string }[] };
    addresses.push((ips[0]?.address ?? '').replace(/\/.*/, ''));
  }
  const [first = '', second = ''] = addresses;
  expect(inNetns(station.file('pod-n1'), 'ping', '-c3', '-i0.05', '-W2', '-Mdo', '-s1444', second)).toMatch(
    / 0% packet loss/,
  );
  expect(station.sh('n1', 'ss -lunH')).toMatch(/:7890\b/);
  expect(first).toMatch(/^10\.10\./);
});

test('an agent that stops and starts has its subnet again, and another takes none of it', async () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await station.stop('n2', signal);
    station.startAgent('n2', 12);
    expect(await leased('n2')).toBe('10.10.16.0/20');
  }
});

test('leases outside SubnetMin and SubnetMax are refused by peers, with the reason', async () => {
  const below = '10.9.240.0/20';
  const above = '10.99.16.0/20';
  for (const subnet of [below, above])
    station.api('POST', LEASES, leaseObject(subnet, 'stranger', 'stranger-uid', 99));
  for (const node of NODES) {
    const { problems } = await station.statusWhere(
      node,
      'both refusals',
      (status) => status.problems.length >= 2,
    );
    console.log(problems.join('\n'));
    expect(problems).toContainEqual(expect.stringMatching(/subnet-10\.9\.240\.0-20.*10\.10\.0\.0/));
    expect(problems).toContainEqual(expect.stringMatching(/subnet-10\.99\.16\.0-20.*10\.99\.0\.0/));
  }
  for (const subnet of [below, above]) station.api('DELETE', `${LEASES}/${leaseName(subnet)}`);
  for (const node of NODES)
    await station.statusWhere(node, 'no refusals', (status) => status.problems.length === 0);
});

test('a node whose lease lies outside gives it up and takes the next that fits', async () => {
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n4' } };
  const { metadata } = station.api('POST', '/api/v1/nodes', node) as { metadata: { uid: string } };
  station.api('POST', LEASES, leaseObject('10.100.0.0/20', 'n4', metadata.uid, 14));
  station.startAgent('n4', 14);
  expect(await leased('n4')).toBe('10.10.48.0/20');
  const { items } = station.api('GET', LEASES) as { items: { metadata: { name: string } }[] };
  expect(items.map((item) => item.metadata.name)).not.toContain('subnet-10.100.0.0-20');
});
