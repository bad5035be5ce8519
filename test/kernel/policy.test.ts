/** Policies on the real kernel: who cannot speak for whom, what passes whatever policies say, what becomes of flows. */
import { afterEach, describe, expect, test } from 'vitest';
import { ipBytes } from '#base/ip/index.ts';
import { POLICY_PART, PolicyCompiler } from '#core/policy/compile/index.ts';
import { PolicyGraph } from '#core/policy/engine/index.ts';
import { networkPolicy, pod, rule, TIERS } from '#core/policy/engine/scene.fixture.ts';
import { packetOf } from '#testing/flow-packet.ts';
import { pings } from './cni-world.ts';
import { FAR, GATEWAY, NetworkWorld, NODE, OTHER_POD, POD } from './network-world.ts';
import { Enforced, policyContract } from './policy-contract.ts';
import { addressOf, frame, macOf } from './policy-world.ts';
import { ask, Server } from './talk.ts';

const FAMILIES = [4, 6] as const;

policyContract('routed');
policyContract('bridged');

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

  test('say of no other address that it is theirs, and nothing but IP and ARP', async () => {
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
