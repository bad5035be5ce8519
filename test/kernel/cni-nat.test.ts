/** ipMasq and portmap on the real kernel: who reaches whom, with which source address, in both families; and what is left afterwards. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, CniWorld, HOST } from './cni-world.ts';
import { ask, Server, type Transport } from './talk.ts';

const FAR = { 4: '192.168.70.9', 6: 'fd70::9' } as const;
const ipam = {
  type: 'host-local',
  ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};
const NETWORKS = [
  // Where br_netfilter is at work, a pod reaches itself through its own port: that is for hairpinMode, as with the reference plugin.
  [
    'bridge',
    { cniVersion: '1.1.0', name: 'natted', type: 'bridge', isGateway: true, hairpinMode: true, ipam },
  ],
  ['ptp', { cniVersion: '1.1.0', name: 'natted', type: 'ptp', ipam }],
] as const;
type Config = (typeof NETWORKS)[number][1];

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
  // A neighbour of the host that knows nothing of pods.
  world.sh(`
    ip link add far0 type veth peer name eth0 netns ${world.pod('far')}
    ip link set far0 master uplink up`);
  world.inPod(
    'far',
    `ip link set lo up; ip link set eth0 up
     ip address add ${FAR[4]}/24 dev eth0; ip address add ${FAR[6]}/64 dev eth0 nodad`,
  );
});
afterEach(() => world[Symbol.asyncDispose]());

async function add(
  config: { readonly type: string; readonly ipMasq?: boolean },
  pod: string,
): Promise<Answer['json']> {
  world.pod(pod);
  const { exitStatus, json } = await world.call(config.type, 'ADD', pod, config);
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return json;
}

const portmap = (
  config: Config,
  prevResult: unknown,
  portMappings: readonly object[],
  more: object = {},
) => ({
  cniVersion: '1.1.0',
  name: config.name,
  type: 'portmap',
  prevResult,
  runtimeConfig: { portMappings },
  ...more,
});

const tables = () => world.sh('nft list ruleset');

describe.for(NETWORKS)('ipMasq of %s', ([plugin, config]) => {
  test('gives what leaves the network the host’s address, and nothing else', async () => {
    await add({ ...config, ipMasq: true }, 'a');
    await add(config, 'plain');
    await add({ ...config, ipMasq: true }, 'b');
    await using _far = await Server.start(world.pod('far'), 'tcp', 7000);
    await using _pod = await Server.start(world.pod('b'), 'tcp', 7000);
    for (const family of [4, 6] as const) {
      const [own, other] = family === 4 ? ['10.71.0.2', '10.71.0.4'] : ['fd71::2', 'fd71::4'];
      expect(ask(world.pod('a'), 'tcp', FAR[family], 7000), `IPv${family} out`).toBe(HOST[family]);
      expect(ask(world.pod('plain'), 'tcp', FAR[family], 7000), `IPv${family} plain`).toBeUndefined();
      expect(ask(world.pod('a'), 'tcp', other, 7000), `IPv${family} inside`).toBe(own);
    }
    const rules = tables();
    expect(rules).toContain('ip saddr vmap @masqueraded4');
    expect(rules.match(/10\.71\.0\.\d+ : jump masquerade-10\.71\.0\.0\/24/g)).toHaveLength(2);
    for (const pod of ['a', 'b', 'plain']) await world.call(plugin, 'DEL', pod, config);
    expect(tables()).toBe('');
  });

  test('comes back when somebody flushes the ruleset, and goes with the pod', async () => {
    await add({ ...config, ipMasq: true }, 'a');
    const before = tables();
    world.sh('nft flush ruleset');
    await expect.poll(tables, { timeout: 5000, interval: 20 }).toBe(before);
    world.removePod('a');
    await expect.poll(tables, { timeout: 5000, interval: 20 }).toBe('');
  });
});

describe.for(NETWORKS)('portmap behind %s', ([plugin, config]) => {
  const mappings = [
    { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
    { HostPort: 8053, ContainerPort: 53, Protocol: 'udp', HostIP: '' },
  ];

  test.for(['tcp', 'udp'] as const)('leads %s to the pod from everywhere', async (transport) => {
    const prevResult = await add(config, 'a');
    await add(config, 'b');
    const request = portmap(config, prevResult, mappings);
    expect(await add({ ...request, type: 'portmap' }, 'a')).toEqual(prevResult);
    const [hostPort, port] = transport === 'tcp' ? [8080, 80] : [8053, 53];
    await using _server = await Server.start(world.pod('a'), transport, port);
    for (const family of [4, 6] as const) {
      const own = family === 4 ? '10.71.0.2' : 'fd71::2';
      const sibling = family === 4 ? '10.71.0.3' : 'fd71::3';
      const from = (netns: string, host: string = HOST[family]) => ask(netns, transport, host, hostPort);
      expect(from(world.pod('far')), `IPv${family} from outside, its own source kept`).toBe(FAR[family]);
      expect(from(world.host), `IPv${family} from the host`).toBeDefined();
      expect(from(world.host, own), 'the pod has no such port').toBeUndefined();
      // Answers would not pass the host: the source is changed, to that of the host towards the pod.
      const seen = from(world.pod('b'));
      expect(seen, `IPv${family} from the same network`).toBeDefined();
      expect(seen).not.toBe(sibling);
      expect(from(world.pod('a')), `IPv${family} from the pod itself`).toBeDefined();
    }
    expect(ask(world.host, transport, '127.0.0.1', hostPort), 'from the loopback address').toBeDefined();
    expect((await world.call('portmap', 'CHECK', 'a', { ...request, prevResult })).exitStatus).toBe(0);
  });

  test('comes back after a flush, CHECK names what is missing, and DEL leaves nothing, also twice', async () => {
    const prevResult = await add(config, 'a');
    const request = portmap(config, prevResult, mappings);
    const without = tables();
    await add({ ...request, type: 'portmap' }, 'a');
    const before = tables();
    expect(before).not.toBe(without);
    world.sh('nft flush ruleset');
    await expect.poll(tables, { timeout: 5000, interval: 20 }).toBe(before);
    for (let round = 0; round < 2; round++)
      expect((await world.call('portmap', 'DEL', 'a', request)).exitStatus).toBe(0);
    expect(tables()).toBe(without);
    expect(world.recorded()).toHaveLength(1);
    expect((await world.call(plugin, 'DEL', 'a', config)).exitStatus).toBe(0);
    expect(world.recorded()).toEqual([]);
  });

  test('goes with the pod when no DEL comes, and survives a restart of the agent', async () => {
    const prevResult = await add(config, 'a');
    await add({ ...portmap(config, prevResult, mappings), type: 'portmap' }, 'a');
    const before = tables();
    await world.stop();
    await world.start();
    expect(tables()).toBe(before);
    world.sh('nft delete table inet poplin-cni');
    await expect.poll(tables, { timeout: 5000, interval: 20 }).toBe(before);
    world.removePod('a');
    await expect.poll(() => [tables(), world.recorded()], { timeout: 5000, interval: 20 }).toEqual(['', []]);
  });

  test('a port that is taken is refused by its owner’s name, and free again when that is gone', async () => {
    const one = [mappings[0] as object];
    const first = await add(config, 'a');
    await add({ ...portmap(config, first, one), type: 'portmap' }, 'a');
    const second = await add(config, 'b');
    const request = portmap(config, second, one);
    const refused = await world.call('portmap', 'ADD', 'b', request);
    expect(refused.json).toMatchObject({
      code: 113,
      msg: 'host port 8080/tcp is in use',
      details: expect.stringContaining('poplin:cni:natted/container-a/eth0'),
    });
    // Another address of the host is another port.
    await add({ ...portmap(config, second, [{ ...one[0], hostIP: HOST[4] }]), type: 'portmap' }, 'b');
    await world.call('portmap', 'DEL', 'b', request);
    await world.call('portmap', 'DEL', 'a', portmap(config, first, one));
    await add({ ...request, type: 'portmap' }, 'b');
  });

  test('GC ends mappings of containers that are not valid', async () => {
    for (const [at, pod] of ['a', 'b'].entries()) {
      const prevResult = await add(config, pod);
      const mapping = { hostPort: 8080 + at, containerPort: 80, protocol: 'tcp' };
      await add({ ...portmap(config, prevResult, [mapping]), type: 'portmap' }, pod);
    }
    const gc = {
      ...portmap(config, undefined, []),
      'cni.dev/valid-attachments': [{ containerID: 'container-b', ifname: 'eth0' }],
    };
    expect((await world.call('portmap', 'GC', 'a', gc)).exitStatus).toBe(0);
    expect(tables()).toMatch(/tcp \. 8081/);
    expect(tables()).not.toMatch(/tcp \. 8080/);
  });
});

describe('portmap', () => {
  const [, config] = NETWORKS[0];
  async function mapped(portMappings: readonly object[], more: object = {}): Promise<Answer> {
    const prevResult = await add(config, 'a');
    return world.call('portmap', 'ADD', 'a', portmap(config, prevResult, portMappings, more));
  }

  test('on one address of the host leads from that alone', async () => {
    world.sh(`ip address add 192.168.70.2/24 dev uplink; ip address add fd70::2/64 dev uplink nodad`);
    const at = (hostIP: string) => ({ hostPort: 8080, containerPort: 80, protocol: 'TCP', hostIP });
    expect((await mapped([at('192.168.70.2'), at('fd70::2')])).exitStatus).toBe(0);
    await using _server = await Server.start(world.pod('a'), 'tcp', 80);
    for (const [address, seen] of [
      ['192.168.70.2', FAR[4]],
      ['fd70::2', FAR[6]],
      [HOST[4], undefined],
      [HOST[6], undefined],
    ] as const)
      expect(ask(world.pod('far'), 'tcp', address, 8080), address).toBe(seen);
  });

  test('on the unspecified address of a family leads in that family alone', async () => {
    const mapping = { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '0.0.0.0' };
    expect((await mapped([mapping])).exitStatus).toBe(0);
    await using _server = await Server.start(world.pod('a'), 'tcp', 80);
    expect(ask(world.pod('far'), 'tcp', HOST[4], 8080)).toBe(FAR[4]);
    expect(ask(world.pod('far'), 'tcp', HOST[6], 8080)).toBeUndefined();
  });

  test('under conditions leads only those that meet them, in either family’s words', async () => {
    const more = {
      conditionsV4: ['!', '-s', '192.168.70.9'],
      conditionsV6: ['ip6', 'saddr', '!=', 'fd70::9', 'iifname', 'uplink'],
    };
    expect((await mapped([{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }], more)).exitStatus).toBe(0);
    await using _server = await Server.start(world.pod('a'), 'tcp', 80);
    world.inPod('far', 'ip address add 192.168.70.10/24 dev eth0; ip address add fd70::10/64 dev eth0 nodad');
    for (const [host, refused, welcome] of [
      [HOST[4], '192.168.70.9', '192.168.70.10'],
      [HOST[6], 'fd70::9', 'fd70::10'],
    ] as const) {
      expect(ask(world.pod('far'), 'tcp', host, 8080, refused), refused).toBeUndefined();
      expect(ask(world.pod('far'), 'tcp', host, 8080, welcome), welcome).toBe(welcome);
    }
  });

  test('with masqAll hides every source, without snat none', async () => {
    const mapping = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
    expect((await mapped(mapping, { masqAll: true })).exitStatus).toBe(0);
    await using _server = await Server.start(world.pod('a'), 'tcp', 80);
    for (const family of [4, 6] as const) {
      const gateway = family === 4 ? '10.71.0.1' : 'fd71::1';
      expect(ask(world.pod('far'), 'tcp', HOST[family], 8080)).toBe(gateway);
    }
    await world.call('portmap', 'DEL', 'a', portmap(config, undefined, mapping));
    const prevResult = { cniVersion: '1.1.0', ips: [{ address: '10.71.0.2/24' }, { address: 'fd71::2/64' }] };
    const plain = portmap(config, prevResult, mapping, { snat: false });
    expect((await world.call('portmap', 'ADD', 'a', plain)).exitStatus).toBe(0);
    expect(tables()).not.toContain('jump hostport-sources');
    for (const family of [4, 6] as const)
      expect(ask(world.pod('far'), 'tcp', HOST[family], 8080)).toBe(FAR[family]);
  });

  test('takes over from whoever was asked at a UDP port before, and gives back, though the asker goes on', async () => {
    const prevResult = await add(config, 'a');
    const request = portmap(config, prevResult, [{ hostPort: 5353, containerPort: 53, protocol: 'udp' }]);
    await using _server = await Server.start(world.pod('a'), 'udp', 53);
    // Nobody listens there: the entries stay, and with them the way the packets go.
    const send = (family: 4 | 6) => ask(world.pod('far'), 'udp', HOST[family], 5353, FAR[family], 4000);
    const entries = () =>
      world.sh(
        'conntrack -L -p udp --orig-port-dst 5353 2>/dev/null; conntrack -L -f ipv6 -p udp --orig-port-dst 5353 2>/dev/null',
      );
    world.sh(
      `nft 'table inet other { chain input { type filter hook input priority 0; ct state new counter; }; }'`,
    );
    for (const family of [4, 6] as const) expect(send(family)).toBeUndefined();
    await add({ ...request, type: 'portmap' }, 'a');
    for (const family of [4, 6] as const) expect(send(family), `IPv${family} after ADD`).toBe(FAR[family]);
    expect(entries()).toContain('10.71.0.2');
    // A server elsewhere at the same port has nothing to do with it.
    ask(world.pod('a'), 'udp', FAR[4], 5353);
    expect((await world.call('portmap', 'DEL', 'a', request)).exitStatus).toBe(0);
    expect(entries()).not.toMatch(/src=10\.71\.0\.2 dst=192\.168\.70\.9 sport=53 |fd71::2/);
    expect(entries()).toMatch(/dst=192\.168\.70\.9 sport=\d+ dport=5353/);
  });

  test('forgets UDP flows of a pod that vanishes without a DEL', async () => {
    const prevResult = await add(config, 'a');
    const request = portmap(config, prevResult, [{ hostPort: 5353, containerPort: 53, protocol: 'udp' }]);
    await add({ ...request, type: 'portmap' }, 'a');
    const server = await Server.start(world.pod('a'), 'udp', 53);
    const entries = () =>
      world.sh('for f in ipv4 ipv6; do conntrack -L -f $f -p udp --orig-port-dst 5353 2>/dev/null; done');
    for (const family of [4, 6] as const)
      expect(ask(world.pod('far'), 'udp', HOST[family], 5353)).toBe(FAR[family]);
    expect(entries()).toMatch(/10\.71\.0\.2[^]*fd71::2/);
    await server[Symbol.asyncDispose]();
    world.removePod('a');
    await expect.poll(entries, { timeout: 5000, interval: 50 }).toBe('');
  });

  test('lets nobody but the host reach its loopback addresses', async () => {
    expect((await mapped([{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }])).exitStatus).toBe(0);
    expect(world.sh('cat /proc/sys/net/ipv4/conf/cni0/route_localnet').trim()).toBe('1');
    await using _secret = await Server.start(world.host, 'tcp', 7777);
    world.inPod(
      'a',
      'ip route add 127.0.0.9/32 via 10.71.0.1; ip route flush table local; ip route add local 10.71.0.2 dev eth0 table local',
    );
    expect(ask(world.pod('a'), 'tcp', '10.71.0.1', 7777), 'the server itself answers').toBe('10.71.0.2');
    expect(ask(world.pod('a'), 'tcp', '127.0.0.9', 7777)).toBeUndefined();
  });

  test.each<[string, readonly object[], object, number, RegExp]>([
    [
      'a port that is none',
      [{ hostPort: 80000, containerPort: 80, protocol: 'tcp' }],
      {},
      7,
      /portMappings\[0\].*hostPort/,
    ],
    ['a protocol that is none', [{ hostPort: 80, containerPort: 80, protocol: 'icmp' }], {}, 7, /protocol/],
    [
      'an address that is none',
      [{ hostPort: 80, containerPort: 80, hostIP: 'here' }],
      {},
      7,
      /hostIP \W+here/,
    ],
    [
      'the same port twice',
      [
        { hostPort: 80, containerPort: 80 },
        { hostPort: 80, containerPort: 81 },
      ],
      {},
      7,
      /80\/tcp is mapped twice/,
    ],
    [
      'a condition without equal',
      [],
      { conditionsV4: ['-m', 'statistic'] },
      2,
      /unsupported field \W+conditionsV4/,
    ],
    ['two ways to mark', [], { markMasqBit: 5, externalSetMarkChain: 'X' }, 7, /cannot specify/],
  ])('refuses %s', async (_name, portMappings, more, code, message) => {
    const { json } = await mapped(portMappings, more);
    expect(json?.['code']).toBe(code);
    expect(JSON.stringify(json)).toMatch(message);
    expect(world.recorded()).toHaveLength(1);
    expect(tables()).toBe('');
  });

  test('without mappings passes the result on and makes nothing', async () => {
    const { exitStatus, json } = await mapped([{ hostPort: 0, containerPort: 80, protocol: 'tcp' }]);
    expect([exitStatus, json?.['cniVersion']]).toEqual([0, '1.1.0']);
    expect(tables()).toBe('');
  });
});

const TRANSPORTS: readonly Transport[] = ['tcp', 'udp', 'sctp'];
test('SCTP has its element like the others', async () => {
  const [, config] = NETWORKS[0];
  const prevResult = await add(config, 'a');
  const mappings = TRANSPORTS.map((protocol) => ({ hostPort: 9000, containerPort: 9, protocol }));
  await add({ ...portmap(config, prevResult, mappings), type: 'portmap' }, 'a');
  for (const transport of TRANSPORTS)
    expect(tables()).toMatch(new RegExp(`${transport} \\. 9000 .*10\\.71\\.0\\.2 \\. 9`));
});
