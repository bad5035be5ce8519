import { expect, test } from 'vitest';
import { isNetworkName } from '#app/agent/index.ts';
import { networkName } from './network-name.ts';

test.each([
  ['/run/flannel/subnet.env', 'default'],
  ['/run//flannel/../flannel/subnet.env', 'default'],
  ['run/flannel/subnet.env', 'default'],
  // As `poplin agent --network second` has it.
  ['/run/flannel/second.env', 'second'],
  ['/run/flannel/default.env', /^default-[0-9a-f]{8}$/],
  ['/run/flannel/Second_Net.env', /^second-net-[0-9a-f]{8}$/],
  ['/run/other/subnet.env', /^subnet-[0-9a-f]{8}$/],
  ['/run/flannel/...env', /^network-[0-9a-f]{8}$/],
  [`/run/flannel/${'long-'.repeat(9)}.env`, /^long-long-long-long-lon-[0-9a-f]{8}$/],
])('the network that tells of its subnet in %s is %s', (file, name) => {
  expect(networkName(file)).toMatch(typeof name === 'string' ? new RegExp(`^${name}$`) : name);
  expect(isNetworkName(networkName(file))).toBe(true);
});

test('files of one name in two folders are two networks', () => {
  expect(networkName('/run/a/subnet.env')).not.toBe(networkName('/run/b/subnet.env'));
});
