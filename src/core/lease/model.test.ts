import { expect, test } from 'vitest';
import { expiresAtMs, isExpired, type LeaseRecord, leaseOf, vtepOf } from './model.ts';

const record = (extra: Partial<LeaseRecord>): LeaseRecord => ({
  family: 4,
  subnet: '10.1.0.0/24',
  node: 'a',
  ownerUid: 'u',
  backendType: 'vxlan',
  acquiredAtMs: 0,
  renewedAtMs: 1000,
  durationSec: 60,
  reserved: false,
  ...extra,
});

test('a lease ends its duration after the last renewal, to the millisecond', () => {
  expect(expiresAtMs(record({}))).toBe(61_000);
  expect(isExpired(record({}), 60_999)).toBe(false);
  expect(isExpired(record({}), 61_000)).toBe(true);
  expect(isExpired(record({}), 61_000, 5)).toBe(false);
  expect(isExpired(record({}), 66_000, 5)).toBe(true);
});

test('a reservation never ends', () => {
  expect(isExpired(record({ reserved: true }), Number.MAX_SAFE_INTEGER)).toBe(false);
});

test('the records of a node make one lease with both families', () => {
  const ipv4 = record({ publicIp: '192.0.2.1', backendData: { VNI: 1, VtepMAC: '0A:00:00:00:00:01' } });
  const ipv6 = record({ family: 6, subnet: 'fd00::/64', renewedAtMs: 500, publicIp: 'fd00::1' });
  const lease = leaseOf(ipv4, ipv6);
  expect([lease?.node, lease?.ipv4?.subnet, lease?.ipv6?.subnet]).toEqual(['a', '10.1.0.0/24', 'fd00::/64']);
  expect(lease).toMatchObject({ renewedAtMs: 500, durationSec: 60, reserved: false });
  expect(vtepOf(lease?.ipv4 ?? { subnet: '' })).toEqual({ vni: 1, mac: '0a:00:00:00:00:01' });
  expect(leaseOf(undefined, ipv6)).not.toHaveProperty('ipv4');
  expect(leaseOf(undefined, undefined)).toBeUndefined();
});

test('backend data of another form is no tunnel end', () => {
  for (const backendData of [null, 'x', 3, [], {}, { VNI: '1', VtepMAC: 'x' }])
    expect(vtepOf({ subnet: '', backendData })).toBeUndefined();
});
