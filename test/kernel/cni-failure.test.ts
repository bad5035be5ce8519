/** ADDs that fail half-way, pods that vanish, many calls at once, and agents that come back: nothing is left, nothing is lost. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { delay } from '#base/clock.ts';
import { systemClock } from '#io/clock/index.ts';
import { CniWorld, HOST, pings } from './cni-world.ts';

const POPLIN = { cniVersion: '1.0.0', name: 'pods', type: 'poplin' };
const BRIDGE = {
  cniVersion: '1.0.0',
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

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 5000; !holds(); ) {
    if (performance.now() > deadline) throw new Error(`not within 5 s: ${what}`);
    await delay(systemClock, 5);
  }
}

describe.for(CONFIGS)('an ADD of %s that fails leaves nothing', ([plugin, config]) => {
  /** The host as the first attachment left it, with what pods share. */
  async function expectNothingOf(pod: string, work: () => Promise<unknown>): Promise<void> {
    await attach(config, 'first');
    const [host, recorded, reserved] = [world.hostText(), world.recorded(), world.reserved(config.name)];
    await work();
    expect(world.hostText()).toBe(host);
    expect(world.recorded()).toEqual(recorded);
    expect(world.reserved(config.name)).toEqual(reserved);
    await until('the loop is content', () => world.loop.status().failures.length === 0);
    world.beforeEnsure = () => {};
    await attach(config, pod);
    expect(pings(world.pod(pod), HOST[4])).toBe(true);
  }

  test('when the namespace vanishes before the veth is made', () =>
    expectNothingOf('b', async () => {
      world.pod('b');
      world.beforeEnsure = (part) => {
        if (part.endsWith('/eth0')) world.removePod('b');
      };
      const { exitStatus, json } = await world.call(plugin, 'ADD', 'b', config);
      expect(exitStatus).toBe(1);
      expect(json).toMatchObject({ msg: expect.stringContaining('pod-b') });
    }));

  test('when somebody takes the interface’s name in between', () =>
    expectNothingOf('c', async () => {
      world.pod('b');
      world.beforeEnsure = (part) => {
        if (part.endsWith('/eth0')) world.inPod('b', 'ip link add eth0 type bridge');
      };
      const { exitStatus, json } = await world.call(plugin, 'ADD', 'b', config);
      expect(exitStatus).toBe(1);
      expect(json).toMatchObject({ msg: expect.stringContaining('EEXIST') });
      expect(world.inPod('b', 'ip -o link show type bridge'), 'it is not ours').toContain('eth0');
    }));

  test('when an object in the pod cannot be made', () =>
    expectNothingOf('b', async () => {
      world.pod('b');
      // Behind a gateway that is nowhere; a route through a gateway that ends at the pod itself (RT_SCOPE_HOST).
      const [dst, scope] = ['192.0.2.0/24', 254];
      const routes = plugin === 'bridge' ? [{ dst, gw: '203.0.113.1' }] : [{ dst, scope }];
      const ipam = { type: 'host-local', ...('ipam' in config && config.ipam), routes };
      const { exitStatus, json } = await world.call(plugin, 'ADD', 'b', { ...config, ipam });
      expect(exitStatus, JSON.stringify(json)).toBe(1);
      expect(world.inPod('b', 'ip -o link')).not.toContain('eth0');
    }));

  test('when all addresses are taken', async () => {
    const ranges = [[{ subnet: '10.72.0.0/29', rangeStart: '10.72.0.2', rangeEnd: '10.72.0.3' }]];
    const small = { ...config, ipam: { type: 'host-local', ranges } };
    await attach(small, 'a');
    await attach(small, 'b');
    const [host, recorded] = [world.hostText(), world.recorded()];
    world.pod('c');
    const { exitStatus, json } = await world.call(plugin, 'ADD', 'c', small);
    expect(exitStatus).toBe(1);
    expect(json).toMatchObject({ code: 110 });
    expect(world.hostText()).toBe(host);
    expect(world.recorded()).toEqual(recorded);
    expect(world.inPod('c', 'ip -o link')).not.toContain('eth0');
    expect(world.reserved(config.name)).toEqual(['10.72.0.2', '10.72.0.3']);
    // One goes, one comes.
    await world.call(plugin, 'DEL', 'a', small);
    expect(await attach(small, 'c')).toEqual(['10.72.0.2']);
  });
});

describe.for(CONFIGS)('many calls of %s at once', ([plugin, config]) => {
  test('twenty pods get addresses of their own and reach the host, and twenty DELs leave nothing', async () => {
    await attach(config, 'first');
    const before = world.hostText();
    const pods = Array.from({ length: 20 }, (_, at) => `p${at}`);
    const started = performance.now();
    const given = await Promise.all(pods.map((pod) => attach(config, pod)));
    const ms = performance.now() - started;
    expect(new Set(given.flat()).size).toBe(40);
    for (const pod of pods)
      for (const family of [4, 6] as const) expect(pings(world.pod(pod), HOST[family])).toBe(true);
    expect(pings(world.pod('p0'), given[19]?.[0] as string)).toBe(true);
    const deleted = performance.now();
    await Promise.all(pods.map((pod) => world.call(plugin, 'DEL', pod, config)));
    console.log(
      `${plugin}: 20 ADDs at once ${ms.toFixed(0)} ms, 20 DELs ${(performance.now() - deleted).toFixed(0)} ms`,
    );
    expect(world.hostText()).toBe(before);
    expect(world.reserved(config.name)).toHaveLength(2);
  });

  test('ADD and DEL of one pod do not overlap, whatever order they come in', async () => {
    const before = world.reserved(config.name);
    world.pod('a');
    const answers = await Promise.all(
      ['ADD', 'DEL', 'ADD', 'DEL', 'DEL', 'ADD', 'ADD'].map((command) =>
        world.call(plugin, command, 'a', config),
      ),
    );
    expect(answers.map(({ exitStatus }) => exitStatus)).toEqual([0, 0, 0, 0, 0, 0, 1]);
    expect(pings(world.pod('a'), HOST[6])).toBe(true);
    await world.call(plugin, 'DEL', 'a', config);
    expect(world.reserved(config.name)).toEqual(before);
  });
});

describe.for(CONFIGS)('an agent that comes back to pods of %s', ([plugin, config]) => {
  test('plans nothing, and goes on keeping their objects', async () => {
    const [ipv4 = '', ipv6 = ''] = await attach(config, 'a');
    const before = world.hostText();
    await world.stop();
    await world.start();
    await until('the first pass', () => world.loop.status().firstPassOps !== undefined);
    expect(world.loop.status()).toMatchObject({ firstPassOps: 0, failures: [], conflicts: [] });
    world.sh('ip -4 route flush proto 113; ip -6 route flush proto 113; ip link set cni0 down || true');
    await until('what was deleted is back', () => world.hostText() === before);
    for (const address of [ipv4, ipv6]) expect(pings(world.host, address)).toBe(true);
    await world.call(plugin, 'DEL', 'a', config);
    expect(world.reserved(config.name)).toEqual([]);
  });

  test('puts back what was deleted while it was away', async () => {
    const [ipv4 = '', ipv6 = ''] = await attach(config, 'a');
    const before = world.hostText();
    await world.stop();
    world.sh('ip -4 route flush proto 113; ip -6 route flush proto 113; ip address flush dev cni0 || true');
    await world.start();
    await until('what was deleted is back', () => world.hostText() === before);
    for (const address of [ipv4, ipv6]) expect(pings(world.host, address)).toBe(true);
  });

  test('forgets pods that vanished meanwhile, and gives their addresses back', async () => {
    await attach(config, 'stays');
    const [host, recorded, reserved] = [world.hostText(), world.recorded(), world.reserved(config.name)];
    await attach(config, 'goes');
    await world.stop();
    world.removePod('goes');
    await until('the veth is gone', () => !world.sh('ip -o link').includes('container-goes'));
    await world.start();
    await until('the first pass', () => world.loop.status().firstPassOps !== undefined);
    expect(world.recorded()).toEqual(recorded);
    expect(world.reserved(config.name)).toEqual(reserved);
    await until('nothing of it is left', () => world.hostText() === host);
  });

  test('a pod that vanishes while it runs is forgotten too, and nothing is tried for it any more', async () => {
    await attach(config, 'stays');
    const [host, recorded, reserved] = [world.hostText(), world.recorded(), world.reserved(config.name)];
    await attach(config, 'goes');
    world.removePod('goes');
    await until('its record is gone', () => world.recorded().length === recorded.length);
    expect(world.recorded()).toEqual(recorded);
    await until('its addresses are back', () => world.reserved(config.name).length === reserved.length);
    await until('nothing of it is left', () => world.hostText() === host);
    // Its link may go before its namespace is seen to be gone, and is wanted again until then.
    await until('nothing is tried', () => world.loop.status().failures.length === 0);
    expect(world.loop.status().conflicts).toEqual([]);
    expect((await world.call(plugin, 'DEL', 'goes', config)).exitStatus).toBe(0);
  });

  test('a crash between reservation and veth leaks no address', async () => {
    await attach(config, 'stays');
    const [recorded, reserved] = [world.recorded(), world.reserved(config.name)];
    world.pod('b');
    let atCrash: Disposable | undefined;
    world.beforeEnsure = (part) => {
      if (part.endsWith('container-b/eth0')) atCrash ??= world.rememberDisk();
      if (atCrash !== undefined) throw new Error('the end of the process');
    };
    expect(await world.call(plugin, 'ADD', 'b', config)).toMatchObject({ exitStatus: 1 });
    world.beforeEnsure = () => {};
    await world.stop();
    atCrash?.[Symbol.dispose]();
    expect(world.reserved(config.name)).not.toEqual(reserved);
    await world.start();
    expect(world.reserved(config.name)).toEqual(reserved);
    expect(world.recorded()).toEqual(recorded);
  });
});
