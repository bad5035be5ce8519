/** Policies on the real kernel, one property a test: who cannot speak for whom, what passes whatever policies say, what becomes of flows. */
import { afterEach, describe, expect, test } from 'vitest';
import { ipBytes } from '#base/ip/index.ts';
import { POLICY_PART, PolicyCompiler } from '#core/policy/compile/index.ts';
import { PolicyGraph } from '#core/policy/engine/index.ts';
import { networkPolicy, pod, rule, select, TIERS } from '#core/policy/engine/scene.fixture.ts';
import type { Flow, Policy } from '#core/policy/index.ts';
import { packetOf } from '#testing/flow-packet.ts';
import { pings } from './cni-world.ts';
import { FAR, GATEWAY, NetworkWorld, NODE, OTHER_POD, POD } from './network-world.ts';
import { addressOf, frame, macOf, NODE_ADDRESSES, PolicyWorld, type WorldMode } from './policy-world.ts';
import { ask, Server } from './talk.ts';

const FAMILIES = [4, 6] as const;
const STRANGER = { 4: '192.0.2.9', 6: '2001:db8::9' } as const;

/** Pods 2, 3, … with the label app=podN, their policies, and the kernel that keeps them. */
class Enforced implements Disposable {
  readonly graph = new PolicyGraph();
  readonly compiler: PolicyCompiler;
  readonly kernel: PolicyWorld;

  constructor(mode: WorldMode) {
    this.kernel = new PolicyWorld(mode);
    this.compiler = new PolicyCompiler({ bridge: mode === 'bridged' ? 'netfilter' : 'none', flows: true });
    for (const tier of TIERS) this.graph.upsertTier(tier);
  }

  attach(number: number, state: 'closed' | 'open' = 'closed'): void {
    const key = `pod shop/pod${number}`;
    this.compiler.setEndpoint(this.kernel.endpoint(key, [addressOf(number, 4), addressOf(number, 6)]), state);
    this.graph.setLocal(key);
  }

  /** The API knows the pod. */
  know(number: number): void {
    const nets = [`${addressOf(number, 4)}/32`, `${addressOf(number, 6)}/128`];
    this.graph.upsertMember(pod(`shop/pod${number}`, number, { app: `pod${number}` }, { nets }));
  }

  isolate(number: number, more: Partial<Policy>): void {
    this.graph.upsertPolicy(networkPolicy(`shop/of-pod${number}`, [`app=pod${number}`], more));
  }

  async flush(): Promise<void> {
    this.compiler.apply(this.graph.takeDelta());
    await this.kernel.amend(this.compiler.takeAmendment());
  }

  [Symbol.dispose](): void {
    this.kernel[Symbol.dispose]();
  }
}

function tcp(source: string, destination: string, destinationPort = 80): Flow {
  return { source, destination, protocol: 6, sourcePort: 40_000, destinationPort };
}

function udp(source: string, destination: string, destinationPort = 80): Flow {
  return { ...tcp(source, destination, destinationPort), protocol: 17 };
}

describe.each<WorldMode>(['routed', 'bridged'])('pods that are %s', (mode) => {
  test('speak from their own addresses, and from no others', async () => {
    using pods = new Enforced(mode);
    const { kernel } = pods;
    for (const number of [2, 3]) pods.attach(number, 'open');
    await pods.flush();
    for (const family of FAMILIES) {
      const to = addressOf(3, family);
      expect(kernel.passes(udp(addressOf(2, family), to)), `IPv${family} its own`).toBe(true);
      for (const other of [addressOf(4, family), NODE_ADDRESSES[family], STRANGER[family]])
        expect(kernel.passes(udp(other, to), { from: 2 }), `IPv${family} ${other}`).toBe(false);
      expect(kernel.passes(udp(addressOf(2, family), STRANGER[family])), `IPv${family} out`).toBe(true);
      expect(kernel.passes(udp(addressOf(3, family), STRANGER[family]), { from: 2 })).toBe(false);
      // Nobody has said that pod 5 is ours.
      expect(kernel.passes(udp(addressOf(6, family), to), { from: 5 }), `IPv${family} others`).toBe(true);
    }
    pods.compiler.removeEndpoint('pod shop/pod2');
    await pods.flush();
    for (const family of FAMILIES)
      expect(kernel.passes(udp(STRANGER[family], addressOf(3, family)), { from: 2 })).toBe(true);
  });

  test('are out of reach as long as nobody knows them, but for their own node', async () => {
    using pods = new Enforced(mode);
    const { kernel } = pods;
    pods.attach(2, 'closed');
    pods.attach(3, 'open');
    await pods.flush();
    const [from, to] = [addressOf(2, 4), addressOf(2, 6)];
    for (const family of FAMILIES) {
      const [unknown, open] = [addressOf(2, family), addressOf(3, family)];
      expect(kernel.passes(tcp(unknown, open)), `IPv${family} from it`).toBe(false);
      expect(kernel.passes(tcp(open, unknown)), `IPv${family} to it`).toBe(false);
      expect(kernel.passes(tcp(STRANGER[family], unknown))).toBe(false);
      expect(kernel.passes(tcp(unknown, NODE_ADDRESSES[family]))).toBe(false);
      expect(kernel.passes(tcp(open, STRANGER[family]))).toBe(true);
    }
    kernel.received(2);
    kernel.sh(`ping -c1 -W0.1 ${from} || true; ping -c1 -W0.1 ${to} || true`);
    const probes = kernel.received(2).map((bytes) => (mode === 'bridged' ? bytes.subarray(14) : bytes));
    expect(probes.filter((bytes) => bytes[0] === 0x45 && bytes[9] === 1)).toHaveLength(1);
    expect(probes.filter((bytes) => bytes[0] === 0x60 && bytes[40] === 128)).toHaveLength(1);
    pods.know(2);
    await pods.flush();
    for (const family of FAMILIES)
      expect(kernel.passes(tcp(STRANGER[family], addressOf(2, family)))).toBe(true);
  });

  test('reach themselves by a service, whatever policies say, and others by it as policies say', async () => {
    using pods = new Enforced(mode);
    const { kernel } = pods;
    for (const number of [2, 3]) {
      pods.attach(number);
      pods.know(number);
      pods.isolate(number, { ingress: [], egress: [] });
    }
    await pods.flush();
    kernel.sh(`nft -f - <<'END'
table inet service {
  chain p { type nat hook prerouting priority dstnat
    ip daddr 10.96.0.1 dnat ip to ${addressOf(2, 4)}
    ip6 daddr fd96::1 dnat ip6 to ${addressOf(2, 6)}
  }
}
END`);
    for (const [family, service] of [
      [4, '10.96.0.1'],
      [6, 'fd96::1'],
    ] as const) {
      const arrives = (from: number): boolean => {
        kernel.received(2);
        kernel.passes(udp(addressOf(from, family), service));
        const wanted = Buffer.from(ipBytes(addressOf(from, family)));
        return kernel.received(2).some((bytes) => Buffer.from(bytes).includes(wanted));
      };
      expect([arrives(2), arrives(3)], `IPv${family}`).toEqual([true, false]);
    }
    pods.isolate(3, { egress: [rule({}, { selector: select('app=pod2') })] });
    pods.isolate(2, { ingress: [rule({ selector: select('app=pod3') })] });
    await pods.flush();
    expect(kernel.passes(udp(addressOf(3, 4), addressOf(2, 4)))).toBe(true);
  });

  test('keep a flow that was allowed when it began, until it is marked to be cut', async () => {
    using pods = new Enforced(mode);
    const { kernel } = pods;
    pods.attach(2);
    pods.know(2);
    await pods.flush();
    for (const family of FAMILIES) {
      const out = udp(addressOf(2, family), STRANGER[family]);
      const back: Flow = { ...udp(STRANGER[family], addressOf(2, family), 40_000), sourcePort: 80 };
      expect([kernel.passes(out), kernel.passes(back)], `IPv${family}`).toEqual([true, true]);
    }
    pods.isolate(2, { ingress: [], egress: [] });
    await pods.flush();
    for (const family of FAMILIES) {
      const out = udp(addressOf(2, family), STRANGER[family]);
      const back: Flow = { ...udp(STRANGER[family], addressOf(2, family), 40_000), sourcePort: 80 };
      expect([kernel.passes(out), kernel.passes(back)], `IPv${family} kept`).toEqual([true, true]);
      expect(kernel.passes({ ...out, destinationPort: 81 }), `IPv${family} new`).toBe(false);
    }
    kernel.sh(
      `nft 'table inet cut { chain p { type filter hook prerouting priority 0; ct mark set ct mark | 0x00800000; }; }'`,
    );
    for (const family of FAMILIES)
      expect(kernel.passes(udp(addressOf(2, family), STRANGER[family])), `IPv${family} cut`).toBe(false);
  });

  test('have rules with other sets when a net is among the addresses of one, and again when it is not', async () => {
    using pods = new Enforced(mode);
    const { kernel } = pods;
    for (const number of [2, 3, 4]) {
      pods.attach(number);
      pods.know(number);
    }
    const partners = { ...pod('shop/partners', 9, { app: 'pod3' }), key: 'set shop/partners' };
    const reach = (): boolean[] =>
      FAMILIES.flatMap((family) =>
        [addressOf(3, family), addressOf(4, family), STRANGER[family]].map((from) =>
          kernel.passes(tcp(from, addressOf(2, family))),
        ),
      );
    pods.isolate(2, { ingress: [rule({ selector: select('app=pod3') })] });
    await pods.flush();
    expect(reach()).toEqual([true, false, false, true, false, false]);
    pods.graph.upsertMember({
      ...partners,
      kind: 'network-set',
      nets: ['192.0.2.0/24', '192.0.2.9/32', '10.1.1.3/32', '2001:db8::/32'],
    });
    await pods.flush();
    expect(reach()).toEqual([true, false, true, true, false, true]);
    pods.graph.upsertMember({ ...partners, kind: 'network-set', nets: ['192.0.2.9/32'] });
    await pods.flush();
    expect(reach()).toEqual([true, false, true, true, false, false]);
    pods.graph.removeMember(partners.key);
    await pods.flush();
    expect(reach()).toEqual([true, false, false, true, false, false]);
  });

  test('leave nothing of theirs behind', async () => {
    using pods = new Enforced(mode);
    const { kernel } = pods;
    await pods.flush();
    const before = kernel.sh('nft list ruleset');
    for (const number of [2, 3]) {
      pods.attach(number);
      pods.know(number);
      pods.isolate(number, {
        ingress: [rule({ nets: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.0/24'] })],
        egress: [
          rule({}, { ports: [{ from: 1, to: 2 }, { from: 5, to: 5 }, { name: 'http' }] }, { protocol: 6 }),
        ],
      });
      await pods.flush();
    }
    expect(kernel.sh('nft list ruleset')).not.toBe(before);
    for (const number of [2, 3]) {
      pods.compiler.removeEndpoint(`pod shop/pod${number}`);
      pods.graph.unsetLocal(`pod shop/pod${number}`);
      await pods.flush();
    }
    expect(kernel.sh('nft list ruleset')).toBe(before);
  });
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
