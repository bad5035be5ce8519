import { describe, expect, it } from 'vitest';
import type { SubnetLease } from './model.ts';
import type { NetConf } from './net-conf.ts';
import { decodeSubnetEnv, encodeSubnetEnv, SubnetEnvError } from './subnet-env.ts';

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

describe('decodeSubnetEnv', () => {
  const FILE = '/run/flannel/subnet.env';
  const V4 = 'FLANNEL_NETWORK=10.10.0.0/16\nFLANNEL_SUBNET=10.10.16.1/20\n';
  const REST = 'FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';

  it('reads what is written, in both families', () => {
    expect(decodeSubnetEnv(encodeSubnetEnv(NET_CONF, LEASE, 1430, true), FILE)).toEqual({
      network: ['10.10.0.0/16'],
      subnet: '10.10.16.0/20',
      ipv6Network: ['fd10::/48'],
      ipv6Subnet: 'fd10:0:0:1::/64',
      mtuBytes: 1430,
      ipMasq: true,
    });
  });

  it('takes any order, other keys, lists of networks and IPv6 alone', () => {
    expect(decodeSubnetEnv(`OTHER=1\n${REST}\n${V4}`, FILE)).toEqual({
      network: ['10.10.0.0/16'],
      subnet: '10.10.16.0/20',
      ipv6Network: [],
      mtuBytes: 1450,
      ipMasq: true,
    });
    expect(
      decodeSubnetEnv(
        `FLANNEL_IPV6_NETWORK=fd10::/48,fd11::/48\nFLANNEL_IPV6_SUBNET=fd10::1/64\n${REST}`,
        FILE,
      ),
    ).toEqual({
      network: [],
      ipv6Network: ['fd10::/48', 'fd11::/48'],
      ipv6Subnet: 'fd10::/64',
      mtuBytes: 1450,
      ipMasq: true,
    });
  });

  it.each([
    [
      '',
      'is missing FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU, FLANNEL_IPMASQ',
    ],
    [`${V4}FLANNEL_IPMASQ=true\n`, 'is missing FLANNEL_MTU'],
    [`${V4}FLANNEL_MTU=1450\n`, 'is missing FLANNEL_IPMASQ'],
    [`FLANNEL_NETWORK=10.10.0.0/16\n${REST}`, 'is missing FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET'],
    [`${V4}FLANNEL_IPV6_SUBNET=fd10::1/64\n${REST}`, 'is missing FLANNEL_IPV6_NETWORK'],
    [`${V4}FLANNEL_IPV6_NETWORK=fd10::/64\n${REST}`, 'is missing FLANNEL_IPV6_SUBNET'],
  ])('names the missing keys: %#', (text, expected) => {
    expect(() => decodeSubnetEnv(text, FILE)).toThrow(new SubnetEnvError(`${FILE} ${expected}`));
  });

  it.each([
    [
      V4.replace('10.10.16.1', 'fd10::1') + REST,
      'FLANNEL_SUBNET is "fd10::1/20", not an IPv4 subnet like 10.244.1.1/24',
    ],
    [
      `${V4}FLANNEL_MTU=big\nFLANNEL_IPMASQ=true\n`,
      'FLANNEL_MTU is "big", not a number of bytes from 1 to 65535',
    ],
    [
      `${V4}FLANNEL_MTU=0\nFLANNEL_IPMASQ=true\n`,
      'FLANNEL_MTU is "0", not a number of bytes from 1 to 65535',
    ],
    [`${V4}FLANNEL_MTU=1450\nFLANNEL_IPMASQ=yes\n`, 'FLANNEL_IPMASQ is "yes", not true or false'],
  ])('names a bad value: %#', (text, expected) => {
    expect(() => decodeSubnetEnv(text, FILE)).toThrow(new SubnetEnvError(`${FILE}: ${expected}`));
  });

  it('writes back what flannel wrote, byte for byte', () => {
    const recorded = `\
FLANNEL_NETWORK=10.10.0.0/16
FLANNEL_SUBNET=10.10.16.1/20
FLANNEL_IPV6_NETWORK=fd10::/48
FLANNEL_IPV6_SUBNET=fd10:0:0:1::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=true
`;
    const { subnet, ipv6Subnet, mtuBytes, ipMasq } = decodeSubnetEnv(recorded, FILE);
    const lease: SubnetLease = {
      ...LEASE,
      ipv4: { subnet: subnet ?? '' },
      ipv6: { subnet: ipv6Subnet ?? '' },
    };
    expect(encodeSubnetEnv(NET_CONF, lease, mtuBytes, ipMasq)).toBe(recorded);
  });
});
