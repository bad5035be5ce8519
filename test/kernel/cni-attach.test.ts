/** The plugins of the agent on the real kernel: what ADD makes carries packets in both families, and DEL leaves nothing. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CNI_VERSIONS } from '#core/cni/index.ts';
import { CniWorld, HOST, pings } from './cni-world.ts';

const POPLIN = { cniVersion: '1.1.0', name: 'pods', type: 'poplin' };
const BRIDGE = {
  cniVersion: '1.1.0',
  name: 'bridged',
  type: 'bridge',
  isDefaultGateway: true,
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]] },
};
const PTP = {
  cniVersion: '1.1.0',
  name: 'pairs',
  type: 'ptp',
  ipam: {
    type: 'host-local',
    ranges: [[{ subnet: '10.73.0.0/24' }], [{ subnet: 'fd73::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
};
const TWO = { type: 'host-local', ranges: [[{ subnet: '10.75.0.0/24' }]] };
const TWO_FAMILIES = {
  type: 'host-local',
  ranges: [[{ subnet: '10.75.0.0/24' }], [{ subnet: 'fd75::/64' }]],
};
const LOOPBACK = { cniVersion: '1.1.0', name: 'lo', type: 'loopback' };
const HOST_LOCAL = { ...BRIDGE, name: 'addresses', type: 'somebody-elses' };

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

function addresses(json: Readonly<Record<string, unknown>> | undefined): string[] {
  return ((json ?? {})['ips'] as { address: string }[]).map(({ address }) => address.replace(/\/\d+$/, ''));
}

async function attach(
  config: { readonly type: string; readonly name: string },
  pod: string,
): Promise<string[]> {
  world.pod(pod);
  const { exitStatus, json } = await world.call(config.type, 'ADD', pod, config);
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return addresses(json);
}

describe.for([
  ['poplin', POPLIN, ['10.70.0.2', 'fd70:1::2'], ['10.70.0.3', 'fd70:1::3']],
  ['bridge', BRIDGE, ['10.71.0.2', 'fd71::2'], ['10.71.0.3', 'fd71::3']],
  ['ptp', PTP, ['10.73.0.2', 'fd73::2'], ['10.73.0.3', 'fd73::3']],
] as const)('%s', ([plugin, config, first, second]) => {
  test('two pods reach each other and the host, and the host them, in both families', async () => {
    expect(await attach(config, 'a')).toEqual(first);
    expect(await attach(config, 'b')).toEqual(second);
    for (const [at, family] of ([4, 6] as const).entries()) {
      expect(pings(world.pod('a'), second[at] as string), `a → b IPv${family}`).toBe(true);
      expect(pings(world.pod('b'), first[at] as string), `b → a IPv${family}`).toBe(true);
      expect(pings(world.pod('a'), HOST[family]), `a → host IPv${family}`).toBe(true);
      expect(pings(world.host, second[at] as string), `host → b IPv${family}`).toBe(true);
    }
  });

  test.each([4, 6] as const)(
    'the first IPv%d packet of a pod is answered, however soon after ADD',
    async (family) => {
      for (let round = 0; round < 20; round++) {
        world.pod('a');
        expect((await world.answer(plugin, 'ADD', 'a', config)).exitStatus).toBe(0);
        expect(pings(world.pod('a'), HOST[family]), `round ${round}`).toBe(true);
        await world.call(plugin, 'DEL', 'a', config);
        world.removePod('a');
      }
    },
  );

  test('DEL leaves nothing of a pod, in the host, in its namespace and on disk; a second DEL is fine', async () => {
    await attach(config, 'a');
    const before = world.hostText();
    await attach(config, 'b');
    expect(world.hostText()).not.toBe(before);
    for (let round = 0; round < 2; round++) {
      expect(await world.call(plugin, 'DEL', 'b', config)).toEqual({ exitStatus: 0, json: undefined });
      expect(world.hostText()).toBe(before);
      expect(world.inPod('b', 'ip -o link')).not.toContain('eth0');
      expect(world.reserved(config.name)).toEqual(first);
    }
    expect(pings(world.pod('a'), HOST[4])).toBe(true);
    expect(world.loop.status()).toMatchObject({ failures: [], conflicts: [] });
  });

  test('an interface that is there already is refused, and nothing changes', async () => {
    world.pod('a');
    world.inPod('a', 'ip link add eth0 type bridge');
    const before = world.hostText();
    const { exitStatus, json } = await world.call(plugin, 'ADD', 'a', config);
    expect(exitStatus).toBe(1);
    expect(json).toMatchObject({ cniVersion: '1.1.0', msg: expect.stringContaining('eth0') });
    expect(world.hostText()).toBe(before);
    expect(world.reserved(config.name)).toEqual([]);
    expect(world.recorded()).toEqual([]);
  });

  test('a second ADD is refused, and the first goes on working', async () => {
    await attach(config, 'a');
    const before = world.hostText();
    const recorded = world.recorded();
    expect(await world.call(plugin, 'ADD', 'a', config)).toMatchObject({ exitStatus: 1 });
    expect(world.hostText()).toBe(before);
    expect(world.recorded()).toEqual(recorded);
    expect(world.reserved(config.name)).toEqual(first);
    expect(pings(world.host, first[0])).toBe(true);
  });

  test('DEL works when the namespace is gone, with its old path or with none', async () => {
    await attach(config, 'a');
    const before = world.hostText();
    for (const netns of [undefined, '']) {
      await attach(config, 'b');
      world.removePod('b');
      const environment: Record<string, string> = netns === undefined ? {} : { CNI_NETNS: netns };
      expect(await world.call(plugin, 'DEL', 'b', config, environment)).toEqual({
        exitStatus: 0,
        json: undefined,
      });
      expect(world.hostText()).toBe(before);
      expect(world.reserved(config.name)).toEqual(first);
    }
  });

  test("the host's own namespace is refused", async () => {
    const answer = await world.call(plugin, 'ADD', 'a', config, { CNI_NETNS: world.host });
    expect(answer).toMatchObject({ exitStatus: 1, json: { code: 8 } });
  });

  test('a namespace that is not there is error 3', async () => {
    expect(await world.call(plugin, 'ADD', 'nobody', config)).toMatchObject({
      exitStatus: 1,
      json: { code: 3 },
    });
  });
});

describe('bridge', () => {
  test('goes with the last attachment', async () => {
    const before = world.hostText();
    await attach(BRIDGE, 'a');
    await attach(BRIDGE, 'b');
    await world.call('bridge', 'DEL', 'a', BRIDGE);
    expect(pings(world.host, '10.71.0.3')).toBe(true);
    await world.call('bridge', 'DEL', 'b', BRIDGE);
    expect(world.recorded()).toEqual([]);
    expect(world.hostText()).toBe(before);
  });

  test('stays, with its addresses, while somebody else has a port on it', async () => {
    await attach(BRIDGE, 'a');
    world.sh('ip link add foreign0 type veth peer name foreign1; ip link set foreign0 master cni0');
    await world.call('bridge', 'DEL', 'a', BRIDGE);
    await world.stop();
    await world.start();
    await world.loop.inPlace('nothing');
    expect(world.sh('ip -o address show cni0')).toContain('10.71.0.1/24');
    expect(world.recorded()).toEqual([]);
  });
});

describe('a pod on two networks that both have a default route', () => {
  test.for([
    [BRIDGE, POPLIN],
    [POPLIN, PTP],
    [PTP, BRIDGE],
    [POPLIN, { ...POPLIN, name: 'more', ipam: TWO_FAMILIES }],
  ] as const)('has that of the first, and the addresses of both: %j', async ([first, second]) => {
    const requests = [];
    for (const [at, config] of [first, second].entries()) {
      const environment = { CNI_IFNAME: `eth${at}` };
      world.pod('a');
      const { exitStatus, json } = await world.call(config.type, 'ADD', 'a', config, environment);
      expect(exitStatus, JSON.stringify(json)).toBe(0);
      requests.push([config.type, { ...config, prevResult: json }, environment] as const);
    }
    for (const family of [4, 6] as const) {
      expect(pings(world.pod('a'), HOST[family]), `IPv${family}`).toBe(true);
      expect(world.inPod('a', `ip -${family} route show default`)).toMatch(/^default .*dev eth0[^\n]*\n$/);
    }
    for (const [type, request, environment] of requests) {
      const checked = await world.call(type, 'CHECK', 'a', request, environment);
      expect(checked.exitStatus, JSON.stringify(checked.json)).toBe(0);
    }
    const [type, request, environment] = requests.pop() ?? expect.fail();
    expect((await world.call(type, 'DEL', 'a', request, environment)).exitStatus).toBe(0);
    for (const family of [4, 6] as const)
      expect(pings(world.pod('a'), HOST[family]), `IPv${family}`).toBe(true);
  });

  test('has the routes of the second that the first has not, each behind its own pair', async () => {
    const routes = [{ dst: '192.0.2.0/24' }, { dst: '2001:db8::/32' }];
    await attach(POPLIN, 'a');
    const more = { ...POPLIN, name: 'more', ipam: { ...TWO_FAMILIES, routes } };
    const { exitStatus, json } = await world.call('poplin', 'ADD', 'a', more, { CNI_IFNAME: 'eth1' });
    expect(exitStatus, JSON.stringify(json)).toBe(0);
    world.sh('ip address add 192.0.2.1/32 dev lo; ip address add 2001:db8::1/128 dev lo');
    for (const address of ['192.0.2.1', '2001:db8::1']) {
      expect(world.inPod('a', `ip route get ${address}`)).toContain('dev eth1');
      // The kernel takes its time to call an IPv6 address its own.
      await expect.poll(() => pings(world.pod('a'), address), { message: address }).toBe(true);
    }
  });
});

describe('what attachments of a network share', () => {
  async function wholePass(): Promise<void> {
    await world.stop();
    await world.start();
    await world.loop.inPlace('nothing');
  }

  test('stays off the bridge when an ADD forces it off, and what is not in the way stays on', async () => {
    const FORCED = { ...BRIDGE, name: 'forced', forceAddress: true, ipam: TWO };
    await attach(BRIDGE, 'a');
    await attach(FORCED, 'b');
    await wholePass();
    const text = world.sh('ip -o -4 address show cni0');
    expect(text).toContain('10.75.0.1/24');
    expect(text).not.toContain('10.71.0.1/24');
    expect(world.sh('ip -o -6 address show cni0')).toContain('fd71::1/64');
  });

  test('is not taken from them by an attachment of the same network that shares something else', async () => {
    const [ipv4 = ''] = await attach(BRIDGE, 'a');
    const before = world.sh('ip -o address show cni0');
    await attach({ ...POPLIN, name: BRIDGE.name }, 'b');
    const edited = { ...BRIDGE, bridge: 'cni1', ipam: TWO };
    await attach(edited, 'c');
    await wholePass();
    expect(world.sh('ip -o address show cni0')).toBe(before);
    expect(world.sh('ip -o address show cni1')).toContain('10.75.0.1/24');
    expect(pings(world.host, ipv4)).toBe(true);
    await world.call('bridge', 'DEL', 'c', edited);
    expect(world.sh('ip -o link')).not.toContain('cni1');
    expect(pings(world.host, ipv4)).toBe(true);
  });
});

describe('loopback', () => {
  test('ADD sets lo up with both addresses, DEL sets it down', async () => {
    world.pod('a');
    expect(pings(world.pod('a'), '127.0.0.1')).toBe(false);
    const { exitStatus, json } = await world.call('loopback', 'ADD', 'a', LOOPBACK);
    expect(exitStatus).toBe(0);
    expect(addresses(json)).toEqual(['127.0.0.1', '::1']);
    for (const address of ['127.0.0.1', '::1']) expect(pings(world.pod('a'), address)).toBe(true);
    expect(world.recorded(), 'whoever calls DEL, nothing is left').toEqual([]);
    expect((await world.call('loopback', 'DEL', 'a', LOOPBACK)).exitStatus).toBe(0);
    expect(world.inPod('a', 'ip -o link show lo')).not.toMatch(/<[^>]*UP/);
    world.removePod('a');
    expect((await world.call('loopback', 'DEL', 'a', LOOPBACK)).exitStatus).toBe(0);
  });
});

describe('host-local, called by itself', () => {
  test('ADD gives addresses and makes nothing, DEL takes them back', async () => {
    const before = world.hostText();
    world.pod('a');
    const { json } = await world.call('host-local', 'ADD', 'a', HOST_LOCAL);
    expect(json).toEqual({
      cniVersion: '1.1.0',
      ips: [
        { address: '10.71.0.2/24', gateway: '10.71.0.1' },
        { address: 'fd71::2/64', gateway: 'fd71::1' },
      ],
    });
    expect(world.reserved('addresses')).toEqual(['10.71.0.2', 'fd71::2']);
    expect(world.recorded(), 'what others attach is not ours to give back').toEqual([]);
    for (let round = 0; round < 2; round++)
      expect((await world.call('host-local', 'DEL', 'a', HOST_LOCAL)).exitStatus).toBe(0);
    expect(world.reserved('addresses')).toEqual([]);
    expect(world.hostText()).toBe(before);
  });
});

describe('every plugin', () => {
  test.for(['poplin', 'bridge', 'loopback', 'host-local'])('%s answers VERSION', async (plugin) => {
    const answer = await world.call(plugin, 'VERSION', 'a', { cniVersion: '1.0.0' });
    expect(answer).toEqual({
      exitStatus: 0,
      json: { cniVersion: '1.0.0', supportedVersions: [...CNI_VERSIONS] },
    });
  });

  test.for([
    ['poplin', POPLIN],
    ['bridge', BRIDGE],
    ['ptp', PTP],
    ['loopback', LOOPBACK],
  ] as const)('%s answers ADD in every version, and DEL with that result', async ([plugin, config]) => {
    for (const [at, cniVersion] of CNI_VERSIONS.entries()) {
      const pod = `v${at}`;
      world.pod(pod);
      const { exitStatus, json } = await world.call(plugin, 'ADD', pod, { ...config, cniVersion });
      expect(exitStatus, JSON.stringify(json)).toBe(0);
      expect(json).toMatchObject({ cniVersion });
      const again = { ...config, cniVersion, prevResult: json };
      expect((await world.call(plugin, 'DEL', pod, again)).exitStatus).toBe(0);
    }
    expect(world.reserved(config.name)).toEqual([]);
  });
});
