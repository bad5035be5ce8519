/**
 * Nodes and leaves of others (FRR and BIRD) on cables that have no addresses but link-local ones, as docs/bgp.md shows: pods reach each other
 * over both leaves in both families, a cable that is pulled, and an agent that restarts, under traffic.
 */
import { chmodSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BgpLan } from '../interop/bgp/lan.ts';
import { Bird, Frr } from '../interop/bgp/peers.ts';
import { inNetns, until } from './agent-world.ts';
import { underTraffic } from './bgp-traffic.ts';
import { type BgpPod, BgpWorld } from './bgp-world.ts';

const NODES = [
  { name: 'node1', asn: 65_011 },
  { name: 'node2', asn: 65_012 },
] as const;
const FAMILIES = [4, 6] as const;
/** Of a leaf, one to each node. */
const CABLES = ['n1', 'n2'] as const;

const FRR = `
router bgp 65101
 bgp router-id 10.1.0.1
 no bgp ebgp-requires-policy
 bgp graceful-restart
${CABLES.map(
  (cable) => ` neighbor ${cable} interface remote-as external
 neighbor ${cable} bfd 5 300 300
 neighbor ${cable} bfd check-control-plane-failure`,
).join('\n')}
 address-family ipv6 unicast
${CABLES.map((cable) => `  neighbor ${cable} activate`).join('\n')}
 exit-address-family
`;

const BIRD = `
router id 10.2.0.1;
protocol device { scan time 2; }
protocol radv { interface "n*" { max ra interval 4; default lifetime 0; }; }
protocol kernel { ipv4 { export all; }; }
protocol kernel { ipv6 { export all; }; }
protocol bfd { interface "n*" { min rx interval 300 ms; min tx interval 300 ms; multiplier 5; }; }
${CABLES.map(
  (cable) => `
protocol bgp ${cable} {
  local as 65102; neighbor range fe80::/10 external; interface "${cable}"; dynamic name "${cable}_"; bfd graceful;
  ipv4 { import all; export all; extended next hop on; };
  ipv6 { import all; export all; };
}`,
).join('\n')}
`;

let world: BgpWorld;
let leaves: readonly string[] = [];
let speakers: readonly (Bird | Frr)[] = [];
let from: BgpPod;
let to: BgpPod;

/** A router with a cable to every node, whose end there is `up NUMBER`. */
function leafAt(number: number): { readonly netns: string; readonly lan: BgpLan } {
  const netns = world.station.pod(`leaf${number}`);
  const script = NODES.map(
    (
      { name },
      at,
    ) => `ip link add ${CABLES[at]} type veth peer name up${number} netns ${world.station.file(`host-${name}`)}
    ip link set ${CABLES[at]} up`,
  );
  inNetns(
    netns,
    'sh',
    '-ec',
    `ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
    echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter
    ${script.join('\n')}`,
  );
  for (const { name } of NODES)
    world.station.sh(
      name,
      `ip link set up${number} up; echo 0 > /proc/sys/net/ipv4/conf/up${number}/rp_filter`,
    );
  const node = { name: `leaf${number}`, namespace: { path: netns }, ipv4: '0.0.0.0', ipv6: '::' };
  return { netns, lan: { folder: world.station.folder, node: () => node } as unknown as BgpLan };
}

/** The links that a node's routes to the other's subnets leave by, in both families; all next hops are link-local ones of IPv6. */
function linksOf(node: string): readonly string[] {
  return FAMILIES.flatMap((family) =>
    [
      ...world
        .routes(node, family)
        .matchAll(family === 4 ? /via inet6 fe80:\S+ dev (\S+)/g : /via fe80:\S+ dev (\S+)/g),
    ].map(([, link]) => `${link} v${family}`),
  ).toSorted();
}

const BOTH = ['up1 v4', 'up1 v6', 'up2 v4', 'up2 v6'];
const untilBoth = () =>
  until('both ways', () => NODES.every(({ name }) => linksOf(name).join() === BOTH.join()), 60_000);

beforeAll(async () => {
  world = await BgpWorld.open(NODES);
  // FRR gives its rights away.
  chmodSync(world.station.folder, 0o711);
  const [leaf1, leaf2] = [leafAt(1), leafAt(2)];
  leaves = [leaf1.netns, leaf2.netns];
  speakers = [
    await Frr.start(leaf1.lan, 'leaf1', FRR, { bfd: true, listensToAll: true }),
    await Bird.start(leaf2.lan, 'leaf2', BIRD),
  ];
  world.apply('unnumbered');
  world.startAgents();
  await world.converged(() => 2);
  [from, to] = [await world.pod('node1'), await world.pod('node2')];
  await untilBoth();
  for (const { name } of NODES)
    await world.station.statusWhere(
      name,
      'BFD with both leaves',
      ({ bgp }) => bgp?.neighbors.every(({ bfd }) => bfd === 'up') === true,
    );
});
afterAll(async () => {
  for (const speaker of speakers) await speaker[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

test('pods reach each other as they are by next hops that are link-local, over a leaf', () => {
  for (const family of FAMILIES) {
    inNetns(from.netns, 'ping', '-nqc1', '-W2', to[family]);
    // Two nodes and a leaf looked at the answer.
    expect(inNetns(from.netns, 'ping', '-nc1', '-W2', to[family])).toContain('ttl=61');
  }
});

test('status and commands name the neighbours by what was found at the ends of their links', async () => {
  const { bgp } = (await world.station.status('node1')) ?? {};
  const said = bgp?.neighbors.map(({ key, address, asn }) => [
    key,
    address?.replace(/^fe80::[\da-f:]+/, 'LOCAL'),
    asn,
  ]);
  expect(said).toEqual([
    ['BGPPeer uplinks up1', 'LOCAL%up1', 65_101],
    ['BGPPeer uplinks up2', 'LOCAL%up2', 65_102],
  ]);
  expect(world.bgp('node1', 'summary')).toMatch(/BGPPeer uplinks up1 +fe80::\S+%up1 +65101 +up /);
  expect(world.bgp('node1', 'neighbor', 'up2')).toMatch(/interface +up2\n(?:.*\n)*bfd +up\n/);
});

test('a cable that is pulled is missed for a moment at most, whatever it is to, and comes back', async () => {
  for (const [at, netns] of leaves.entries()) {
    const [other, others] = at === 0 ? ['up2', ['up2 v4', 'up2 v6']] : ['up1', ['up1 v4', 'up1 v6']];
    await underTraffic(from, to, async () => {
      inNetns(netns, 'ip', 'link', 'set', 'n1', 'down');
      await until(`${other} alone`, () => linksOf('node1').join() === others.join());
    });
    expect(world.bgp('node1', 'summary')).toMatch(new RegExp(`uplinks up${at + 1} .* idle `));
    expect(world.bgp('node1', 'neighbor', `BGPPeer uplinks up${at + 1}`)).toContain(
      `link up${at + 1} is down`,
    );
    inNetns(netns, 'ip', 'link', 'set', 'n1', 'up');
    await untilBoth();
  }
});

test('an agent that restarts under traffic loses nothing', async () => {
  const gaps = await underTraffic(from, to, async () => {
    await world.station.stop('node1');
    world.startAgents('node1');
    await world.converged(() => 2);
    await untilBoth();
  });
  process.stdout.write(`agent restarted: ${JSON.stringify(gaps)}\n`);
  for (const gap of gaps) expect(gap.lost).toBe(0);
});
