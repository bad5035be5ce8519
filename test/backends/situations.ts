/** What happens to the nodes of a network in their life, one after another, and what must come of it whatever the backend. */
import { expect } from 'vitest';
import { until } from '../e2e/agent-world.ts';
import { IS_VIRTUAL } from '../kernel/virtual.ts';
import { netConfOf } from './cell.ts';
import { cleanUpNetwork, makePod } from './second-network.ts';
import { expectNoLoss, expectReach, type Subject } from './subject.ts';
import { iperf3, silent } from './talk.ts';
import { TunnelServer, transfer } from './tunnel-talk.ts';
import { HOSTS, type Host, type PodAddresses } from './world.ts';

export interface Situation {
  /** A sentence that is true of every cell. */
  readonly name: string;
  readonly holds: (subject: Subject) => Promise<void>;
}

/** Those with two networks: on an emulated processor, two across the router. */
const SECOND_HOSTS: readonly Host[] = IS_VIRTUAL ? ['n1', 'n3'] : HOSTS;
/** Of the second host. */
const NODE_ADDRESSES = ['192.168.60.12', 'fd60::12'] as const;
/** An emulated processor takes a second for a few megabytes. */
const TRANSFER_BYTES = (IS_VIRTUAL ? 1 : 8) << 20;

export const SITUATIONS: readonly Situation[] = [
  { name: 'nodes join, and pods reach each other', holds: join },
  {
    name: 'what pods send arrives byte for byte, at pods and nodes, as from themselves, and nodes reach pods',
    holds: wholeTransfers,
  },
  { name: 'packets of the pods’ MTU arrive unbroken, and no longer ones are sent', holds: wholePackets },
  { name: 'iperf3 has its stream', holds: streams },
  { name: 'an agent that is killed and started loses no packet', holds: restart },
  { name: 'nothing changes while the store is away, and agents stay', holds: storeAway },
  {
    name: 'a node whose subnet is given to another takes a free one, and is reached there',
    holds: otherSubnet,
  },
  {
    name: 'a second network on the same hosts has pods of its own, and goes without the first one noticing',
    holds: twoNetworks,
  },
  { name: 'a node that leaves is routed to no more', holds: leave },
  { name: 'a node that is booted anew has its subnet again', holds: reboot },
];

/** One half of them: nodes have to join in both, and each other situation is in one. */
export function halfOf(situations: readonly Situation[], half: 0 | 1): readonly Situation[] {
  return situations.filter((_, at) => at === 0 || at % 2 === half);
}

async function join(subject: Subject): Promise<void> {
  const { world, cell } = subject;
  for (const host of HOSTS) if (!world.isRunning(host)) world.startAgent(host);
  for (const host of HOSTS) await world.ready(host);
  for (const host of HOSTS) await world.attach(host);
  await subject.expectReach();
  const routes = subject.routes('n1');
  const ways = [
    ...(/via (192\.168\.60|fd60:).* dev eth0/.test(routes) ? ['direct'] : []),
    ...(/ dev (flannel|fl4)/.test(routes) ? ['device'] : []),
  ];
  expect(ways, routes).toEqual(cell.ways);
  for (const host of HOSTS)
    expect(subject.pod(host).addresses).toHaveLength(cell.families === 'dual stack' ? 2 : 1);
}

async function wholeTransfers(subject: Subject): Promise<void> {
  const { world } = subject;
  const own = (address: string) =>
    subject.pod('n1').addresses.find((each) => each.includes(':') === address.includes(':'));
  const nodes = NODE_ADDRESSES.filter((address) => own(address) !== undefined);
  const pods = [...subject.pod('n2').addresses, ...subject.pod('n3').addresses];
  const goals = [...pods, ...nodes];
  await using servers = new AsyncDisposableStack();
  for (const netns of [subject.netns('n2'), subject.netns('n3'), world.file('n2')])
    servers.use(new TunnelServer(netns));
  expect(transfer(subject.netns('n1'), goals, TRANSFER_BYTES)).toEqual(
    Object.fromEntries(goals.map((address) => [address, own(address)])),
  );
  expect(await silent(world.file('n1'), pods)).toEqual([]);
}

async function wholePackets(subject: Subject): Promise<void> {
  const goals = (['n2', 'n3'] as const).flatMap((to) => subject.pod(to).addresses);
  const lost = (moreBytes: number) =>
    Promise.all(
      goals.map(async (address) => {
        const size = subject.mtuBytes - (address.includes(':') ? 48 : 28) + moreBytes;
        return silent(subject.netns('n1'), [address], '-Mdo', `-s${size}`);
      }),
    );
  expect((await lost(0)).flat()).toEqual([]);
  expect((await lost(1)).flat()).toEqual(goals);
}

async function streams(subject: Subject): Promise<void> {
  for (const to of ['n2', 'n3'] as const) {
    const [address = ''] = subject.pod(to).addresses;
    const { sent, wanted } = await iperf3(subject.netns('n1'), subject.netns(to), address);
    expect(sent).toBeGreaterThanOrEqual(wanted);
  }
}

async function restart(subject: Subject): Promise<void> {
  const { world } = subject;
  const start = performance.now();
  const flows = subject.startFlows('n1', 'n2');
  await world.stop('n2', 'SIGKILL');
  world.startAgent('n2');
  await world.ready('n2');
  await until('some more packets', () => performance.now() > start + 1000);
  await expectNoLoss(flows);
}

async function storeAway(subject: Subject): Promise<void> {
  const { world } = subject;
  const flows = subject.startFlows('n1', 'n3');
  await world.stop('store', 'SIGKILL');
  await world.statusWhere('n1', 'the store is away', ({ store }) => store === 'away');
  await subject.expectReach();
  await world.startStore();
  // Before all of them are back: their watches begin where there is no history any more.
  world.registry.compact();
  for (const host of HOSTS) await world.ready(host);
  await subject.expectReach();
  for (const host of HOSTS) expect(world.isRunning(host)).toBe(true);
  await expectNoLoss(flows);
}

async function otherSubnet(subject: Subject): Promise<void> {
  const { world } = subject;
  const { lease: before } = await world.ready('n2');
  const held = (['ipv4', 'ipv6'] as const).filter((family) => before[family] !== null);
  world.giveLeasesAway('n2');
  await world.statusWhere(
    'n2',
    'another lease',
    ({ ready, lease }) =>
      ready && held.every((family) => lease[family] !== null && lease[family] !== before[family]),
  );
  await world.attach('n2');
  await subject.expectReach();
}

async function twoNetworks(subject: Subject): Promise<void> {
  const { world, cell } = subject;
  world.registry.configure(netConfOf(cell.families, cell.second, 43), 'second');
  for (const host of SECOND_HOSTS) world.startAgent(host, 'second');
  const pods: PodAddresses[] = [];
  for (const host of SECOND_HOSTS) {
    const { lease, policy } = await world.statusWhere(host, 'ready', ({ ready }) => ready, 'second');
    expect(policy).toBeNull();
    const subnets = [lease.ipv4, lease.ipv6].filter((subnet) => subnet !== null);
    const pod = makePod(world, host, 'second', subnets);
    pods.push({ ...pod, netns: world.file(pod.netns) });
  }
  await expectReach(pods);
  await subject.expectReach();
  for (const host of HOSTS) {
    const { kernel, problems } = await world.ready(host);
    expect([kernel.conflicts, kernel.failures, problems]).toEqual([[], [], []]);
  }
  const flows = subject.startFlows('n1', 'n2');
  for (const host of SECOND_HOSTS) await world.stop(`${host}-second`);
  await Promise.all(
    SECOND_HOSTS.map(async (host) => {
      const rows = await cleanUpNetwork(world, host, 'second');
      expect(rows.filter(({ done }) => done !== 'removed')).toEqual([]);
      expect(rows.length).toBeGreaterThan(4);
      expect(rows.map(({ what }) => what)).toContain(world.file(`root-${host}/run/flannel/second.env`));
    }),
  );
  await expectNoLoss(flows);
  expect(world.sh('n1', 'ip route show table all; nft list tables; ip rule')).not.toMatch(
    /proto 121|poplin-\w+-1|(table|lookup) 1121|10\.43\.\d+\.0/,
  );
  await subject.expectReach();
}

async function leave(subject: Subject): Promise<void> {
  const { world } = subject;
  const { lease } = await world.ready('n3');
  const subnets = [lease.ipv4, lease.ipv6].filter((subnet) => subnet !== null);
  const routed = () =>
    subject
      .routes('n1')
      .split('\n')
      .map((line) => line.split(' ')[0]);
  expect(routed()).toEqual(expect.arrayContaining(subnets));
  await world.stop('n3');
  world.removeLeases('n3');
  await until('its routes are gone', () => !subnets.some((subnet) => routed().includes(subnet)));
  await subject.expectReach(['n1', 'n2']);
  world.startAgent('n3');
  await world.ready('n3');
  await world.attach('n3');
  await subject.expectReach();
}

async function reboot(subject: Subject): Promise<void> {
  const { world } = subject;
  const before = (await world.ready('n2')).lease;
  await world.reboot('n2');
  expect((await world.ready('n2')).lease).toEqual(before);
  await world.attach('n2');
  await subject.expectReach();
}
