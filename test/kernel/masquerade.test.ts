/** What a node does with packets of pods, on the real kernel: for each rule who sees whom, in both families; and that it comes back. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { planBlackhole, planForward, planMasquerade } from '#core/masquerade/index.ts';
import { pings } from './cni-world.ts';
import {
  FAR,
  GATEWAY,
  NETWORKS,
  NetworkWorld,
  NODE,
  OTHER_NODE,
  OTHER_POD,
  POD,
  TUNNEL,
} from './network-world.ts';
import { ask, Server } from './talk.ts';

const FAMILIES = [4, 6] as const;
const PORT = 7000;
const overlay = { isFullyRandom: true, overlayLinks: ['over0'] };

let world: NetworkWorld;
beforeEach(async () => {
  world = await NetworkWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

const tables = () => world.sh(world.node, 'nft list ruleset');
const servers = (...namespaces: string[]) =>
  Promise.all(namespaces.map((netns) => Server.start(netns, 'tcp', PORT)));

/** Ends all of them, also when a test fails. */
function closing(all: readonly Server[]): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      for (const server of all) await server[Symbol.asyncDispose]();
    },
  };
}

describe('masquerading', () => {
  test('changes sources as flannel does, and no other', async () => {
    await using _servers = closing(await servers(world.far, world.pod, world.other));
    const seen = (from: string, to: string, source = '') => ask(from, 'tcp', to, PORT, source);
    for (const family of FAMILIES) {
      expect(seen(world.pod, FAR[family]), `IPv${family} without rules`).toBe(POD[family]);
    }
    await world.want(planMasquerade(NETWORKS, overlay));
    for (const family of FAMILIES) {
      const name = `IPv${family}`;
      expect(seen(world.pod, FAR[family]), `${name} pod to the world`).toBe(NODE[family]);
      expect(seen(world.pod, OTHER_POD[family]), `${name} pod to pod`).toBe(POD[family]);
      expect(seen(world.other, POD[family], OTHER_POD[family]), `${name} pod from pod`).toBe(
        OTHER_POD[family],
      );
      expect(seen(world.far, POD[family]), `${name} routed in`).toBe(FAR[family]);
      expect(seen(world.far, OTHER_POD[family]), `${name} routed through`).toBe(TUNNEL[family]);
      expect(seen(world.node, OTHER_POD[family], NODE[family]), `${name} node to pod elsewhere`).toBe(
        TUNNEL[family],
      );
      expect(seen(world.node, POD[family], NODE[family]), `${name} node to its pod`).toBe(NODE[family]);
      expect(seen(world.pod, OTHER_NODE[family]), `${name} pod to node by the overlay`).toBe(POD[family]);
    }
    await world.want(planMasquerade(NETWORKS, { ...overlay, overlayLinks: [] }));
    for (const family of FAMILIES)
      expect(seen(world.pod, OTHER_NODE[family]), `IPv${family} no overlay`).toBe(TUNNEL[family]);
  });

  test('leaves to kube-proxy what it has marked, whatever other bits there are', async () => {
    await using _servers = closing(await servers(world.far));
    await world.want(planMasquerade(NETWORKS, overlay));
    const mark = (value: string) =>
      world.sh(
        world.node,
        `nft 'table inet marks { chain p { type filter hook prerouting priority -150; iifname "pod0" meta mark set ${value}; }; }'`,
      );
    mark('0x4001');
    for (const family of FAMILIES)
      expect(ask(world.pod, 'tcp', FAR[family], PORT), `IPv${family} marked`).toBe(POD[family]);
    world.sh(world.node, 'nft delete table inet marks');
    mark('0x8001');
    for (const family of FAMILIES)
      expect(ask(world.pod, 'tcp', FAR[family], PORT), `IPv${family} another mark`).toBe(NODE[family]);
  });

  test('does not touch what goes to many', async () => {
    const heard = async (family: 4 | 6) => {
      const listener = spawn('nsenter', [`--net=${world.far}`, 'python3', '-c', LISTENER, String(family)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const gone = once(listener, 'exit');
      try {
        await once(listener.stdout, 'data');
        const answer = once(listener.stdout, 'data');
        execFileSync('nsenter', [`--net=${world.node}`, 'python3', '-c', SENDER, GATEWAY[family]]);
        return String((await answer)[0]).trim();
      } finally {
        listener.kill();
        await gone;
      }
    };
    await world.want(planMasquerade(NETWORKS, overlay));
    for (const family of FAMILIES) expect(await heard(family), `IPv${family}`).toBe(GATEWAY[family]);
  });

  test('comes back when somebody flushes the chain, deletes the table or puts a rule in, and goes when nobody wants it', async () => {
    await world.want([...planMasquerade(NETWORKS, overlay), ...planForward(NETWORKS)]);
    const before = tables();
    expect(before.match(/masquerade fully-random/g)).toHaveLength(4);
    for (const harm of [
      'flush chain inet poplin-network source-nat',
      'delete table inet poplin-network',
      'insert rule inet poplin-network source-nat return',
      'flush ruleset',
    ]) {
      world.sh(world.node, `nft ${harm}`);
      await expect.poll(tables, { timeout: 5000, interval: 20 }).toBe(before);
    }
    await world.want(planMasquerade(NETWORKS, { ...overlay, isFullyRandom: false }));
    expect(tables()).not.toContain('random');
    await world.want([]);
    await expect.poll(tables, { timeout: 5000, interval: 20 }).toBe('');
  });
});

test('forwarded packets are accepted in our chain, and dropped all the same by another', async () => {
  await using _servers = closing(await servers(world.pod));
  await world.want(planForward(NETWORKS));
  for (const family of FAMILIES) expect(ask(world.far, 'tcp', POD[family], PORT)).toBe(FAR[family]);
  const packets = () =>
    world.sh(world.node, 'nft list ruleset').match(/saddr \S+ (ip6? daddr \S+ )?accept/g)?.length;
  expect(packets()).toBe(2);
  world.sh(
    world.node,
    `nft 'table inet strict { chain f { type filter hook forward priority 1; policy drop; }; }'`,
  );
  for (const family of FAMILIES) expect(ask(world.far, 'tcp', POD[family], PORT)).toBeUndefined();
});

test('a blackhole takes what has no pod, and nothing that has one', async () => {
  // As with routes to single pods: then nothing but the default route would know the rest of the subnet.
  world.sh(
    world.node,
    `ip address flush dev pod0 scope global
     ip route add ${POD[4]} dev pod0; ip -6 route add ${POD[6]} dev pod0
     ip route add default via ${FAR[4]}; ip -6 route add default via ${FAR[6]}
     ip address add ${GATEWAY[4]}/32 dev pod0; ip address add ${GATEWAY[6]}/128 dev pod0 nodad`,
  );
  const wayTo = (family: 4 | 6, address: string) => {
    try {
      return world.sh(world.node, `ip -${family} route get ${address} 2>&1`);
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  };
  const [unused4, unused6] = ['10.244.1.77', 'fd44:0:0:1::77'];
  expect(wayTo(4, unused4)).toContain('up0');
  expect(wayTo(6, unused6)).toContain('up0');
  await world.want(planBlackhole(NETWORKS));
  expect(wayTo(4, unused4)).toContain('Invalid argument');
  expect(wayTo(6, unused6)).toMatch(/blackhole|Invalid argument/);
  for (const family of FAMILIES) {
    // The kernel takes a moment to know a neighbour by an address it has just got.
    await expect
      .poll(() => pings(world.far, POD[family]), { timeout: 8000, message: `IPv${family}` })
      .toBe(true);
  }
  world.sh(world.node, 'ip route flush type blackhole; ip -6 route flush type blackhole');
  await expect.poll(() => wayTo(4, unused4), { timeout: 5000, interval: 20 }).toContain('Invalid argument');
});

const LISTENER = `
import socket, struct, sys
six = sys.argv[1] == '6'
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', 7100)); s.settimeout(5)
if six: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, 'ff15::77') + struct.pack('@I', socket.if_nametoindex('eth0')))
else: s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('239.1.2.3') + struct.pack('@4si', b'\\0\\0\\0\\0', socket.if_nametoindex('eth0')))
print('ready', flush=True)
print(s.recvfrom(99)[1][0], flush=True)
`;

const SENDER = `
import socket, struct, sys
six = ':' in sys.argv[1]
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
link = socket.if_nametoindex('up0')
if six: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link)
else: s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack('@4s4si', b'\\0\\0\\0\\0', b'\\0\\0\\0\\0', link))
s.sendto(b'hello', ('ff15::77' if six else '239.1.2.3', 7100))
`;
