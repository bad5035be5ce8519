/**
 * A routed leaf-spine of docs/bgp.md: two leaves of others (BIRD and FRR), two racks of three nodes with an AS each, pods without encapsulation
 * over both leaves at once; a leaf that is cut off, one whose processes are killed, and an agent that restarts, under traffic.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bird, Frr } from '../interop/bgp/peers.ts';
import { inNetns, until } from './agent-world.ts';
import { Capture } from './bgp-capture.ts';
import { type Gap, underTraffic } from './bgp-traffic.ts';
import { type BgpNode, type BgpPod, BgpWorld, type LeafPlace } from './bgp-world.ts';

const RACKS = ['a', 'b'] as const;
const ASN = { a: 65_011, b: 65_012 } as const;
const inRack = (rack: 'a' | 'b', ...names: readonly string[]): readonly BgpNode[] =>
  names.map((name) => ({ name, rack, asn: ASN[rack] }));
const NODES = [...inRack('a', 'a1', 'a2', 'a3'), ...inRack('b', 'b1', 'b2', 'b3')];
/** What an answer of a pod has left of its TTL: two nodes looked at it, and between racks a leaf. */
const TTL = { within: 62, between: 61 } as const;
/** How long a session is held without BFD. */
const HOLD_MS = 90_000;

const BIRD = `
router id 10.1.0.1;
protocol device {}
protocol kernel { ipv4 { export all; }; merge paths on; }
protocol kernel { ipv6 { export all; }; merge paths on; }
protocol bfd { interface "*" { min rx interval 300 ms; min tx interval 300 ms; multiplier 5; }; }
${RACKS.map(
  (rack, at) => `
protocol bgp ${rack}4 {
  local as 65101; neighbor range 10.1.${at + 1}.0/24 as ${ASN[rack]}; dynamic name "${rack}4_"; bfd graceful;
  ipv4 { import all; export all; };
}
protocol bgp ${rack}6 {
  local as 65101; neighbor range fd01:${at + 1}::/64 as ${ASN[rack]}; dynamic name "${rack}6_"; bfd graceful;
  ipv6 { import all; export all; };
}`,
).join('\n')}
`;

const FRR = `
router bgp 65102
 bgp router-id 10.2.0.1
 no bgp ebgp-requires-policy
 bgp graceful-restart
${RACKS.map(
  (rack, at) => ` neighbor ${rack}4 peer-group
 neighbor ${rack}4 remote-as ${ASN[rack]}
 neighbor ${rack}4 bfd 5 300 300
 neighbor ${rack}4 bfd check-control-plane-failure
 neighbor ${rack}6 peer-group
 neighbor ${rack}6 remote-as ${ASN[rack]}
 neighbor ${rack}6 bfd 5 300 300
 neighbor ${rack}6 bfd check-control-plane-failure
 bgp listen range 10.2.${at + 1}.0/24 peer-group ${rack}4
 bgp listen range fd02:${at + 1}::/64 peer-group ${rack}6`,
).join('\n')}
 address-family ipv4 unicast
${RACKS.map((rack) => `  no neighbor ${rack}6 activate`).join('\n')}
 exit-address-family
 address-family ipv6 unicast
${RACKS.map((rack) => `  neighbor ${rack}6 activate`).join('\n')}
 exit-address-family
`;

let world: BgpWorld;
let leaves: readonly LeafPlace[] = [];
let speakers: (Bird | Frr)[] = [];
let pods: readonly BgpPod[] = [];
let a1: BgpPod;
let b1: BgpPod;

beforeAll(async () => {
  world = await BgpWorld.open(NODES);
  const [leaf1, leaf2] = [world.leaf(1, RACKS), world.leaf(2, RACKS)];
  leaves = [leaf1, leaf2];
  speakers = [
    await Bird.start(leaf1.lan, leaf1.name, BIRD),
    await Frr.start(leaf2.lan, leaf2.name, FRR, { bfd: true }),
  ];
  world.apply('leaf-spine');
  for (const { name } of NODES)
    world.station.sh(
      name,
      `echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy; echo 1 > /proc/sys/net/ipv6/fib_multipath_hash_policy
      nft 'table inet watch { chain leaving { type filter hook postrouting priority 0;
        udp dport { 8472, 4789 } counter comment "vxlan"; meta l4proto { 4, 41 } counter comment "ipip"
        oifname up1 ip daddr 10.10.0.0/16 counter comment "up1"; oifname up2 ip daddr 10.10.0.0/16 counter comment "up2"
        oifname up1 ip6 daddr fd10::/48 counter comment "up1 v6"; oifname up2 ip6 daddr fd10::/48 counter comment "up2 v6"
      }
      }'`,
    );
  world.startAgents();
  await world.converged(() => 4);
  pods = await Promise.all(NODES.map(({ name }) => world.pod(name)));
  a1 = podOf('a1');
  b1 = podOf('b1');
  await until('two next hops to the other rack', () => hopsTo('a1', b1) === 4 && hopsTo('b1', a1) === 4);
});
afterAll(async () => {
  for (const speaker of speakers) await speaker[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

function podOf(node: string): BgpPod {
  const pod = pods.find((each) => each.node === node);
  if (pod === undefined) throw new Error(`no pod on ${node}`);
  return pod;
}

/** The TTLs that the answers of all other pods have, by their nodes. */
function ttlsFrom({ node, netns }: BgpPod, family: 4 | 6): Readonly<Record<string, number>> {
  const others = pods.filter((pod) => pod.node !== node);
  const script = others.map(
    (pod) => `ping -nqc1 -W2 ${pod[family]} > /dev/null; ping -nc1 -W2 ${pod[family]}`,
  );
  const text = inNetns(netns, 'sh', '-c', `${script.join('\n')}; true`);
  const ttls = [...text.matchAll(/ttl=(\d+)/g)].map(([, ttl]) => Number(ttl));
  expect(ttls).toHaveLength(others.length);
  return Object.fromEntries(others.map((pod, at) => [pod.node, ttls[at] ?? 0]));
}

/** Next hops of the routes to a pod's subnets, in both families together. */
function hopsTo(node: string, pod: BgpPod): number {
  return ([4, 6] as const)
    .map((family) => {
      const dst = pod[family].replace(/\d+$/, family === 4 ? '0/24' : '/64').replace(/::?\w*\/64$/, '::/64');
      return world.station.sh(node, `ip -${family} route show ${dst} proto 116`).match(/via /g)?.length ?? 0;
    })
    .reduce((sum, count) => sum + count, 0);
}

/** Packets by the comment of their rule. */
function counted(node: string): Readonly<Record<string, number>> {
  const text = world.station.sh(node, 'nft list table inet watch');
  return Object.fromEntries(
    [...text.matchAll(/packets (\d+) .*comment "([^"]+)"/g)].map(([, packets, name]) => [
      name,
      Number(packets),
    ]),
  );
}

test.each([4, 6] as const)('pods of all nodes reach each other as they are, IPv%i', async (family) => {
  for (const pod of pods) {
    const expected = pods
      .filter(({ node }) => node !== pod.node)
      .map(({ node }) => [node, node[0] === pod.node[0] ? TTL.within : TTL.between]);
    expect({ from: pod.node, ...ttlsFrom(pod, family) }).toEqual({
      from: pod.node,
      ...Object.fromEntries(expected),
    });
  }
  const uplinks = await Promise.all(
    [1, 2].map((number) => Capture.start(world.station.file('host-a1'), `up${number}`)),
  );
  const found = () => uplinks.flatMap((uplink) => uplink.between(a1[family], b1[family]));
  inNetns(a1.netns, 'ping', '-nqc5', '-i0.05', '-W2', b1[family]);
  await until('requests and answers on the cables', () => found().length >= 10);
  const [from, to] = [a1[family], b1[family]];
  expect(new Set(found().map((packet) => JSON.stringify(packet)))).toEqual(
    new Set(
      [
        { from, to, ttl: 63 },
        { from: to, to: from, ttl: 62 },
      ].map((packet) => JSON.stringify(packet)),
    ),
  );
  for (const uplink of uplinks) uplink[Symbol.dispose]();
});

test('flows between pods go over both leaves, as they are', async () => {
  for (const family of [4, 6] as const) {
    const address = family === 4 ? b1[4] : b1[6];
    inNetns(
      a1.netns,
      'bash',
      '-c',
      `for each in $(seq 60); do echo hello > /dev/udp/${address}/9 || true; done 2> /dev/null`,
    );
  }
  const { up1 = 0, up2 = 0, 'up1 v6': up1v6 = 0, 'up2 v6': up2v6 = 0, ...tunnels } = counted('a1');
  expect(Math.min(up1, up2, up1v6, up2v6)).toBeGreaterThan(5);
  expect(tunnels).toEqual({ vxlan: 0, ipip: 0 });
});

test('an agent that restarts under traffic loses nothing', async () => {
  const gaps = await underTraffic(a1, b1, async () => {
    await world.station.stop('a1');
    world.startAgents('a1');
    await world.converged(() => 4);
  });
  process.stdout.write(`agent restarted: ${JSON.stringify(gaps)}\n`);
  for (const gap of gaps) expect(gap.lost).toBe(0);
});

test('a leaf that is cut off is missed for no longer than BFD needs', async () => {
  const gaps: Gap[] = [];
  // Whichever of them the pings go by.
  for (const [at, leaf] of leaves.entries()) {
    const cutAt = Date.now();
    const found = await underTraffic(a1, b1, async () => {
      leaf.cut();
      await until('the other leaf alone', () => hopsTo('a1', b1) === 2 && hopsTo('b1', a1) === 2);
    });
    gaps.push(...found);
    const noticedAt = lossesOf(at + 1, cutAt);
    // A machine that is slow is so in both: what comes behind the notice takes less than it did to notice.
    for (const { overAt = noticedAt } of found) expect(overAt - noticedAt).toBeLessThan(noticedAt - cutAt);
    expect(noticedAt - cutAt).toBeLessThan(HOLD_MS / 3);
    const { bgp } = (await world.station.status('a1')) ?? {};
    expect(bgp?.neighbors.filter(({ isUp }) => isUp)).toHaveLength(2);
    leaf.mend();
    await untilBothLeaves();
  }
  process.stdout.write(`leaf cut off: ${JSON.stringify(gaps)}\n`);
  expect(Math.max(...gaps.map(({ longestMs }) => longestMs))).toBeGreaterThan(0);
});

/** When a1 and b1 have both lost both their sessions with a leaf, each by BFD. */
function lossesOf(leaf: number, since: number): number {
  const losses = ['a1', 'b1'].flatMap((node) =>
    world.station
      .log(node)
      .filter(
        ({ msg, isUp, peer, time }) =>
          msg === 'BGP session' &&
          isUp === false &&
          String(peer).startsWith(`BGPPeer leaf${leaf}-`) &&
          Number(time) >= since,
      ),
  );
  expect(losses.map(({ reason }) => reason)).toEqual(
    Array.from({ length: 4 }, () => expect.stringMatching(/bfd/i)),
  );
  return Math.max(...losses.map(({ time }) => Number(time)));
}

test('a leaf whose processes are killed is left to its kernel until packets go by the other, and comes back', async () => {
  const starts = [
    () => Bird.start(leafOf(0).lan, leafOf(0).name, BIRD),
    () => Frr.start(leafOf(1).lan, leafOf(1).name, FRR, { bfd: true }),
  ];
  const gaps: Gap[] = [];
  for (const [at, start] of starts.entries()) {
    const [dead, other] = at === 0 ? ['up1', 'up2'] : ['up2', 'up1'];
    gaps.push(
      ...(await underTraffic(a1, b1, async () => {
        await speakers[at]?.end('SIGKILL');
        await until('the other leaf alone', () => hopsTo('a1', b1) === 2 && hopsTo('b1', a1) === 2);
      })),
    );
    const { bgp } = (await world.station.status('a1')) ?? {};
    expect(bgp?.neighbors.flatMap(({ key, isUp }) => (isUp ? [key] : []))).toEqual(
      [4, 6].map((family) => expect.stringMatching(new RegExp(`^BGPPeer leaf${2 - at}-a-v${family} `))),
    );
    const before = counted('a1');
    for (const family of [4, 6] as const) inNetns(a1.netns, 'ping', '-nqc5', '-i0.05', '-W2', b1[family]);
    const after = counted('a1');
    const sent = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
    expect([sent(dead), sent(`${dead} v6`)]).toEqual([0, 0]);
    expect(Math.min(sent(other), sent(`${other} v6`))).toBeGreaterThanOrEqual(5);
    speakers[at] = await start();
    await untilBothLeaves();
  }
  process.stdout.write(`leaf's processes killed: ${JSON.stringify(gaps)}\n`);
  for (const gap of gaps) expect(gap.lost).toBe(0);
});

function leafOf(at: number): LeafPlace {
  const leaf = leaves[at];
  if (leaf === undefined) throw new Error(`no leaf ${at}`);
  return leaf;
}

async function untilBothLeaves(): Promise<void> {
  await until('both leaves', () => hopsTo('a1', b1) === 4 && hopsTo('b1', a1) === 4, 60_000);
}
