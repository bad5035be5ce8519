/** What must not harm a running pod, nor the host: lost records, renamed links, late DELs, router advertisements. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { delay } from '#base/clock.ts';
import { systemClock } from '#io/clock/index.ts';
import { CniWorld, inNetns, pings } from './cni-world.ts';

const POPLIN = { cniVersion: '1.1.0', name: 'pods', type: 'poplin' };
const BRIDGE = {
  cniVersion: '1.1.0',
  name: 'bridged',
  type: 'bridge',
  isDefaultGateway: true,
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]] },
};
const CONFIGS = [
  ['poplin', POPLIN],
  ['bridge', BRIDGE],
] as const;

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

async function attach(config: { type: string }, pod: string): Promise<string[]> {
  world.pod(pod);
  const { exitStatus, json } = await world.call(config.type, 'ADD', pod, config);
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return ((json ?? {})['ips'] as { address: string }[]).map(({ address }) => address.replace(/\/\d+$/, ''));
}

/** Sends a router advertisement for a default route to all nodes, from a link-local address of its own. */
function advertiseRouter(netns: string): void {
  const script = [
    'import socket, struct',
    "mac = bytes.fromhex('02000000aa01')",
    "source = socket.inet_pton(socket.AF_INET6, 'fe80::aa')",
    "target = socket.inet_pton(socket.AF_INET6, 'ff02::1')",
    "body = struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0) + b'\\x01\\x01' + mac",
    "pseudo = source + target + struct.pack('!II', len(body), 58) + body",
    "total = sum(struct.unpack('!%dH' % (len(pseudo) // 2), pseudo))",
    'while total >> 16: total = (total & 0xffff) + (total >> 16)',
    "body = body[:2] + struct.pack('!H', ~total & 0xffff) + body[4:]",
    "header = struct.pack('!IHBB', 6 << 28, len(body), 58, 255) + source + target",
    "frame = bytes.fromhex('333300000001') + mac + b'\\x86\\xdd' + header + body",
    's = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)',
    "s.bind(('eth0', 0))",
    's.send(frame)',
  ];
  inNetns(netns, 'python3', '-c', script.join('\n'));
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 5000; !holds(); ) {
    if (performance.now() > deadline) throw new Error(`not within 5 s: ${what}`);
    await delay(systemClock, 5);
  }
}

/** The host's link of the pod, by its alias. */
function linkOf(pod: string): string {
  const lines = world.sh('ip -o link').split('\n');
  const line = lines.find((each) => each.includes(`/container-${pod}/eth0`));
  return /^\d+: ([^@:]+)/.exec(line ?? '')?.[1] ?? '';
}

describe.for(CONFIGS)('a running pod of %s', ([plugin, config]) => {
  test.for(['', '{', '{}', '{"part":"poplin:cni:x","objects":[{"kind":"route"}],"attachment":{}}'])(
    'outlives its record becoming %j',
    async (text) => {
      const [ipv4 = '', ipv6 = ''] = await attach(config, 'a');
      const before = world.hostText();
      await world.stop();
      const folder = join(world.folder, 'attachments');
      for (const name of readdirSync(folder)) writeFileSync(join(folder, name), text);
      mkdirSync(join(folder, 'x.json'));
      await world.start();
      await world.loop.inPlace('nothing');
      expect(world.hostText()).toBe(before);
      for (const address of [ipv4, ipv6]) expect(pings(world.host, address)).toBe(true);
      expect(readdirSync(folder).every((name) => name.endsWith('.damaged'))).toBe(true);
      expect((await world.call(plugin, 'DEL', 'a', config)).exitStatus).toBe(0);
      expect(world.reserved(config.name)).toEqual([]);
      expect(linkOf('a')).toBe('');
    },
  );

  test('outlives the renaming of its link, while the agent runs and while it does not', async () => {
    const [ipv4 = '', ipv6 = ''] = await attach(config, 'a');
    const old = linkOf('a');
    world.sh(`ip link set ${old} name mine0`);
    await until('the new name is known', () => JSON.stringify(world.objectsRecorded()).includes('mine0'));
    await world.loop.inPlace('nothing');
    for (const address of [ipv4, ipv6]) expect(pings(world.host, address)).toBe(true);
    await world.stop();
    world.sh('ip link set mine0 name mine1');
    await world.start();
    await world.loop.inPlace('nothing');
    expect(world.sh('ip -o link show type veth').trim().split('\n')).toHaveLength(1);
    expect(world.loop.status()).toMatchObject({ firstPassOps: 0, failures: [], conflicts: [] });
    for (const address of [ipv4, ipv6]) expect(pings(world.host, address)).toBe(true);
    await world.call(plugin, 'DEL', 'a', config);
    expect(world.recorded()).toEqual([]);
    expect(linkOf('a')).toBe('');
  });

  test('is not taken by a DEL that was recorded before it came', async () => {
    await attach(config, 'a');
    world.removePod('a');
    world.record({ plugin, pod: 'a', config });
    const [ipv4 = ''] = await attach(config, 'a');
    expect(world.recordedDels).toEqual([]);
    expect(pings(world.host, ipv4)).toBe(true);
    expect(world.reserved(config.name)).toHaveLength(2);
  });
});

describe('the host', () => {
  test('keeps its own links when a DEL names its own namespace', async () => {
    world.sh('ip link add eth0 type veth peer name eth1');
    const before = world.hostText();
    for (const [plugin, config, ifName] of [
      ['poplin', POPLIN, 'eth0'],
      ['bridge', BRIDGE, 'eth0'],
      ['loopback', { ...POPLIN, type: 'loopback' }, 'lo'],
    ] as const) {
      const environment = { CNI_NETNS: world.host, CNI_IFNAME: ifName };
      expect((await world.call(plugin, 'DEL', 'a', config, environment)).exitStatus).toBe(0);
    }
    expect(world.hostText()).toBe(before);
  });

  test.for([
    ['poplin', { ...POPLIN, ipam: { type: 'host-local', ranges: [[{ subnet: '10.72.0.0/24' }]] } }],
    ['bridge', { ...BRIDGE, ipam: { type: 'host-local', ranges: [[{ subnet: '10.72.0.0/24' }]] } }],
  ] as const)('takes no route from a router advertisement of an IPv4 pod of %s', async ([, config]) => {
    await attach(config, 'a');
    const link = linkOf('a');
    expect(world.sh(`cat /proc/sys/net/ipv6/conf/${link}/accept_ra`).trim()).toBe('0');
    expect(world.sh(`ip -6 -o address show dev ${link}`)).toBe('');
    world.inPod('a', 'ip link set eth0 up');
    advertiseRouter(world.pod('a'));
    expect(world.sh('ip -6 route show default')).toBe('');
  });
});

test('the advertisement of these tests is one that a host believes', async () => {
  world.sh(`ip link add plain0 type veth peer name eth0 netns ${world.pod('a')}; ip link set plain0 up`);
  world.inPod('a', 'ip link set eth0 up');
  await until('the route is there', () => {
    advertiseRouter(world.pod('a'));
    return world.sh('ip -6 route show default').includes('fe80::aa');
  });
});

test.for(CONFIGS)(
  'an ADD of %s that cannot be recorded makes nothing, and the next one works',
  async ([plugin, config]) => {
    const before = world.hostText();
    const folder = join(world.folder, 'attachments');
    rmSync(folder, { recursive: true });
    world.pod('a');
    expect((await world.call(plugin, 'ADD', 'a', config)).exitStatus).toBe(1);
    expect(world.hostText()).toBe(before);
    expect(world.reserved(config.name)).toEqual([]);
    mkdirSync(folder);
    const [ipv4 = ''] = await attach(config, 'a');
    world.removePod('a');
    await until('it is seen to be gone', () => world.recorded().length === 0);
    expect(pings(world.host, ipv4)).toBe(false);
  },
);

describe('DEL needs a name, a container and an interface', () => {
  test.for(['poplin', 'bridge', 'host-local'])(
    '%s does not mind what has become of the rest',
    async (plugin) => {
      await attach(BRIDGE, 'a');
      const config = {
        cniVersion: '1.1.0',
        name: BRIDGE.name,
        type: plugin,
        prevResult: { ips: 7 },
        dns: [],
      };
      const ipam = { type: 'host-local', ranges: 'none', routes: 7 };
      const { exitStatus, json } = await world.call(plugin, 'DEL', 'a', { ...config, ipam });
      expect(exitStatus, JSON.stringify(json)).toBe(0);
      expect(world.reserved(BRIDGE.name)).toEqual([]);
    },
  );
});
