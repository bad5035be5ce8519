import { describe, expect, test } from 'vitest';
import { describeObject } from '#core/kernel/index.ts';
import { nodeFacts, planAddOn } from '#testing/cni/index.ts';
import type { JsonObject } from '../../spec/json.ts';

const config = (more: JsonObject = {}) => ({
  cniVersion: '1.1.0',
  name: 'pairs',
  type: 'ptp',
  ipam: {
    type: 'host-local',
    ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd09::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
  ...more,
});

test('the host’s end has the gateways alone, and routes to the pod’s addresses', async () => {
  const { hostObjects, result } = await planAddOn('ptp', config(), nodeFacts());
  const name = result.interfaces[0]?.name as string;
  expect(
    hostObjects.filter(({ kind }) => kind === 'address' || kind === 'route').map(describeObject),
  ).toEqual([
    `address 10.9.0.1/32 dev ${name}`,
    `address fd09::1/128 dev ${name}`,
    `route 10.9.0.2/32 dev ${name}`,
    `route fd09::2/128 dev ${name}`,
  ]);
});

test('the pod reaches its own network through the gateway', async () => {
  const { podObjects } = await planAddOn('ptp', config(), nodeFacts());
  expect(podObjects.filter(({ kind }) => kind === 'address' || kind === 'route').map(describeObject)).toEqual(
    [
      'address 10.9.0.2/24 dev eth0',
      'address fd09::2/64 dev eth0',
      'route 10.9.0.1/32 dev eth0 src 10.9.0.2',
      'route 10.9.0.0/24 via 10.9.0.1 dev eth0 src 10.9.0.2',
      'route fd09::1/128 dev eth0 src fd09::2',
      'route fd09::/64 via fd09::1 dev eth0 src fd09::2',
      'route 0.0.0.0/0 via 10.9.0.1 dev eth0',
      'route ::/0 via fd09::1 dev eth0',
    ],
  );
});

test('takes MTU for both ends, and dns of the network before that of IPAM', async () => {
  const dns = { nameservers: ['10.9.0.53'] };
  const { hostObjects, podObjects, result } = await planAddOn('ptp', config({ mtu: 1380, dns }), nodeFacts());
  expect(hostObjects[0]).toMatchObject({ mtuBytes: 1380, detail: { peer: { mtuBytes: 1380 } } });
  expect(podObjects.find(({ kind }) => kind === 'link')).toMatchObject({ mtuBytes: 1380 });
  expect(result.dns).toEqual(dns);
});

describe('refuses', () => {
  test('a network without addresses', async () => {
    await expect(planAddOn('ptp', config({ ipam: {} }), nodeFacts())).rejects.toThrow(
      'ptp needs an "ipam" section',
    );
  });

  test('an MTU that is none', async () => {
    await expect(planAddOn('ptp', config({ mtu: 70000 }), nodeFacts())).rejects.toThrow(/mtu/);
  });
});
