import { describe, expect, it } from 'vitest';
import type { SubnetLease } from './model.ts';
import type { NetConf } from './net-conf.ts';
import { encodeSubnetEnv } from './subnet-env.ts';

const NET_CONF: NetConf = {
  ipv4: { network: '10.10.0.0/16', subnetLen: 20, subnetMin: '10.10.0.0', subnetMax: '10.10.240.0' },
  ipv6: { network: 'fd10::/48', subnetLen: 64, subnetMin: 'fd10::', subnetMax: 'fd10:0:0:ffff::' },
  enableNFTables: false,
  backend: { type: 'alloc' },
};
const LEASE: SubnetLease = {
  node: 'node-a',
  ownerUid: 'uid',
  ipv4: { subnet: '10.10.16.0/20' },
  ipv6: { subnet: 'fd10:0:0:1::/64' },
  backendType: 'vxlan',
  renewedAtMs: 0,
  durationSec: 86_400,
  reserved: false,
};
const { ipv4: _v4, ...V6_LEASE } = LEASE;
const { ipv6: _v6, ...V4_LEASE } = LEASE;

describe('encodeSubnetEnv', () => {
  it.each<[string, SubnetLease, boolean, string]>([
    [
      'both families',
      LEASE,
      false,
      `\
FLANNEL_NETWORK=10.10.0.0/16
FLANNEL_SUBNET=10.10.16.1/20
FLANNEL_IPV6_NETWORK=fd10::/48
FLANNEL_IPV6_SUBNET=fd10:0:0:1::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=false
`,
    ],
    [
      'IPv4',
      V4_LEASE,
      true,
      `\
FLANNEL_NETWORK=10.10.0.0/16
FLANNEL_SUBNET=10.10.16.1/20
FLANNEL_MTU=1430
FLANNEL_IPMASQ=true
`,
    ],
    [
      'IPv6',
      V6_LEASE,
      false,
      `\
FLANNEL_IPV6_NETWORK=fd10::/48
FLANNEL_IPV6_SUBNET=fd10:0:0:1::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=false
`,
    ],
  ])("is flannel's file, byte for byte: %s", (_, lease, ipMasq, expected) => {
    expect(encodeSubnetEnv(NET_CONF, lease, 1430, ipMasq)).toBe(expected);
  });
});
