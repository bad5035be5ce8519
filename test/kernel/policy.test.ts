/** Policies on the real kernel: who cannot speak for whom, what passes whatever policies say, what becomes of flows. */
import { afterEach, describe, expect, test } from 'vitest';
import { ipBytes } from '#base/ip/index.ts';
import { POLICY_PART, PolicyCompiler } from '#core/policy/compile/index.ts';
import { PolicyGraph } from '#core/policy/engine/index.ts';
import { networkPolicy, pod, rule, select, TIERS } from '#core/policy/engine/scene.fixture.ts';
import type { EndMatch, Member, Policy, PolicyRule } from '#core/policy/index.ts';
import { packetOf } from '#testing/flow-packet.ts';
import { Dice } from '../oracle/random.ts';
import { pings } from './cni-world.ts';
import { FAR, GATEWAY, NetworkWorld, NODE, OTHER_POD, POD } from './network-world.ts';
import { Enforced, policyContract, STRANGER, tcp, udp } from './policy-contract.ts';
import {
  addressOf,
  frame,
  hasBridgeNetfilter,
  macOf,
  NO_BRIDGE_NETFILTER,
  NODE_ADDRESSES,
} from './policy-world.ts';
import { ask, Server } from './talk.ts';

const FAMILIES = [4, 6] as const;

policyContract('routed');
policyContract('bridged');

test('a change of policies lets nothing through that neither they nor the former ones allow, and keeps nothing out that both do', async () => {
  using pods = new Enforced('routed');
  const { kernel } = pods;
  pods.attach(2);
  pods.know(2);
  // As many rules as make the transaction run beside this thread, which sends packets meanwhile.
  const rules = (from: number): PolicyRule[] =>
    [80, ...Array.from({ length: 120 }, (_, at) => from + at)].map((number) =>
      rule({}, { ports: [{ from: number, to: number }] }, { protocol: 6 }),
    );
  const isolate = (round: number): void => {
    pods.isolate(2, { ingress: rules(1000 + 200 * (round % 2)) });
    // Another list of policies, to which the pod's address leads then.
    const more = networkPolicy('shop/more', ['app=pod2'], { ingress: rules(2000) });
    if (round % 3 === 0) pods.graph.removePolicy(more.ref);
    else pods.graph.upsertPolicy(more);
  };
  isolate(0);
  await pods.flush();
  let meanwhile = 0;
  for (let round = 1; round <= 6; round++) {
    isolate(round);
    let isDone = false;
    const done = pods.flush().finally(() => (isDone = true));
    while (!isDone) {
      for (const family of FAMILIES) {
        const to = addressOf(2, family);
        expect(kernel.passes(tcp(STRANGER[family], to, 80)), `IPv${family} both`).toBe(true);
        expect(kernel.passes(tcp(STRANGER[family], to, 9999)), `IPv${family} neither`).toBe(false);
      }
      meanwhile++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
  }
  expect(meanwhile).toBeGreaterThan(6);
});

test('nets that lie in each other come and go, and the kernel takes each change', async () => {
  using pods = new Enforced('routed');
  const { kernel, graph } = pods;
  pods.attach(2);
  pods.know(2);
  pods.isolate(2, { ingress: [rule({ selector: select('app=net') })] });
  const dice = new Dice(20_261_130);
  const nets = [
    '0.0.0.0/0',
    '10.0.0.0/8',
    '10.0.0.0/9',
    '10.128.0.0/9',
    '10.1.0.0/16',
    '10.1.2.0/24',
    '10.1.2.3/32',
  ]
    .concat(['192.0.2.0/24', '192.0.2.0/25', '255.255.255.0/24', '10.2.0.0/16'])
    .concat([
      '::/0',
      'fd00::/8',
      'fd00::/9',
      'fd01::/16',
      'fd01:1::/64',
      '2001:db8::/32',
      'ff00::/8',
      'fd01::9/128',
    ]);
  for (let round = 0; round < 60; round++) {
    for (const name of ['a', 'b', 'c']) {
      const member = pod(`shop/${name}`, 9, { app: 'net' }, { nets: dice.some(nets) });
      const key = `set shop/${name}`;
      if (dice.chance(0.3)) graph.removeMember(key);
      else graph.upsertMember({ ...member, key, kind: 'network-set' });
    }
    await pods.flush();
    expect(kernel.differences, `round ${round}`).toEqual([]);
  }
  kernel.resync();
  expect(kernel.differences).toEqual([]);
});

describe('pods on a bridge', () => {
  /** RFC 826: an answer that says who has an address. */
  const arp = (from: number, sender: string): Uint8Array =>
    frame(
      macOf(3),
      macOf(from),
      0x0806,
      Buffer.concat([
        Buffer.from('0001080006040002', 'hex'),
        Buffer.from(macOf(from).replaceAll(':', ''), 'hex'),
        ipBytes(sender),
        Buffer.from(macOf(3).replaceAll(':', ''), 'hex'),
        ipBytes(addressOf(3, 4)),
      ]),
    );
  /** RFC 4861 section 4.4, from the sender's own address. */
  const advertisement = (from: number, target: string): Uint8Array => {
    const flow = {
      source: addressOf(from, 6),
      destination: addressOf(3, 6),
      protocol: 58,
      icmp: { type: 136, code: 0 },
    };
    const packet = packetOf(flow, { hopLimit: 255, payload: '0123456789abcdef' });
    packet.set(ipBytes(target), 48);
    return frame(macOf(3), macOf(from), 0x86dd, packet);
  };

  test('say of no other address that it is theirs, and nothing but IP and ARP', async (context) => {
    context.skip(!hasBridgeNetfilter(), NO_BRIDGE_NETFILTER);
    using pods = new Enforced('bridged');
    const { kernel } = pods;
    for (const number of [2, 3]) pods.attach(number, 'open');
    await pods.flush();
    const arrives = (bytes: Uint8Array, from = 2): boolean => {
      kernel.received(3);
      kernel.send(from, bytes);
      return kernel.received(3).some((each) => Buffer.from(each).equals(Buffer.from(bytes)));
    };
    expect(arrives(arp(2, addressOf(2, 4)))).toBe(true);
    expect(arrives(arp(2, '0.0.0.0'))).toBe(true);
    expect(arrives(arp(2, '10.1.1.1'))).toBe(false);
    expect(arrives(arp(5, '10.1.1.1'), 5)).toBe(true);
    expect(arrives(advertisement(2, addressOf(2, 6)))).toBe(true);
    expect(arrives(advertisement(2, 'fe80::2'))).toBe(true);
    expect(arrives(advertisement(2, 'fd01:1::1'))).toBe(false);
    expect(arrives(advertisement(5, 'fd01:1::1'), 5)).toBe(true);
    expect(arrives(frame(macOf(3), macOf(2), 0x88cc, new Uint8Array(60)))).toBe(false);
    expect(arrives(frame(macOf(3), macOf(5), 0x88cc, new Uint8Array(60)), 5)).toBe(true);
    // A frame from another's hardware address would lead the other's frames here.
    expect(arrives(frame(macOf(3), macOf(4), 0x0806, arp(2, addressOf(2, 4)).subarray(14)))).toBe(false);
    expect(arrives(frame(macOf(3), macOf(4), 0x0806, arp(5, '10.1.1.1').subarray(14)), 5)).toBe(true);
    const dhcp = packetOf({
      source: '0.0.0.0',
      destination: '255.255.255.255',
      protocol: 17,
      sourcePort: 68,
      destinationPort: 67,
    });
    expect(arrives(frame('ff:ff:ff:ff:ff:ff', macOf(2), 0x0800, dhcp))).toBe(true);
    const bare = packetOf({
      source: '0.0.0.0',
      destination: '255.255.255.255',
      protocol: 17,
      sourcePort: 68,
      destinationPort: 69,
    });
    expect(arrives(frame('ff:ff:ff:ff:ff:ff', macOf(2), 0x0800, bare))).toBe(false);
  });
});

describe('a host endpoint', () => {
  const up: Member = {
    key: 'host here/up',
    kind: 'host-endpoint',
    name: 'up',
    labels: {},
    node: 'here',
    link: 'up0',
    nets: [`${NODE_ADDRESSES[4]}/32`, `${NODE_ADDRESSES[6]}/128`],
    ports: [],
  };
  const plain = { doNotTrack: false, preDnat: false, applyOnForward: false };
  const ofHost = (name: string, more: Partial<Policy>): Policy => ({
    ref: { kind: 'GlobalNetworkPolicy', name },
    tier: 'default',
    order: 1,
    subject: { op: 'in', of: 'self', key: 'kind', values: ['host-endpoint'] },
    host: plain,
    ...more,
  });
  const port = (number: number): EndMatch => ({ ports: [{ from: number, to: number }] });
  const enforced = async (...policies: readonly Policy[]): Promise<Enforced> => {
    const pods = new Enforced('routed');
    pods.attach(2, 'open');
    pods.graph.upsertMember(up);
    pods.graph.setLocal(up.key);
    for (const each of policies) pods.graph.upsertPolicy(each);
    await pods.flush();
    return pods;
  };

  test('closes its host but for what policies allow, ports that are never closed, and pods of its own', async () => {
    using pods = await enforced(
      ofHost('web', { ingress: [rule({}, port(80), { protocol: 6 })], egress: [] }),
    );
    const { kernel } = pods;
    for (const family of FAMILIES) {
      const to = NODE_ADDRESSES[family];
      const from = (port_: number): boolean => kernel.passes(tcp(STRANGER[family], to, port_));
      expect([from(80), from(22), from(81)], `IPv${family}`).toEqual([true, true, false]);
      expect(kernel.passes(tcp(addressOf(2, family), to, 81)), `IPv${family} its pod`).toBe(true);
      expect(kernel.passes(tcp(STRANGER[family], addressOf(2, family), 81))).toBe(true);
      kernel.received(undefined);
      kernel.sh(`ping -c1 -W0.1 ${STRANGER[family]} || true; ping -c1 -W0.1 ${addressOf(2, family)} || true`);
      const isEcho = (each: Uint8Array): boolean =>
        family === 4 ? each[0] === 0x45 && each[20] === 8 : each[0] === 0x60 && each[40] === 128;
      expect(kernel.received(undefined).some(isEcho), `IPv${family} out`).toBe(false);
      expect(kernel.received(2).some(isEcho), `IPv${family} to its pod`).toBe(true);
    }
    pods.graph.removeMember(up.key);
    await pods.flush();
    expect(kernel.passes(tcp(STRANGER[4], NODE_ADDRESSES[4], 81))).toBe(true);
    expect(kernel.sh('nft list ruleset')).not.toContain('chain host-');
  });

  test('has policies before addresses are translated, and for what its host forwards', async () => {
    using pods = await enforced(
      ofHost('blocked', {
        host: { ...plain, preDnat: true, applyOnForward: true },
        ingress: [
          rule({ nets: ['192.0.2.0/24', '2001:db8::/32'] }, port(30_080), { protocol: 6, action: 'deny' }),
        ],
      }),
      ofHost('through', {
        host: { ...plain, applyOnForward: true },
        ingress: [rule({}, port(80), { protocol: 6 })],
      }),
    );
    const { kernel } = pods;
    kernel.sh(
      `nft 'table inet service { chain p { type nat hook prerouting priority dstnat
        tcp dport 30080 ip daddr ${NODE_ADDRESSES[4]} dnat ip to ${addressOf(2, 4)}:80
        tcp dport 30080 ip6 daddr ${NODE_ADDRESSES[6]} dnat ip6 to [${addressOf(2, 6)}]:80; }; }'`,
    );
    for (const [family, other] of [
      [4, '198.51.100.1'],
      [6, '2001:db9::1'],
    ] as const) {
      const service = (from: string): boolean => {
        kernel.received(2);
        kernel.passes(tcp(from, NODE_ADDRESSES[family], 30_080));
        return kernel.received(2).length > 0;
      };
      expect([service(STRANGER[family]), service(other)], `IPv${family} service`).toEqual([false, true]);
      const to = addressOf(2, family);
      expect(kernel.passes(tcp(STRANGER[family], to, 80)), `IPv${family} in`).toBe(true);
      expect(kernel.passes(tcp(STRANGER[family], to, 81)), `IPv${family} in`).toBe(false);
      expect(kernel.passes(tcp(to, STRANGER[family], 81)), `IPv${family} out`).toBe(true);
    }
  });

  test('has policies without tracking, for both ways of a flow', async () => {
    const untracked = (more: Partial<Policy>): Policy =>
      ofHost('dns', { host: { ...plain, doNotTrack: true, applyOnForward: true }, ...more });
    using pods = await enforced(
      untracked({
        ingress: [rule({}, port(5353), { protocol: 17 })],
        egress: [rule(port(5353), {}, { protocol: 17 })],
      }),
    );
    const { kernel } = pods;
    kernel.sh(
      `nft 'table inet watch { counter tracked { }; chain o { type filter hook input priority 10; udp dport 5353 ct state != untracked counter name tracked; }; }'`,
    );
    // The answer is one over ICMP, which belongs to no connection here.
    pods.graph.upsertPolicy(
      ofHost('answers', { egress: [rule({}, {}, { protocol: 1 }), rule({}, {}, { protocol: 58 })] }),
    );
    await pods.flush();
    for (const family of FAMILIES) {
      const asked = (to: number): boolean => kernel.passes(udp(STRANGER[family], NODE_ADDRESSES[family], to));
      expect([asked(5353), asked(5354)], `IPv${family}`).toEqual([true, false]);
    }
    expect(kernel.sh('nft list counter inet watch tracked')).toContain('packets 0');
  });
});

describe('a pod with a namespace of its own', () => {
  let world: NetworkWorld | undefined;
  afterEach(async () => {
    await world?.[Symbol.asyncDispose]();
    world = undefined;
  });

  test('is spoken to over TCP, UDP and ICMP as its policies say, and finds its neighbours', async () => {
    world = await NetworkWorld.open();
    const graph = new PolicyGraph();
    const compiler = new PolicyCompiler({ bridge: 'none', flows: true });
    for (const tier of TIERS) graph.upsertTier(tier);
    const nets = [`${POD[4]}/32`, `${POD[6]}/128`];
    graph.upsertMember(pod('shop/web', 1, { app: 'web' }, { nets }));
    compiler.setEndpoint({ key: 'pod shop/web', addresses: [POD[4], POD[6]], link: 'pod0' }, 'closed');
    graph.setLocal('pod shop/web');
    const { loop } = world;
    const flush = async (): Promise<void> => {
      compiler.apply(graph.takeDelta());
      loop.desired.amend(POLICY_PART, compiler.takeAmendment());
      await loop.inPlace(POLICY_PART);
    };
    await using _tcp = await Server.start(world.pod, 'tcp', 7000);
    await using _udp = await Server.start(world.pod, 'udp', 7001);
    await using _far = await Server.start(world.far, 'tcp', 7000);
    const { far, other, pod: inside, node } = world;
    graph.upsertPolicy(
      networkPolicy('shop/web', ['app=web'], {
        ingress: [
          rule(
            { nets: [`${FAR[4]}/32`, `${FAR[6]}/128`] },
            { ports: [{ from: 7000, to: 7001 }] },
            { protocol: 6 },
          ),
          rule(
            { nets: [`${OTHER_POD[4]}/32`, `${OTHER_POD[6]}/128`] },
            { ports: [{ from: 7001, to: 7001 }] },
            { protocol: 17 },
          ),
        ],
        egress: [],
      }),
    );
    await flush();
    world.sh(node, 'ip neigh flush all; ip -6 neigh flush all');
    world.sh(inside, 'ip neigh flush all; ip -6 neigh flush all');
    for (const family of FAMILIES) {
      expect(ask(far, 'tcp', POD[family], 7000), `IPv${family}`).toBe(FAR[family]);
      expect(ask(far, 'udp', POD[family], 7001), `IPv${family}`).toBeUndefined();
      expect(ask(other, 'udp', POD[family], 7001, OTHER_POD[family])).toBe(OTHER_POD[family]);
      expect(pings(far, POD[family], 0.2), `IPv${family} ping`).toBe(false);
      expect(ask(node, 'tcp', POD[family], 7000), `IPv${family} own node`).toBe(GATEWAY[family]);
      expect(pings(node, POD[family])).toBe(true);
      expect(ask(inside, 'tcp', FAR[family], 7000), `IPv${family} out`).toBeUndefined();
      expect(pings(inside, NODE[family], 0.2), `IPv${family} to its node`).toBe(false);
      // With nothing allowed out, and nothing known of neighbours, the answers above found their way.
    }
    graph.removePolicy({ kind: 'NetworkPolicy', namespace: 'shop', name: 'web' });
    await flush();
    for (const family of FAMILIES) {
      expect(ask(inside, 'tcp', FAR[family], 7000), `IPv${family} free`).toBe(POD[family]);
      expect(pings(far, POD[family])).toBe(true);
    }
  });
});
