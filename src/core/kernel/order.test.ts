import { describe, expect, it } from 'vitest';
import { describeObject } from './describe.ts';
import { compareAdditions, linksOf, lowerLink, sysctlLink } from './order.ts';
import type { KernelObject, Link } from './state.ts';

const sysctl = (path: string): KernelObject => ({ kind: 'sysctl', path, value: '1' });
const link = (name: string, detail: Link['detail'], master = ''): Link => ({
  kind: 'link',
  name,
  detail,
  master,
});

const IN_ORDER: readonly KernelObject[] = [
  sysctl('net/ipv4/ip_forward'),
  sysctl('net/ipv6/conf/default/accept_dad'),
  link('br0', { type: 'bridge' }),
  link('dummy0', { type: 'dummy' }),
  link('port0', { type: 'veth' }, 'br0'),
  link('mv0', { type: 'macvlan', parent: 'port0', mode: 'bridge' }),
  link('vx0', { type: 'vxlan', vni: 1, port: 8472, underlay: 'br0', learning: false }),
  link('vx1', { type: 'vxlan', vni: 2, port: 8472, underlay: 'br0', learning: false }, 'br0'),
  sysctl('net/ipv6/conf/eth0/accept_ra'),
  sysctl('net/ipv4/neigh/eth0/base_reachable_time'),
  sysctl('net/ipv6/conf/all/forwarding'),
  {
    kind: 'qdisc',
    link: 'vx0',
    parent: 'root',
    detail: { type: 'tbf', rateBytesPerSec: 1, bucketTicks: 1, limitBytes: 1 },
  },
  { kind: 'filter', link: 'vx0', parent: 'ingress', preference: 113, redirect: 'dummy0' },
  { kind: 'wireguard-device', link: 'wg0', privateKey: 'secret' },
  { kind: 'wireguard-peer', link: 'wg0', publicKey: 'public' },
  { kind: 'wireguard-allowed-ip', link: 'wg0', prefix: '10.0.2.0/24', publicKey: 'public' },
  { kind: 'address', link: 'vx0', address: '10.0.0.0/32' },
  { kind: 'neighbour', link: 'vx0', address: '10.0.1.0', mac: '02:00:00:00:00:01', protocol: 112 },
  { kind: 'fdb', link: 'vx0', mac: '02:00:00:00:00:01', dst: '192.0.2.1' },
  { kind: 'route', dst: '10.0.1.0/32', nextHops: [{ link: 'vx0' }], protocol: 112 },
  { kind: 'route', dst: '10.0.1.0/24', nextHops: [{ via: '10.0.1.0', link: 'vx0' }], protocol: 112 },
  { kind: 'rule', family: 4, priority: 1, table: 1, protocol: 112 },
  { kind: 'nft-table', family: 'inet', name: 't' },
  { kind: 'nft-set', family: 'inet', table: 't', name: 's', keyType: ['ipv4_addr'] },
  { kind: 'nft-chain', family: 'inet', table: 't', name: 'c', rules: [] },
  { kind: 'nft-element', family: 'inet', table: 't', set: 's', key: ['10.0.0.1'] },
];

describe('compareAdditions', () => {
  it('puts everything behind what it needs, and keeps the order of equals', () => {
    const texts = IN_ORDER.map(describeObject);
    expect([...IN_ORDER].sort(compareAdditions).map(describeObject)).toEqual(texts);
    // Reversed, only equals may be found in another order.
    const back = [...IN_ORDER].reverse().sort(compareAdditions);
    for (const [at, object] of back.entries())
      expect(compareAdditions(object, IN_ORDER[at] as KernelObject)).toBe(0);
  });
});

describe('linksOf', () => {
  it.each<[string, KernelObject, string[]]>([
    ['an address', { kind: 'address', link: 'a', address: '10.0.0.1/32' }, ['a']],
    ['a sysctl of a link', sysctl('net/ipv4/conf/a/rp_filter'), ['a']],
    ['a sysctl of all links', sysctl('net/ipv4/conf/all/rp_filter'), []],
    [
      'a route without a link',
      { kind: 'route', dst: '::/0', nextHops: [{ via: 'fe80::1' }], protocol: 4 },
      [],
    ],
    [
      'a route by two',
      { kind: 'route', dst: '::/0', nextHops: [{ link: 'a' }, { link: 'b' }], protocol: 4 },
      ['a', 'b'],
    ],
    ['a qdisc', { kind: 'qdisc', link: 'a', parent: 'ingress', detail: { type: 'ingress' } }, ['a']],
    [
      'a filter that redirects',
      { kind: 'filter', link: 'a', parent: 'ingress', preference: 1, redirect: 'b' },
      ['a', 'b'],
    ],
    [
      'a filter whose target is gone',
      { kind: 'filter', link: 'a', parent: 'ingress', preference: 1, redirect: '' },
      ['a'],
    ],
    ['a link', link('mv0', { type: 'macvlan', parent: 'a', mode: 'bridge' }), []],
  ])('of %s', (_, object, expected) => {
    expect(linksOf(object)).toEqual(expected);
  });
});

describe('lowerLink', () => {
  it('is what a link cannot be without', () => {
    expect(IN_ORDER.flatMap((object) => (object.kind === 'link' ? [lowerLink(object)] : []))).toEqual([
      undefined,
      undefined,
      undefined,
      'port0',
      'br0',
      'br0',
    ]);
  });
});

describe('sysctlLink', () => {
  it.each([
    ['net/ipv4/conf/eth0/rp_filter', 'eth0'],
    ['net/ipv6/conf/veth.1/accept_ra', 'veth.1'],
    ['net/ipv6/neigh/eth0/retrans_time', 'eth0'],
    ['net/ipv4/conf/all/rp_filter', undefined],
    ['net/ipv6/conf/default/accept_ra', undefined],
    ['net/ipv4/ip_forward', undefined],
  ])('of %s is %s', (path, expected) => {
    expect(sysctlLink(path)).toBe(expected);
  });
});
