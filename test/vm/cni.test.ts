/** The agent's CNI service on a stock kernel: pods that reach each other and their node in both families, and leave nothing. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CniWorld, HOST, pings } from '../kernel/cni-world.ts';

const POPLIN = { cniVersion: '1.1.0', name: 'pods', type: 'poplin' };
const BRIDGE = {
  cniVersion: '1.1.0',
  name: 'bridged',
  type: 'bridge',
  isDefaultGateway: true,
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]] },
};

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

function addressesOf(json: Readonly<Record<string, unknown>> | undefined): string[] {
  return ((json ?? {})['ips'] as { address: string }[]).map(({ address }) => address.replace(/\/\d+$/, ''));
}

test.each([
  ['poplin', POPLIN],
  ['bridge', BRIDGE],
])('%s: two pods, their traffic, and what is left of them', async (plugin, config) => {
  const empty = world.hostText();
  const addresses = new Map<string, string[]>();
  for (const pod of ['a', 'b']) {
    world.pod(pod);
    const { exitStatus, json } = await world.call(plugin, 'ADD', pod, config);
    expect(exitStatus, JSON.stringify(json)).toBe(0);
    addresses.set(pod, addressesOf(json));
  }
  for (const [at, family] of ([4, 6] as const).entries()) {
    const [a = '', b = ''] = ['a', 'b'].map((pod) => addresses.get(pod)?.[at]);
    expect(pings(world.pod('a'), b), `a → b IPv${family}`).toBe(true);
    expect(pings(world.pod('b'), a), `b → a IPv${family}`).toBe(true);
    expect(pings(world.pod('a'), HOST[family]), `a → node IPv${family}`).toBe(true);
    expect(pings(world.host, b), `node → b IPv${family}`).toBe(true);
  }
  for (const pod of ['a', 'b'])
    expect(await world.call(plugin, 'DEL', pod, config)).toEqual({ exitStatus: 0, json: undefined });
  expect(world.loop.status()).toMatchObject({ failures: [], conflicts: [] });
  expect(world.recorded()).toEqual([]);
  expect(world.reserved(config.name)).toEqual([]);
  if (plugin === 'bridge') expect(world.hostText()).toBe(empty);
});
