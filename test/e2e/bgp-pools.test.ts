/**
 * Calico's pools over a mesh in two racks, lab/topologies/bgp-pools.yaml: what packets travel in is read off the cables, in both families;
 * natOutgoing, disableBGPExport, an agent that restarts, and modes that change while all is at work.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toolPath } from '../../tools/kube-tools.ts';
import { AgentLab, Ping, poplin, until } from './agent-world.ts';
import { Capture, type CapturedPacket } from './bgp-capture.ts';

const TOPOLOGY = join(import.meta.dirname, '../../lab/topologies/bgp-pools.yaml');
/** Calico's. */
const VNI = 4096;
const FAMILIES = [4, 6] as const;
const POOLS = { 4: 'pods', 6: 'pods-v6' } as const;

let lab: AgentLab;
/** On node1, on node2 beside it, and on node3 behind the router. */
const [OWN, NEAR, FAR] = ['pod1', 'pod3', 'pod5'] as const;

beforeAll(async () => {
  lab = await AgentLab.up('pools', readFileSync(TOPOLOGY, 'utf8').replace(/^name: .*$/m, ''));
});
afterAll(() => lab?.[Symbol.asyncDispose]());

/** Ten echo requests; the TTLs that the answers came with. */
function ping(from: string, address: string, ...flags: string[]): readonly number[] {
  const text = lab.sh(from, `ping -n -c10 -i0.02 -W1 ${flags.join(' ')} ${address} || true`);
  return [...text.matchAll(/ttl=(\d+)/g)].map(([, ttl]) => Number(ttl));
}

async function patchPools(spec: object): Promise<void> {
  for (const pool of Object.values(POOLS))
    await poplin(
      ...[
        'lab',
        'exec',
        '--lab',
        lab.name,
        'fabric',
        '--',
        toolPath('kubectl'),
        '--cache-dir=/tmp/.kube-cache',
      ],
      ...['patch', 'ippools.projectcalico.org', pool, '--type=merge', '-p', JSON.stringify({ spec })],
    );
}

/** The links that a node's routes to a pod's subnet go by, in both families. */
function linksTo(node: string, pod: string): readonly string[] {
  return FAMILIES.map((family) => {
    const shown = lab.sh(node, `ip -${family} route get ${lab.address(pod, family)}`);
    return / dev (\S+)/.exec(shown)?.[1] ?? '';
  });
}

function untilLinks(node: string, pod: string, links: readonly string[]): Promise<unknown> {
  return until(`${node} to ${pod} by ${links.join()}`, () => linksTo(node, pod).join() === links.join());
}

/** What passes node1's cable while pods of it and another node exchange packets. */
async function packetsOf(pod: string, family: 4 | 6): Promise<readonly CapturedPacket[]> {
  using capture = await Capture.start(lab.netns('node1'), 'eth0');
  const [from, to] = [lab.address(OWN, family), lab.address(pod, family)];
  expect(ping(OWN, to)).toHaveLength(10);
  await until('the packets', () => capture.between(from, to).length >= 20);
  return capture.between(from, to);
}

const TUNNELS = ['vxlan.poplin', 'vxlan-v6.poplin'];
const PLAIN = ['eth0', 'eth0'];

test.each(FAMILIES)('IPv%i goes as it is within a network, and in VXLAN across', async (family) => {
  const [own, near, far] = [OWN, NEAR, FAR].map((pod) => lab.address(pod, family));
  const plain = await packetsOf(NEAR, family);
  expect(plain.filter(({ inner }) => inner !== undefined)).toEqual([]);
  expect(plain).toContainEqual({ from: own, to: near, ttl: 63 });
  expect(plain).toContainEqual({ from: near, to: own, ttl: 63 });

  const tunnelled = await packetsOf(FAR, family);
  const nodes = [lab.address('node1', family), lab.address('node3', family)].toSorted();
  for (const { from, to, vxlan, inner } of tunnelled) {
    expect([from, to].toSorted()).toEqual(nodes);
    expect(vxlan).toBe(VNI);
    expect(inner).toBeDefined();
  }
  expect(tunnelled.map(({ inner }) => inner)).toContainEqual({ from: own, to: far, ttl: 63 });
  // Two nodes have looked at it, and the router between has not.
  expect(ping(OWN, far ?? '')).toEqual(Array.from({ length: 10 }, () => 62));
});

test('pods have the MTU that the tunnels carry', () => {
  const mtu = Number(/mtu (\d+)/.exec(lab.sh(OWN, 'ip link show eth0'))?.[1]);
  expect(mtu).toBe(1430);
  expect(ping(OWN, lab.address(FAR, 4), '-M do', `-s ${mtu - 28}`)).toHaveLength(10);
  expect(ping(OWN, lab.address(FAR, 6), '-M do', `-s ${mtu - 48}`)).toHaveLength(10);
});

test('nobody else speaks as a pod: packets of the tunnel are taken from nodes alone', async () => {
  const send = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(5): s.sendto(bytes([8, 0, 0, 0, 0, 0x10, 0, 0]) + bytes(64), ('${lab.address('node1', 4)}', 4789))`;
  await poplin('lab', 'exec', '--lab', lab.name, 'fabric', '--', 'python3', '-c', send);
  await until('five dropped', () =>
    / packets 5 /.test(lab.sh('node1', 'nft list chain inet poplin-bgp-vxlan input')),
  );
});

test('an agent that restarts loses no packet, and leaves the tunnel as it is', async () => {
  const seen = () =>
    lab.sh(
      'node1',
      `for link in ${TUNNELS.join(' ')}; do ip -o link show $link; done; ip route show proto 116`,
    );
  const before = seen();
  const pings = FAMILIES.flatMap((family) => [
    new Ping(lab, OWN, lab.address(FAR, family)),
    new Ping(lab, FAR, lab.address(OWN, family)),
  ]);
  for (const each of pings) await each.answers(20);
  const pid = await lab.pid('node1');
  process.kill(pid, 'SIGKILL');
  await lab.ready('node1', pid);
  await until('sessions', async () => {
    const { bgp } = (await lab.status('node1')) ?? {};
    return bgp?.isRestarting === false && bgp.neighbors.every(({ isUp }) => isUp);
  });
  for (const each of pings) await each.answers(50);
  for (const each of pings) expect((await each.stop()).lost).toBe(0);
  expect(seen()).toBe(before);
});

test('what leaves the pools has the address of the node, where they say so', async () => {
  const seenBy = async (address: string, family: 4 | 6) => {
    using capture = await Capture.start(lab.netns('node1'), 'eth0');
    const sources = [lab.address(OWN, family), lab.address('node1', family)];
    expect(ping(OWN, address)).toHaveLength(10);
    await until('packets', () => sources.some((source) => capture.between(source, address).length >= 20));
    return sources.filter((source) => capture.between(source, address).length > 0);
  };
  const chain = () => lab.sh('node1', 'nft list table inet poplin-bgp 2> /dev/null || true');
  for (const family of FAMILIES)
    expect(await seenBy(lab.address('node2', family), family)).toEqual([lab.address(OWN, family)]);
  await patchPools({ natOutgoing: true });
  await until('the rules', () => chain().match(/masquerade/g)?.length === 2);
  for (const family of FAMILIES) {
    expect(await seenBy(lab.address('node2', family), family)).toEqual([lab.address('node1', family)]);
    for (const pod of [NEAR, FAR])
      expect(await seenBy(lab.address(pod, family), family)).toEqual([lab.address(OWN, family)]);
  }
  await patchPools({ natOutgoing: false });
  await until('no rules', () => chain() === '');
});

test('a mode that changes is obeyed at once', async () => {
  await patchPools({ vxlanMode: 'Always' });
  await untilLinks('node1', NEAR, TUNNELS);
  await untilLinks('node2', OWN, TUNNELS);
  for (const family of FAMILIES)
    for (const { vxlan } of await packetsOf(NEAR, family)) expect(vxlan).toBe(VNI);

  await patchPools({ vxlanMode: 'Never' });
  for (const pod of [NEAR, FAR]) await untilLinks('node1', pod, PLAIN);
  await until('no tunnel', () => !lab.sh('node1', 'ip -o link; nft list tables').includes('vxlan'));
  // The router between knows nothing of pods.
  expect(ping(OWN, lab.address(FAR, 4))).toEqual([]);

  await patchPools({ vxlanMode: 'CrossSubnet' });
  await untilLinks('node1', FAR, TUNNELS);
  await untilLinks('node3', OWN, TUNNELS);
  await untilLinks('node1', NEAR, PLAIN);
  for (const pod of [NEAR, FAR])
    for (const family of FAMILIES) await until('an answer', () => lab.reaches(OWN, pod, family));
});

test('a pool that is not to be told of is not', async () => {
  const known = () =>
    FAMILIES.map(
      (family) => lab.sh('node1', `ip -${family} route show proto 116`).match(/ via /g)?.length ?? 0,
    );
  await patchPools({ disableBGPExport: true });
  await until('no routes', () => known().join() === '0,0');
  const { problems = [] } = (await lab.status('node1')) ?? {};
  expect(problems.filter((text) => text.includes('spec.disableBGPExport'))).toHaveLength(2);
  await patchPools({ disableBGPExport: false });
  await until('routes', () => known().join() === '2,2');
});
