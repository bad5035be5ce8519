/** The kernel's log of packets and of flows that begin and end, with packets, in both families. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { decodeFlowEvent, FLOW_EVENT_GROUPS, type FlowEvent } from '#core/netlink/conntrack/index.ts';
import { decodePacketFlow, type LoggedPacket } from '#core/netlink/log/index.ts';
import { type EndedFlow, followEndedFlows, PacketLog } from '#io/flow-log/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { NETLINK_NETFILTER, NetlinkMonitor } from '#io/netlink/index.ts';
import { pings } from './cni-world.ts';
import { FAMILIES, FLOW_FAR, FLOW_POD, FlowWorld, send } from './flow-world.ts';
import { NamespaceFolder } from './namespace-folder.ts';

const GROUP = 7;
const PORT = 8080;
const RULES = `
  table inet flows {
    chain forward {
      type filter hook forward priority 0; policy accept;
      ct state new log group ${GROUP} prefix "poplin:iA0123456789abcdef"
      udp dport ${PORT + 1} log group ${GROUP + 1} prefix "flood" drop
    }
  }`;

let world: FlowWorld;
beforeEach(async () => {
  world = await FlowWorld.open();
  world.nft(RULES);
  await world.serve(world.pod, PORT);
});
afterEach(() => world?.[Symbol.asyncDispose]());

const failing = (error: unknown) => {
  throw error;
};

test.each(FAMILIES)(
  'over IPv%i the first packet of each flow is told of, with its prefix and links',
  async (family) => {
    const packets: LoggedPacket[] = [];
    using _log = PacketLog.open({
      namespace: world.namespace,
      group: GROUP,
      onPackets: (more) => packets.push(...more),
      onLost: failing,
      onError: failing,
    });
    const [source, destination] = [FLOW_FAR[family], FLOW_POD[family]];
    for (const kind of ['tcp', 'udp', 'ping'] as const) send(world.far, kind, destination, PORT);
    const isOurs = ({ payload }: LoggedPacket) => decodePacketFlow(payload).source === source;
    await vi.waitUntil(() => packets.filter(isOurs).length >= 3, { timeout: 5000 });
    const link = (name: string) => Number.parseInt(world.sh(world.node, `ip -o link show ${name}`), 10);
    const ends = { source, destination };
    const port = { sourcePort: expect.any(Number) as number, destinationPort: PORT };
    const ping =
      family === 4
        ? { protocol: 1, icmp: { type: 8, code: 0 } }
        : { protocol: 58, icmp: { type: 128, code: 0 } };
    expect(packets.filter(isOurs).map(({ payload }) => decodePacketFlow(payload))).toEqual([
      { ...ends, protocol: 6, ...port },
      { ...ends, protocol: 17, ...port },
      { ...ends, ...ping },
    ]);
    expect(packets.find(isOurs)).toMatchObject({
      group: GROUP,
      prefix: 'poplin:iA0123456789abcdef',
      etherType: family === 4 ? 0x0800 : 0x86dd,
      inputLink: link('far0'),
      outputLink: link('pod0'),
    });
  },
);

test('a group has one listener, and is free again when that one goes', () => {
  const open = () =>
    PacketLog.open({
      namespace: world.namespace,
      group: GROUP,
      onPackets: failing,
      onLost: failing,
      onError: failing,
    });
  {
    using _first = open();
    expect(open).toThrow(
      'packet log, group 7: operation not permitted (EPERM): another process listens to it, or CAP_NET_ADMIN is missing',
    );
  }
  using _second = open();
});

test('of a flood some packets are lost, and every one of these is counted', async () => {
  let sent = 5000;
  const seen = { packets: 0, lost: 0 };
  using _log = PacketLog.open({
    namespace: world.namespace,
    group: GROUP + 1,
    receiveBufferBytes: 64 * 1024,
    onPackets: ({ length }) => (seen.packets += length),
    onLost: (lost) => (seen.lost += lost),
    onError: failing,
  });
  // All of it comes while nothing is read.
  send(world.far, 'udp', FLOW_POD[4], PORT + 1, sent);
  await vi.waitUntil(() => seen.packets > 0, { timeout: 5000 });
  // What is lost last is known from the next packet that is not.
  await vi.waitUntil(
    () => {
      send(world.far, 'udp', FLOW_POD[6], PORT + 1);
      sent++;
      return seen.lost > 0;
    },
    { timeout: 5000, interval: 200 },
  );
  await vi.waitUntil(() => seen.packets + seen.lost === sent, { timeout: 5000 });
});

test.each(FAMILIES)(
  'over IPv%i flows are told of when they begin, change and end, and what was in them',
  async (family) => {
    world.sh(
      world.node,
      'sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1',
    );
    const events: FlowEvent[] = [];
    const ended: EndedFlow[] = [];
    using _events = NetlinkMonitor.open({
      protocol: NETLINK_NETFILTER,
      namespace: world.namespace,
      groups: Object.values(FLOW_EVENT_GROUPS),
      onMessages: (messages) => events.push(...messages.flatMap((each) => decodeFlowEvent(each) ?? [])),
      onLost: () => failing(new Error('lost')),
    });
    using _ended = followEndedFlows({
      namespace: world.namespace,
      onEnded: (flows) => ended.push(...flows),
      onLost: () => failing(new Error('lost')),
    });
    const [source, destination] = [FLOW_FAR[family], FLOW_POD[family]];
    send(world.far, 'tcp', destination, PORT);
    world.sh(world.node, 'conntrack -F 2>/dev/null');
    const isOurs = ({ flow }: EndedFlow) => flow.source === source;
    await vi.waitUntil(() => ended.some(isOurs), { timeout: 5000 });
    expect(ended.filter(isOurs)).toEqual([
      {
        flow: { source, destination, protocol: 6, sourcePort: expect.any(Number), destinationPort: PORT },
        packets: expect.any(Number),
        bytes: expect.any(Number),
        durationMs: expect.any(Number),
      },
    ]);
    const { packets = 0, bytes = 0 } = ended.find(isOurs) ?? {};
    expect(packets).toBeGreaterThan(4);
    expect(bytes).toBeGreaterThan(packets * 40);
    const kinds = events.filter(({ flow }) => flow.original.source === source).map(({ event }) => event);
    expect([kinds[0], kinds.at(-1)]).toEqual(['new', 'destroy']);
    expect(kinds).toContain('update');
  },
);

test('packets that pass a bridge are told of alike', async () => {
  using folder = new NamespaceFolder('flows');
  const [node, one, two] = ['node', 'one', 'two'].map((name) => folder.make(name)) as [
    Namespace,
    Namespace,
    Namespace,
  ];
  const ends = { one: { 4: '10.52.0.1', 6: 'fd52::1' }, two: { 4: '10.52.0.2', 6: 'fd52::2' } } as const;
  world.sh(node.path, 'ip link add br0 type bridge; ip link set br0 up');
  for (const [name, { path }] of [
    ['one', one],
    ['two', two],
  ] as const) {
    world.sh(
      node.path,
      `ip link add ${name} type veth peer name eth0 netns ${path}; ip link set ${name} master br0 up`,
    );
    world.sh(
      path,
      `ip address add ${ends[name][4]}/24 dev eth0; ip address add ${ends[name][6]}/64 dev eth0 nodad; ip link set eth0 up`,
    );
  }
  for (const family of FAMILIES)
    await vi.waitUntil(() => pings(one.path, ends.two[family]), { timeout: 10_000, interval: 20 });
  const rules = `
    table bridge flows {
      chain forward {
        type filter hook forward priority -200; policy accept;
        meta l4proto udp log group ${GROUP} prefix "bridged" drop
      }
    }`;
  world.sh(node.path, `nft -f - <<'END'\n${rules}\nEND`);
  const packets: LoggedPacket[] = [];
  using _log = PacketLog.open({
    namespace: node,
    group: GROUP,
    onPackets: (more) => packets.push(...more),
    onLost: failing,
    onError: failing,
  });
  for (const family of FAMILIES) send(one.path, 'udp', ends.two[family], PORT);
  await vi.waitUntil(() => packets.length >= 2, { timeout: 5000 });
  expect(packets.map(({ prefix, payload }) => [prefix, decodePacketFlow(payload)])).toEqual(
    FAMILIES.map((family) => [
      'bridged',
      {
        source: ends.one[family],
        destination: ends.two[family],
        protocol: 17,
        sourcePort: expect.any(Number),
        destinationPort: PORT,
      },
    ]),
  );
});
