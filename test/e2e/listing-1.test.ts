/** Listing 1, flannel's net-conf.json as it is printed everywhere: its subnets are leased as it says, though its backend is a later release's. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LEASE_ANNOTATIONS, LEASE_LABELS, LEASE_NAMESPACE, leaseName } from '#core/lease/index.ts';
import { LISTING_1 } from '#core/lease/listings.fixture.ts';
import { Station } from './agent-station.ts';
import { AgentLab, poplin } from './agent-world.ts';

const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${LEASE_NAMESPACE}/leases`;
const NODES = ['n1', 'n2', 'n3'] as const;
const FATAL = /^Backend\.Type: "udp" is not carried by this release: .*"vxlan" works$/;

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

test('the agents say that the backend is not carried, once, and stay up but not ready', async () => {
  for (const node of NODES) {
    const status = await station.status(node);
    expect(status).toMatchObject({ ready: false, store: 'connected', fatal: expect.stringMatching(FATAL) });
    expect(status?.problems).toEqual([status?.fatal]);
    const told = station.log(node).filter(({ msg }) => msg === 'backend not carried');
    expect(told).toEqual([expect.objectContaining({ level: 50, reason: status?.fatal })]);
    expect(station.isRunning(node)).toBe(true);
    expect(existsSync(station.paths(node).subnetEnv)).toBe(false);
  }
  await expect(poplin('status', '--root-dir', station.file('n1'))).rejects.toThrow(
    /status 1: .*problem +Backend\.Type: "udp" is not carried/s,
  );
});

test('nothing is made in the kernel, and no pod is attached to what carries nothing', async () => {
  expect(station.sh('n1', 'ip -o link').match(/^\d+: \w+/gm)).toEqual(['1: lo', '2: eth0']);
  expect(station.sh('n1', 'ip route show table all proto 112; ip rule; nft list ruleset')).not.toMatch(
    /112|poplin/,
  );
  const outcome = await station.plugin('n1', {
    plugin: 'poplin',
    command: 'ADD',
    containerId: 'c1',
    netns: station.pod('refused'),
    stdin: '{"cniVersion": "1.0.0", "name": "pods", "type": "poplin"}',
  });
  expect(outcome.json).toMatchObject({ code: 11, msg: expect.stringMatching(FATAL) });
  expect(station.sh('n1', 'ip -o link')).not.toContain('veth');
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
      (status) => status.problems.length >= 3,
    );
    console.log(problems.slice(1).join('\n'));
    expect(problems).toContainEqual(expect.stringMatching(/subnet-10\.9\.240\.0-20.*10\.10\.0\.0/));
    expect(problems).toContainEqual(expect.stringMatching(/subnet-10\.99\.16\.0-20.*10\.99\.0\.0/));
  }
  for (const subnet of [below, above]) station.api('DELETE', `${LEASES}/${leaseName(subnet)}`);
  for (const node of NODES)
    await station.statusWhere(node, 'no refusals', (status) => status.problems.length === 1);
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

test('a lab of this network fails at once, and says why', async () => {
  const started = performance.now();
  const network = JSON.stringify(JSON.parse(LISTING_1));
  await expect(AgentLab.up('listing1', `nodes: 1\npods: 0\nnetwork: ${network}\n`)).rejects.toThrow(
    /Backend\.Type: "udp" is not carried/,
  );
  console.log(`the lab gave up after ${((performance.now() - started) / 1000).toFixed(1)} s`);
});
