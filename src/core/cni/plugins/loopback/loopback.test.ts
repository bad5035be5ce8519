import { expect, test } from 'vitest';
import type { Link } from '#core/kernel/index.ts';
import { nodeFacts, planAddOn, planDelOn } from '#testing/cni/index.ts';
import { encodeResult } from '../../spec/encode.ts';

const config = { cniVersion: '1.0.0', name: 'lo', type: 'loopback' };
const lo: Link = { kind: 'link', name: 'lo', detail: { type: 'other', linkKind: 'physical' } };

test('ADD sets lo up and reports its addresses', async () => {
  const plan = await planAddOn('loopback', config, nodeFacts({}, [], [lo]));
  expect(plan.podObjects).toEqual([{ ...lo, up: true }]);
  expect([plan.hostObjects, plan.sharedObjects, plan.hostRemovals]).toEqual([[], [], []]);
  expect(encodeResult(plan.result, '1.0.0')).toStrictEqual({
    cniVersion: '1.0.0',
    interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: '/run/netns/pod1' }],
    ips: [
      { interface: 0, address: '127.0.0.1/8' },
      { interface: 0, address: '::1/128' },
    ],
  });
  expect(encodeResult(plan.result, '0.2.0')).toStrictEqual({
    cniVersion: '0.2.0',
    ip4: { ip: '127.0.0.1/8' },
    ip6: { ip: '::1/128' },
  });
});

test('ADD on a kernel without IPv6 reports 127.0.0.1 alone', async () => {
  const plan = await planAddOn('loopback', config, nodeFacts({ ipv6: false }));
  expect(plan.result.ips).toEqual([{ interface: 0, address: '127.0.0.1/8' }]);
});

test('ADD passes a previous result through', async () => {
  const prevResult = { interfaces: [{ name: 'eth0' }], ips: [{ address: '10.1.0.5/16', interface: 0 }] };
  const plan = await planAddOn('loopback', { ...config, prevResult }, nodeFacts());
  expect(encodeResult(plan.result, '1.0.0')).toStrictEqual({ cniVersion: '1.0.0', ...prevResult });
  expect(plan.podObjects).toEqual([{ ...lo, up: true }]);
});

test('DEL sets lo down where the container is still there', () => {
  expect(planDelOn('loopback', config, nodeFacts({}, [], [lo])).podObjects).toEqual([{ ...lo, up: false }]);
  expect(planDelOn('loopback', config, nodeFacts()).podObjects).toEqual([]);
});
