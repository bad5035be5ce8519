/** CHECK, STATUS and GC of our plugins on the real kernel: what is amiss is named, what is left behind goes, what is valid stays. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CniWorld, pings } from './cni-world.ts';

const POPLIN = { cniVersion: '1.1.0', name: 'pods', type: 'poplin' };
const BRIDGE = {
  cniVersion: '1.1.0',
  name: 'bridged',
  type: 'bridge',
  isGateway: true,
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]] },
};
const PTP = {
  ...BRIDGE,
  name: 'pairs',
  type: 'ptp',
  ipam: { ...BRIDGE.ipam, routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }] },
};
const KINDS = [
  ['poplin', POPLIN],
  ['bridge', BRIDGE],
  ['ptp', PTP],
] as const;

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

const valid = (...pods: string[]) => ({
  'cni.dev/valid-attachments': pods.map((pod) => ({ containerID: `container-${pod}`, ifname: 'eth0' })),
});

async function add(plugin: string, config: object, pod: string): Promise<object> {
  world.pod(pod);
  const { exitStatus, json } = await world.call(plugin, 'ADD', pod, config);
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return { ...config, prevResult: json };
}

describe.each(KINDS)('CHECK of %s', (plugin, config) => {
  test('finds nothing amiss right after ADD, nor after a restart of the agent', async () => {
    const request = await add(plugin, config, 'a');
    expect(await world.call(plugin, 'CHECK', 'a', request)).toEqual({ exitStatus: 0, json: undefined });
    await world.stop();
    await world.start();
    expect(await world.call(plugin, 'CHECK', 'a', request)).toEqual({ exitStatus: 0, json: undefined });
  });

  test.each([
    ['an IPv4 address', 'ip -4 address flush dev eth0', /address 10\.7[01]\.0\.2\/\d+ is missing on eth0/],
    ['an IPv6 address', 'ip -6 address flush dev eth0', /address fd7[01](:1)?::2\/\d+ is missing on eth0/],
    ['a MAC address', 'ip link set eth0 address 02:00:00:00:00:99', /eth0 in .* has MAC 02:00:00:00:00:99/],
    ['a link that is down', 'ip link set eth0 down', /interface eth0 in .* is down/],
    ['the interface', 'ip link set eth0 name eth9', /interface eth0 is missing/],
  ])('names %s changed in the pod', async (_name, damage, problem) => {
    const request = await add(plugin, config, 'a');
    world.inPod('a', damage);
    const { exitStatus, json } = await world.call(plugin, 'CHECK', 'a', request);
    expect([exitStatus, json?.['code']]).toEqual([1, 114]);
    expect(json?.['details']).toMatch(problem);
  });

  test('names a reservation that is gone', async () => {
    const request = await add(plugin, config, 'a');
    world.release(config.name);
    const { json } = await world.call(plugin, 'CHECK', 'a', request);
    expect(json).toMatchObject({ code: 114, msg: expect.stringContaining('no address is reserved') });
  });

  test('needs the result of ADD', async () => {
    await add(plugin, config, 'a');
    expect((await world.call(plugin, 'CHECK', 'a', config)).json).toMatchObject({
      code: 7,
      msg: 'required prevResult missing',
    });
  });
});

describe.each(KINDS)('GC of %s', (plugin, config) => {
  test('ends attachments that are not valid and leaves the valid ones alone', async () => {
    for (const pod of ['a', 'b', 'c']) await add(plugin, config, pod);
    const other = await add('bridge', { ...BRIDGE, name: 'another', bridge: 'other0' }, 'd');
    expect((await world.call(plugin, 'GC', 'a', { ...config, ...valid('b') })).exitStatus).toBe(0);
    await world.service.settled();
    expect(world.recorded()).toHaveLength(2);
    expect(world.reserved(config.name)).toHaveLength(2);
    const gateway = plugin !== 'poplin' ? ['10.71.0.1', 'fd71::1'] : ['192.168.70.1', 'fd70::1'];
    for (const address of gateway) expect(pings(world.pod('b'), address), address).toBe(true);
    expect((await world.call('bridge', 'CHECK', 'd', other)).exitStatus).toBe(0);
    // The pods that lost their network can be attached anew.
    await add(plugin, config, 'c');
  });

  test('gives back addresses and removes links of which no record is left', async () => {
    await add(plugin, config, 'a');
    const before = world.hostText();
    await add(plugin, config, 'b');
    await world.stop();
    world.loseRecords();
    await world.start();
    expect((await world.call(plugin, 'GC', 'a', { ...config, ...valid('a') })).exitStatus).toBe(0);
    expect(world.reserved(config.name)).toHaveLength(2);
    expect(world.hostText()).toBe(before);
  });

  test('refuses to guess which attachments are valid', async () => {
    await add(plugin, config, 'a');
    expect((await world.call(plugin, 'GC', 'a', config)).json).toMatchObject({
      code: 7,
      msg: 'required "cni.dev/valid-attachments" missing',
    });
    expect(world.recorded()).toHaveLength(1);
  });
});

describe('STATUS', () => {
  test('is silent where ADD can be served', async () => {
    for (const [plugin, config] of [...KINDS, ['loopback', { cniVersion: '1.1.0', name: 'lo' }]] as const)
      expect(await world.call(plugin, 'STATUS', 'a', config)).toEqual({ exitStatus: 0, json: undefined });
  });

  test('is 50 once a pool is exhausted, and silent again when an address came back', async () => {
    const small = { ...BRIDGE, ipam: { type: 'host-local', subnet: '10.72.0.0/30' } };
    const request = await add('bridge', small, 'a');
    for (const plugin of ['bridge', 'host-local'])
      expect((await world.call(plugin, 'STATUS', 'a', small)).json).toMatchObject({ code: 50 });
    await world.call('bridge', 'DEL', 'a', request);
    expect((await world.call('bridge', 'STATUS', 'a', small)).exitStatus).toBe(0);
  });
});

describe.each(KINDS)('DEL of %s is answered before the link is taken apart', (plugin, config) => {
  test('no packet flows any more, and the address is not given to anybody until the link is gone', async () => {
    const request = await add(plugin, config, 'a');
    const reserved = world.reserved(config.name);
    expect(reserved).toHaveLength(2);
    const target = plugin !== 'poplin' ? '10.71.0.1' : '192.168.70.1';
    expect(pings(world.pod('a'), target)).toBe(true);
    expect((await world.answer(plugin, 'DEL', 'a', request)).exitStatus).toBe(0);
    const held = world.reserved(config.name);
    const isLinkThere = world.sh('ip -o link').includes('@if');
    if (isLinkThere) expect(held).toEqual(reserved);
    expect(pings(world.pod('a'), target)).toBe(false);
    await world.service.settled();
    expect(world.reserved(config.name)).toEqual([]);
  });

  test('an ADD of the same attachment, and one that needs the address, wait for that', async () => {
    const small = { ...config, ipam: { type: 'host-local', subnet: '10.72.0.0/30' } };
    let request = await add(plugin, small, 'a');
    for (const pod of ['a', 'b']) {
      expect((await world.answer(plugin, 'DEL', 'a', request)).exitStatus).toBe(0);
      world.pod(pod);
      const { exitStatus, json } = await world.answer(plugin, 'ADD', pod, small);
      expect(exitStatus, JSON.stringify(json)).toBe(0);
      expect(world.reserved(small.name)).toEqual(['10.72.0.2']);
      request = { ...small, prevResult: json };
    }
  });

  test('a crash before the link is gone leaves nothing behind', async () => {
    const before = world.hostText();
    const request = await add(plugin, config, 'a');
    {
      expect((await world.answer(plugin, 'DEL', 'a', request)).exitStatus).toBe(0);
      using _disk = world.rememberDisk();
      await world.stop();
    }
    await world.start();
    await world.service.sweep();
    expect(world.recorded()).toEqual([]);
    expect(world.reserved(config.name)).toEqual([]);
    expect(world.hostText()).toBe(before);
  });
});
