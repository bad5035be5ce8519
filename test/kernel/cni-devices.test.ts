/** Plugins whose interface is a link of its own in the pod: macvlan, ipvlan, vlan, dummy, host-device. What the kernel lacks is skipped by name. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { type Answer, CniWorld, pings } from './cni-world.ts';
import { describeHere, IS_VIRTUAL } from './virtual.ts';

const ipam = (at: number) => ({
  type: 'host-local',
  ranges: [
    [{ subnet: `10.6${at}.0.0/24`, rangeStart: `10.6${at}.0.10` }],
    [{ subnet: `fd6${at}::/64`, rangeStart: `fd6${at}::10` }],
  ],
  routes: [{ dst: '198.51.100.0/24' }, { dst: '2001:db8:5::/48' }],
});
const network = (type: string, more: object) => ({ cniVersion: '1.1.0', name: `net-${type}`, type, ...more });

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
  // A wire: the host's end is the master, at the other end is a neighbour that answers in every network, VLAN 7 too.
  const wire = world.pod('wire');
  world.sh(`
    ip link add wire0 type veth peer name wire1 netns ${wire}
    ip link set wire0 up`);
  world.inPod(
    'wire',
    `ip link set lo up; ip link set wire1 up
     for at in 1 2 3 4 5; do ip address add 10.6$at.0.1/24 dev wire1; ip address add fd6$at::1/64 dev wire1 nodad; done
     ip address add 198.51.100.9/32 dev lo; ip address add 2001:db8:5::9/128 dev lo`,
  );
});
afterEach(() => world[Symbol.asyncDispose]());

async function add(config: { type: string }, pod: string, context?: TestContext): Promise<Answer['json']> {
  world.pod(pod);
  const { exitStatus, json } = await world.call(config.type, 'ADD', pod, config);
  if (context !== undefined && exitStatus !== 0 && JSON.stringify(json).includes('EOPNOTSUPP'))
    context.skip(`the kernel has no ${config.type} links`);
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return json;
}

const ALL_KINDS = [
  ['macvlan', 1, { master: 'wire0', mtu: 1400, bcqueuelen: 55 }, /macvlan mode bridge bcqueuelen 55/],
  ['ipvlan', 2, { master: 'wire0' }, /ipvlan +mode l2/],
  ['vlan', 3, { master: 'wire0', vlanId: 7 }, /vlan protocol 802.1Q id 7/],
] as const;
const KINDS = ALL_KINDS.filter(([type]) => !IS_VIRTUAL || type !== 'macvlan');

describe.for(KINDS)('%s', ([type, at, keys, shown]) => {
  const config = network(type, { ...keys, ipam: ipam(at) });

  test('reaches the wire in both families, is checked, and DEL leaves nothing, also twice', async (context) => {
    const before = world.hostText();
    const result = await add(config, 'a', context);
    if (type === 'vlan') {
      world.inPod(
        'wire',
        `ip link add link wire1 name wire1.7 type vlan id 7; ip link set wire1.7 up
         ip address del 10.63.0.1/24 dev wire1; ip address del fd63::1/64 dev wire1
         ip address add 10.63.0.1/24 dev wire1.7; ip address add fd63::1/64 dev wire1.7 nodad`,
      );
    }
    expect(world.inPod('a', 'ip -d link show eth0')).toMatch(shown);
    const targets = [`10.6${at}.0.1`, `fd6${at}::1`, '198.51.100.9', '2001:db8:5::9'];
    for (const address of targets) expect(pings(world.pod('a'), address), address).toBe(true);
    const mac = /link\/ether (\S+)/.exec(world.inPod('a', 'ip link show eth0'))?.[1];
    expect(result).toMatchObject({
      interfaces: [{ name: 'eth0', mac, sandbox: world.pod('a') }],
      ips: [
        { interface: 0, address: `10.6${at}.0.10/24` },
        { interface: 0, address: `fd6${at}::10/64` },
      ],
    });
    const request = { ...config, prevResult: result };
    expect(await world.call(type, 'CHECK', 'a', request)).toEqual({ exitStatus: 0, json: undefined });
    expect((await world.call(type, 'STATUS', 'a', config)).exitStatus).toBe(0);
    for (let round = 0; round < 2; round++)
      expect((await world.call(type, 'DEL', 'a', request)).exitStatus).toBe(0);
    expect(world.inPod('a', 'ip -o link')).not.toContain('eth0');
    expect([world.hostText(), world.recorded(), world.reserved(config.name)]).toEqual([before, [], []]);
  });

  test('GC and a sweep give back what pods had that are gone', async (context) => {
    // A link carries one VLAN of an id.
    const own = (vlanId: number) => (type === 'vlan' ? { ...config, vlanId } : config);
    await add(own(7), 'a', context);
    await add(own(8), 'b');
    await add(own(9), 'c');
    world.removePod('b');
    await world.service.sweep();
    expect(world.reserved(config.name)).toHaveLength(4);
    await world.stop();
    world.removePod('c');
    await world.start();
    expect(world.reserved(config.name)).toHaveLength(2);
    const gc = { ...config, 'cni.dev/valid-attachments': [] };
    expect((await world.call(type, 'GC', 'a', gc)).exitStatus).toBe(0);
    expect([world.recorded(), world.reserved(config.name)]).toEqual([[], []]);
    expect(world.inPod('a', 'ip -o link')).not.toContain('eth0');
  });

  test('a master that is not there is named, by STATUS too', async () => {
    world.pod('a');
    const wrong = { ...config, master: 'nowhere0' };
    expect((await world.call(type, 'ADD', 'a', wrong)).json).toMatchObject({
      code: 7,
      msg: 'master: there is no link "nowhere0" on the host',
    });
    expect((await world.call(type, 'STATUS', 'a', wrong)).json).toMatchObject({ code: 50 });
    expect(world.reserved(config.name)).toEqual([]);
  });

  test('stands on a link of the pod itself where it is asked to', async (context) => {
    world.pod('a');
    world.inPod('a', 'ip link add own0 type veth peer name own1; ip link set own0 up; ip link set own1 up');
    const inside = { ...config, master: 'own0', linkInContainer: true };
    const result = await add(inside, 'a', context);
    expect(world.inPod('a', 'ip -d link show eth0')).toMatch(/eth0@own0/);
    expect((await world.call(type, 'CHECK', 'a', { ...inside, prevResult: result })).exitStatus).toBe(0);
    expect((await world.call(type, 'DEL', 'a', inside)).exitStatus).toBe(0);
    expect(world.inPod('a', 'ip -o link')).not.toContain('eth0');
  });
});

describeHere('macvlan', () => {
  test('stands on the link of the default route if no master is named', async () => {
    world.sh('ip route add default dev wire0');
    await add(network('macvlan', { ipam: ipam(1) }), 'a');
    expect(pings(world.pod('a'), '10.61.0.1')).toBe(true);
  });

  test('without one names what is missing', async () => {
    world.pod('a');
    expect(
      (await world.call('macvlan', 'ADD', 'a', network('macvlan', { ipam: ipam(1) }))).json,
    ).toMatchObject({
      code: 7,
      msg: 'no default route tells which link is the master',
    });
  });

  test('takes a MAC address, refuses an MTU beyond its master’s and a mode that is none', async () => {
    await add(network('macvlan', { master: 'wire0', mac: '02:00:00:00:aa:01' }), 'a');
    expect(world.inPod('a', 'ip link show eth0')).toMatch(/UP.*\n.*02:00:00:00:aa:01/);
    world.pod('b');
    const wrong = (more: object) =>
      world.call('macvlan', 'ADD', 'b', network('macvlan', { master: 'wire0', ...more }));
    expect((await wrong({ mtu: 9000 })).json).toMatchObject({
      msg: 'invalid MTU 9000, must be [0, master MTU(1500)]',
    });
    expect(JSON.stringify((await wrong({ mode: 'star' })).json)).toMatch(/mode/);
  });

  test('CHECK names another mode', async () => {
    const config = network('macvlan', { master: 'wire0' });
    const result = await add(config, 'a');
    const { json } = await world.call('macvlan', 'CHECK', 'a', {
      ...config,
      mode: 'vepa',
      prevResult: result,
    });
    expect(json).toMatchObject({ code: 114, details: 'mode of eth0 is bridge, not vepa' });
  });
});

describe('dummy', () => {
  test('has its addresses, which the pod itself reaches, and needs some', async (context) => {
    const config = network('dummy', { ipam: { ...ipam(4), routes: [] } });
    const result = await add(config, 'a', context);
    world.inPod('a', 'ip link set lo up');
    for (const address of ['10.64.0.10', 'fd64::10'])
      expect(pings(world.pod('a'), address), address).toBe(true);
    expect((await world.call('dummy', 'CHECK', 'a', { ...config, prevResult: result })).exitStatus).toBe(0);
    expect((await world.call('dummy', 'DEL', 'a', config)).exitStatus).toBe(0);
    expect(world.inPod('a', 'ip -o link')).not.toContain('eth0');
    expect(world.reserved(config.name)).toEqual([]);
  });

  test('without addresses is refused', async () => {
    world.pod('a');
    expect((await world.call('dummy', 'ADD', 'a', network('dummy', {}))).json).toMatchObject({ code: 7 });
  });
});

describeHere('host-device', () => {
  const config = network('host-device', { device: 'wire0', ipam: ipam(5) });

  test('moves a device in and back under its name, in both families', async () => {
    const result = await add(config, 'a');
    expect(world.sh('ip -o link')).not.toContain('wire0');
    for (const address of ['10.65.0.1', 'fd65::1', '198.51.100.9', '2001:db8:5::9'])
      expect(pings(world.pod('a'), address), address).toBe(true);
    const request = { ...config, prevResult: result };
    expect((await world.call('host-device', 'CHECK', 'a', request)).exitStatus).toBe(0);
    for (let round = 0; round < 2; round++)
      expect((await world.call('host-device', 'DEL', 'a', request)).exitStatus).toBe(0);
    expect(world.sh('ip -o link')).toContain('wire0');
    expect([world.recorded(), world.reserved(config.name)]).toEqual([[], []]);
  });

  test('finds a device by its MAC address', async () => {
    const mac = /link\/ether (\S+)/.exec(world.sh('ip link show wire0'))?.[1];
    await add(network('host-device', { hwaddr: mac }), 'a');
    expect(world.inPod('a', 'ip -o link show eth0')).toContain(mac);
  });

  test('crosses over with the reference plugin, in and out', async () => {
    const reference = (command: string) =>
      execFileSync('nsenter', [`--net=${world.host}`, '/usr/lib/cni/host-device'], {
        input: JSON.stringify({ ...network('host-device', { device: 'wire0' }), cniVersion: '1.0.0' }),
        env: {
          PATH: process.env['PATH'] ?? '',
          CNI_COMMAND: command,
          CNI_CONTAINERID: 'container-a',
          CNI_NETNS: world.pod('a'),
          CNI_IFNAME: 'eth0',
          CNI_PATH: '/usr/lib/cni',
        },
      });
    const bare = network('host-device', { device: 'wire0' });
    world.pod('a');
    reference('ADD');
    expect((await world.call('host-device', 'DEL', 'a', bare)).exitStatus).toBe(0);
    expect(world.sh('ip -o link')).toContain('wire0');
    await add(bare, 'a');
    reference('DEL');
    expect(world.sh('ip -o link')).toContain('wire0');
  });

  test.each([
    ['no device', {}, /specify either "device"/],
    ['one that is not there', { device: 'nowhere0' }, /failed to find host device: device nowhere0/],
    ['the loopback device', { device: 'lo' }, /not to be given away/],
    ['a way out of sysfs', { kernelpath: '/sys/devices/../../etc' }, /must be absolute and begin with/],
    ['no PCI address', { pciBusID: '../../etc' }, /is no PCI address/],
  ])('refuses %s', async (_name, keys, message) => {
    world.pod('a');
    const { exitStatus, json } = await world.call('host-device', 'ADD', 'a', network('host-device', keys));
    expect(exitStatus).toBe(1);
    expect(JSON.stringify(json).replaceAll('\\"', '"')).toMatch(message);
  });
});
