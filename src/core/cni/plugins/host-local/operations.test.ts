import { describe, expect, test } from 'vitest';
import { MemoryAddressStore } from '#testing/cni/index.ts';
import { CniError } from '../../spec/error.ts';
import type { JsonObject } from '../../spec/json.ts';
import { parseNetworkConfig } from '../../spec/network-config.ts';
import { parseHostLocalConfig } from './config.ts';
import { addHostLocal, checkHostLocal, statusHostLocal } from './operations.ts';

function start(ipam: JsonObject, isAlive: (containerId: string) => boolean = () => true) {
  const store = new MemoryAddressStore(({ containerId }) => isAlive(containerId));
  const place = { name: 'net', dataDir: '/memory' };
  const config = (args: string) =>
    parseHostLocalConfig(parseNetworkConfig({ cniVersion: '1.0.0', name: 'net', ipam }), args);
  return {
    add: (containerId: string, args = '') =>
      store.withNetwork(place, (addresses) =>
        addHostLocal(config(args), { containerId, ifName: 'eth0' }, addresses),
      ),
    check: (containerId: string) =>
      store.withNetwork(place, (addresses) => checkHostLocal({ containerId, ifName: 'eth0' }, addresses)),
    status: () => store.withNetwork(place, (addresses) => statusHostLocal(config(''), addresses)),
    taken: () => store.withNetwork(place, (addresses) => [...addresses.taken()].sort()),
  };
}

async function codeOf(work: Promise<unknown>): Promise<number | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => (error instanceof CniError ? error.code : Number.NaN),
  );
}

const dual = { ranges: [[{ subnet: '10.1.0.0/29' }], [{ subnet: 'fd00::/64' }]], routes: [{ dst: '::/0' }] };

describe('ADD', () => {
  test('gives one address from each set, with gateways and routes', async () => {
    expect(await start(dual).add('c1')).toEqual({
      interfaces: [],
      ips: [
        { address: '10.1.0.2/29', gateway: '10.1.0.1' },
        { address: 'fd00::2/64', gateway: 'fd00::1' },
      ],
      routes: [{ dst: '::/0' }],
    });
  });

  test('twice without DEL is refused and changes nothing', async () => {
    const net = start(dual);
    await net.add('c1');
    expect(await codeOf(net.add('c1'))).toBe(111);
    expect(await net.taken()).toEqual(['10.1.0.2', 'fd00::2']);
  });

  test('that fails in a later set leaves nothing reserved', async () => {
    const net = start({ ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: '10.2.0.0/30' }]] });
    await net.add('c1');
    expect(await codeOf(net.add('c2'))).toBe(110);
    expect(await net.taken()).toEqual(['10.1.0.2', '10.2.0.2']);
  });

  test('gives requested addresses from the sets they are of', async () => {
    const net = start(dual);
    expect((await net.add('c1', 'IP=fd00::77')).ips.map((ip) => ip.address)).toEqual([
      '10.1.0.2/29',
      'fd00::77/64',
    ]);
    expect(await codeOf(net.add('c2', 'IP=fd00::77'))).toBe(112);
    expect(await codeOf(net.add('c2', 'IP=10.9.9.9'))).toBe(112);
    expect(await net.taken()).toEqual(['10.1.0.2', 'fd00::77']);
  });

  test('takes a requested address from an owner that is dead', async () => {
    const net = start(dual, (containerId) => containerId !== 'dead');
    await net.add('dead', 'IP=10.1.0.4');
    expect((await net.add('c1', 'IP=10.1.0.4')).ips[0]?.address).toBe('10.1.0.4/29');
  });
});

test('CHECK finds the reservation', async () => {
  const net = start(dual);
  await net.add('c1');
  expect(await codeOf(net.check('c1'))).toBeUndefined();
  expect(await codeOf(net.check('c2'))).toBe(114);
});

test('STATUS is 50 once a set is exhausted, unless dead owners can be reclaimed', async () => {
  const dead = new Set<string>();
  const net = start({ subnet: '10.1.0.0/30' }, (containerId) => !dead.has(containerId));
  expect(await codeOf(net.status())).toBeUndefined();
  await net.add('c1');
  expect(await codeOf(net.status())).toBe(50);
  dead.add('c1');
  expect(await codeOf(net.status())).toBeUndefined();
});
