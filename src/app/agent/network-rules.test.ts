import { expect, test } from 'vitest';
import { requireConfig } from '#core/config/index.ts';
import { keyOf } from '#core/kernel/index.ts';
import { parseNetConf } from '#core/lease/index.ts';
import { vxlanBackend } from '#core/overlay/index.ts';
import { planNetworkRules } from './network-rules.ts';

const NET_CONF = requireConfig(
  parseNetConf(
    JSON.stringify({
      Network: '10.244.0.0/16',
      EnableIPv6: true,
      IPv6Network: 'fd44::/48',
      Backend: { Type: 'vxlan' },
    }),
    'net-conf.json',
  ),
);
const LOCALS = [
  { node: 'n1', family: 4, subnet: '10.244.1.0/24', publicIp: '192.0.2.1' },
  { node: 'n1', family: 6, subnet: 'fd44:0:0:1::/64', publicIp: '2001:db8::1' },
] as const;

test('each wish gives its objects, for the families that are held', () => {
  if (NET_CONF.backend.type !== 'vxlan') throw new Error('no vxlan');
  const backend = vxlanBackend(NET_CONF.backend, {
    link: 'eth0',
    mtuBytes: 1500,
    prefixes: [],
    advertisedLinks: [],
  });
  const keys = (rules: Parameters<typeof planNetworkRules>[0], locals: readonly (typeof LOCALS)[number][]) =>
    planNetworkRules(rules, NET_CONF, backend, locals).map(keyOf);
  expect(keys({ forward: false, blackhole: false }, LOCALS)).toEqual([]);
  expect(keys({ forward: true, blackhole: false }, LOCALS)).toEqual([
    'nft table inet poplin-network',
    'nft chain inet poplin-network forward',
  ]);
  const all = { masquerade: { isFullyRandom: true }, forward: false, blackhole: true };
  expect(keys(all, LOCALS)).toHaveLength(4);
  expect(keys(all, LOCALS.slice(0, 1))).toHaveLength(3);
  expect(keys(all, [])).toEqual([]);
  const text = JSON.stringify(planNetworkRules(all, NET_CONF, backend, LOCALS));
  // Register values of oifname: both devices of the overlay are there.
  for (const name of ['flannel.1', 'flannel-v6.1'])
    expect(text).toContain(Buffer.from(name.padEnd(16, '\0')).toString('hex'));
});
