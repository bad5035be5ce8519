import { describe, expect, it } from 'vitest';
import { describeObject, describeOp } from './describe.ts';
import type { KernelObject, KernelObjectKind } from './state.ts';

const set = {
  kind: 'nft-set',
  family: 'inet',
  table: 'poplin-overlay',
  name: 'peers4',
  keyType: ['ipv4_addr'],
} as const;

const ROWS: readonly (readonly [string, KernelObject])[] = [
  [
    'link tap0 type tun mode tap up',
    { kind: 'link', name: 'tap0', detail: { type: 'tun', mode: 'tap' }, up: true },
  ],
  ['link br0 type bridge', { kind: 'link', name: 'br0', detail: { type: 'bridge' } }],
  [
    'link flannel.1 type vxlan id 1 dstport 8472 address 02:00:00:00:00:01 mtu 1450 up',
    {
      kind: 'link',
      name: 'flannel.1',
      detail: { type: 'vxlan', vni: 1, port: 8472, learning: false },
      mac: '02:00:00:00:00:01',
      mtuBytes: 1450,
      up: true,
      alias: 'poplin:overlay',
    },
  ],
  [
    'link veth0 type veth master cni0 down',
    { kind: 'link', name: 'veth0', detail: { type: 'veth' }, master: 'cni0', up: false },
  ],
  ['address fd00::1/64 dev eth0', { kind: 'address', link: 'eth0', address: 'fd00::1/64' }],
  [
    'route 10.0.1.0/24 via 10.0.1.0 dev flannel.1 onlink',
    {
      kind: 'route',
      dst: '10.0.1.0/24',
      nextHops: [{ via: '10.0.1.0', link: 'flannel.1', onlink: true }],
      protocol: 112,
    },
  ],
  [
    'route 10.0.1.5/32 dev veth0 table 112 metric 5 src 10.0.1.1',
    {
      kind: 'route',
      dst: '10.0.1.5/32',
      nextHops: [{ link: 'veth0' }],
      table: 112,
      metric: 5,
      preferredSource: '10.0.1.1',
      protocol: 112,
    },
  ],
  [
    'route fd01::/64 nexthop via fe80::1 dev eth0 nexthop via fe80::2 dev eth1 weight 3',
    {
      kind: 'route',
      dst: 'fd01::/64',
      nextHops: [
        { via: 'fe80::1', link: 'eth0', weight: 1 },
        { via: 'fe80::2', link: 'eth1', weight: 3 },
      ],
      protocol: 112,
    },
  ],
  [
    'route unreachable fd01::/64 metric 65000',
    { kind: 'route', type: 'unreachable', dst: 'fd01::/64', nextHops: [], metric: 65_000, protocol: 112 },
  ],
  [
    'neighbour 10.0.1.0 lladdr 02:00:00:00:00:02 dev flannel.1',
    { kind: 'neighbour', address: '10.0.1.0', mac: '02:00:00:00:00:02', link: 'flannel.1', protocol: 112 },
  ],
  [
    'fdb 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2',
    { kind: 'fdb', mac: '02:00:00:00:00:02', link: 'flannel.1', dst: '192.0.2.2' },
  ],
  [
    'rule -4 7 from 10.0.0.0/24 lookup 112',
    { kind: 'rule', family: 4, priority: 7, from: '10.0.0.0/24', table: 112, protocol: 112 },
  ],
  [
    'rule -6 8 to fd00::/8 fwmark 1/15 iif eth0 oif eth1 lookup 9',
    {
      kind: 'rule',
      family: 6,
      priority: 8,
      to: 'fd00::/8',
      mark: { value: 1, mask: 15 },
      inputLink: 'eth0',
      outputLink: 'eth1',
      table: 9,
      protocol: 112,
    },
  ],
  [
    'qdisc tbf dev veth0 root handle 113: rate 125000bps bucket 6250000 ticks limit 53125b',
    {
      kind: 'qdisc',
      link: 'veth0',
      parent: 'root',
      handle: 0x113,
      detail: { type: 'tbf', rateBytesPerSec: 125_000, bucketTicks: 6_250_000, limitBytes: 53_125 },
    },
  ],
  [
    'qdisc htb dev eth0 root handle 1:',
    {
      kind: 'qdisc',
      link: 'eth0',
      parent: 'root',
      handle: 1,
      detail: { type: 'other', qdiscKind: 'htb' },
    },
  ],
  [
    'qdisc ingress dev veth0 ingress',
    { kind: 'qdisc', link: 'veth0', parent: 'ingress', detail: { type: 'ingress' } },
  ],
  [
    'filter dev veth0 ingress pref 113 redirect dev ifb0',
    { kind: 'filter', link: 'veth0', parent: 'ingress', preference: 113, redirect: 'ifb0' },
  ],
  ['filter dev veth0 ingress pref 1', { kind: 'filter', link: 'veth0', parent: 'ingress', preference: 1 }],
  [
    'link flannel.ipip type ipip local 192.0.2.1 mtu 1480 up',
    {
      kind: 'link',
      name: 'flannel.ipip',
      detail: { type: 'ipip', local: '192.0.2.1', ttl: 64 },
      mtuBytes: 1480,
      up: true,
    },
  ],
  [
    'link flannel-v6.ipip type ip6tnl external',
    { kind: 'link', name: 'flannel-v6.ipip', detail: { type: 'ip6tnl', external: true } },
  ],
  [
    'route fd01::/64 encap ip6 dst 2001:db8::2 src 2001:db8::1 hoplimit 64 dev flannel-v6.ipip',
    {
      kind: 'route',
      dst: 'fd01::/64',
      nextHops: [
        { link: 'flannel-v6.ipip', encap: { dst: '2001:db8::2', src: '2001:db8::1', hopLimit: 64 } },
      ],
      protocol: 112,
    },
  ],
  [
    'route 10.0.1.0/24 encap ip dst 192.0.2.2 dev tun0',
    {
      kind: 'route',
      dst: '10.0.1.0/24',
      nextHops: [{ link: 'tun0', encap: { dst: '192.0.2.2' } }],
      protocol: 112,
    },
  ],
  // Secrets are left out.
  [
    'wireguard dev flannel-wg listen-port 51820',
    { kind: 'wireguard-device', link: 'flannel-wg', privateKey: 'secret', listenPort: 51_820 },
  ],
  [
    'wireguard peer public dev flannel-wg endpoint [2001:db8::2]:51820 persistent-keepalive 25',
    {
      kind: 'wireguard-peer',
      link: 'flannel-wg',
      publicKey: 'public',
      presharedKey: 'secret',
      endpoint: { address: '2001:db8::2', port: 51_820 },
      keepaliveSec: 25,
      rank: 1,
    },
  ],
  [
    'wireguard allowed-ip 10.0.1.0/24 dev flannel-wg peer public',
    { kind: 'wireguard-allowed-ip', link: 'flannel-wg', prefix: '10.0.1.0/24', publicKey: 'public' },
  ],
  ['sysctl net/ipv4/ip_forward=1', { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' }],
  ['nft table inet poplin-overlay', { kind: 'nft-table', family: 'inet', name: 'poplin-overlay' }],
  ['nft set inet poplin-overlay peers4', set],
  [
    'nft chain inet poplin-overlay input',
    { kind: 'nft-chain', family: 'inet', table: 'poplin-overlay', name: 'input', rules: [] },
  ],
  [
    'nft element inet poplin-overlay peers4 192.0.2.2',
    { kind: 'nft-element', family: 'inet', table: 'poplin-overlay', set: 'peers4', key: ['192.0.2.2'] },
  ],
];

describe('describeObject', () => {
  it.each(ROWS)('says %s', (text, object) => {
    expect(describeObject(object)).toBe(text);
  });

  it('has words for every kind', () => {
    const kinds: Record<KernelObjectKind, boolean> = {
      link: true,
      address: true,
      route: true,
      neighbour: true,
      fdb: true,
      rule: true,
      qdisc: true,
      filter: true,
      'wireguard-device': true,
      'wireguard-peer': true,
      'wireguard-allowed-ip': true,
      sysctl: true,
      'nft-table': true,
      'nft-chain': true,
      'nft-set': true,
      'nft-element': true,
    };
    expect(new Set(ROWS.map(([, object]) => object.kind))).toEqual(new Set(Object.keys(kinds)));
  });
});

describe('describeOp', () => {
  it('begins with the verb', () => {
    expect(describeOp({ verb: 'remove', object: set })).toBe('remove nft set inet poplin-overlay peers4');
    expect(describeOp({ verb: 'replace', object: set, previous: set })).toBe(
      'replace nft set inet poplin-overlay peers4',
    );
  });
});
