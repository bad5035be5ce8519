/** Keys of the bridge plugin that guard or narrow a container's port, and the tap plugin. What the kernel lacks is skipped by name. */
import { afterEach, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { type Answer, CniWorld, pings } from './cni-world.ts';

const ipam = {
  type: 'host-local',
  ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]],
};
const network = (name: string, more: object) => ({
  cniVersion: '1.1.0',
  name,
  type: 'bridge',
  bridge: 'ports0',
  ipam,
  ...more,
});

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

async function add(config: { type: string }, pod: string, context?: TestContext): Promise<Answer['json']> {
  world.pod(pod);
  const { exitStatus, json } = await world.call(config.type, 'ADD', pod, config);
  if (context !== undefined && exitStatus !== 0 && JSON.stringify(json).includes('EOPNOTSUPP'))
    context.skip('the kernel has no VLANs on bridges (CONFIG_BRIDGE_VLAN_FILTERING)');
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return json;
}

async function checks(config: { type: string }, pod: string, prevResult: unknown): Promise<void> {
  const answer = await world.call(config.type, 'CHECK', pod, { ...config, prevResult });
  expect(answer).toEqual({ exitStatus: 0, json: undefined });
}

async function removes(config: { type: string }, pod: string, prevResult: unknown): Promise<void> {
  for (let round = 0; round < 2; round++)
    expect((await world.call(config.type, 'DEL', pod, { ...config, prevResult })).exitStatus).toBe(0);
}

const BOTH = ['10.71.0.3', 'fd71::3'];

describe('bridge', () => {
  test('isolated ports do not reach each other, others reach both', async () => {
    const isolated = network('isolated', { portIsolation: true });
    const results = [await add(isolated, 'a'), await add(isolated, 'b')];
    await add({ ...network('isolated', {}) }, 'c');
    for (const address of BOTH) expect(pings(world.pod('a'), address), address).toBe(false);
    for (const address of ['10.71.0.4', 'fd71::4'])
      expect(pings(world.pod('a'), address), address).toBe(true);
    await checks(isolated, 'a', results[0]);
    await removes(isolated, 'a', results[0]);
  });

  test('a guarded port passes no frame with another source than its own', async () => {
    const guarded = network('guarded', { macspoofchk: true });
    const result = await add(guarded, 'a');
    await add(network('guarded', {}), 'b');
    for (const address of BOTH) expect(pings(world.pod('a'), address), address).toBe(true);
    await checks(guarded, 'a', result);
    world.inPod('a', 'ip link set eth0 address 02:00:00:00:00:99');
    for (const address of BOTH) expect(pings(world.pod('a'), address), address).toBe(false);
    expect(world.sh('nft list table bridge poplin-cni')).toMatch(/counter packets [1-9]/);
    await removes(guarded, 'a', result);
    expect(world.sh('nft list table bridge poplin-cni || true')).not.toContain('veth');
  });

  test('a disabled interface is there, and down', async () => {
    const { ipam: _, ...disabled } = network('disabled', { disableContainerInterface: true });
    const result = await add(disabled, 'a');
    expect(world.inPod('a', 'ip -o link show eth0')).toContain('state DOWN');
    await checks(disabled, 'a', result);
    await removes(disabled, 'a', result);
  });

  test('pods reach each other within a VLAN, and not across VLANs', async (context) => {
    const blue = network('coloured', { vlan: 7, preserveDefaultVlan: false });
    // The bridge is there already, and nobody has wished for VLANs.
    await add(network('all', { ipam: { ...ipam, ranges: [[{ subnet: '10.72.0.0/24' }]] } }), 'plain');
    const result = await add(blue, 'a', context);
    await add(blue, 'b');
    await add({ ...blue, vlan: 8 } as never, 'c');
    for (const address of BOTH) expect(pings(world.pod('a'), address), address).toBe(true);
    for (const address of ['10.71.0.4', 'fd71::4'])
      expect(pings(world.pod('a'), address), address).toBe(false);
    expect(world.sh('bridge vlan show')).toMatch(/veth\w+\s+7 PVID Egress Untagged/);
    await checks(blue, 'a', result);
    await removes(blue, 'a', result);
  });

  test('a trunk carries its VLANs tagged', async (context) => {
    const trunk = network('trunk', { vlanTrunk: [{ minID: 10, maxID: 12 }, { id: 20 }] });
    const result = await add(trunk, 'a', context);
    const shown = world.sh('bridge vlan show');
    expect(shown).toMatch(/veth\w+\s+1 PVID Egress Untagged\s+10\s+11\s+12\s+20/);
    await checks(trunk, 'a', result);
    await removes(trunk, 'a', result);
  });
});

test('tap gives the pod a device with addresses, checks it and takes it away', async () => {
  const tap = {
    ...network('taps', { owner: 1000, group: 1000, mtu: 1400, multiQueue: true }),
    type: 'tap',
    bridge: '',
  };
  const before = world.hostText();
  const result = await add(tap, 'a');
  const shown = world.inPod('a', 'ip -d address show eth0');
  expect(shown).toMatch(/mtu 1400/);
  expect(shown).toMatch(/tun type tap pi off .*multi_queue/);
  expect(shown).toMatch(/user (1000|\w+) group (1000|\w+)/);
  expect(shown).toContain('inet 10.71.0.2/24');
  expect(shown).toContain('inet6 fd71::2/64');
  await checks(tap, 'a', result);
  await removes(tap, 'a', result);
  expect(world.inPod('a', 'ip -o link')).not.toContain('eth0');
  expect([world.hostText(), world.recorded(), world.reserved('taps')]).toEqual([before, [], []]);
});
