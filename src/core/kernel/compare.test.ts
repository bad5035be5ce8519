import { describe, expect, it } from 'vitest';
import { changedLinkFields, compareObjects } from './compare.ts';
import type { KernelObject, Link, Qdisc, Route, TrafficFilter } from './state.ts';

const vxlan: Link = {
  kind: 'link',
  name: 'flannel.1',
  detail: { type: 'vxlan', vni: 1, port: 8472, local: '192.0.2.1', underlay: 'eth0', learning: false },
  up: true,
  mtuBytes: 1450,
  mac: '02:00:00:00:00:01',
  alias: 'poplin:overlay',
};
const veth: Link = { kind: 'link', name: 'veth0', detail: { type: 'veth' }, up: true, master: 'cni0' };
const route: Route = {
  kind: 'route',
  dst: '10.0.1.0/24',
  nextHops: [
    { via: '10.0.0.2', link: 'eth0', weight: 1 },
    { via: '10.0.0.3', link: 'eth1' },
  ],
  protocol: 112,
};
const neighbour: KernelObject = {
  kind: 'neighbour',
  link: 'eth0',
  address: '10.0.0.2',
  mac: '02:00:00:00:00:02',
  protocol: 112,
};
const address: KernelObject = { kind: 'address', link: 'eth0', address: 'fd00::1/64', scope: 'global' };
const element: KernelObject = {
  kind: 'nft-element',
  family: 'inet',
  table: 't',
  set: 's',
  key: ['10.0.0.1'],
  data: ['1'],
};

type Row = readonly [string, KernelObject, KernelObject, ReturnType<typeof compareObjects>];

const withRate = (rateBytesPerSec: number): Qdisc => ({
  kind: 'qdisc',
  link: 'veth0',
  parent: 'root',
  handle: 0x113,
  detail: { type: 'tbf', rateBytesPerSec, bucketTicks: 6_250_000, limitBytes: 53_125 },
});
const tbf = withRate(125_000);
const ingress: Qdisc = { kind: 'qdisc', link: 'veth0', parent: 'ingress', detail: { type: 'ingress' } };
const filter: TrafficFilter = {
  kind: 'filter',
  link: 'veth0',
  parent: 'ingress',
  preference: 113,
  redirect: 'ifb0',
};

const ROWS: readonly Row[] = [
  ['a link as wanted', vxlan, vxlan, 'same'],
  [
    'a link without opinion on MAC and MTU',
    { kind: 'link', name: 'flannel.1', detail: vxlan.detail },
    vxlan,
    'same',
  ],
  [
    'a link that the kernel knows more of',
    vxlan,
    { ...vxlan, promiscuous: false, addressGeneration: 'none' },
    'same',
  ],
  [
    'a VXLAN device whose outer checksums differ, which speak of its making only',
    { ...vxlan, detail: { ...vxlan.detail, udpChecksum: false } as Link['detail'] },
    { ...vxlan, detail: { ...vxlan.detail, udpChecksum: true } as Link['detail'] },
    'same',
  ],
  ['a link with another MTU', vxlan, { ...vxlan, mtuBytes: 1500 }, 'replace'],
  ['a link with another MAC', vxlan, { ...vxlan, mac: '02:00:00:00:00:09' }, 'replace'],
  ['a link that is down', vxlan, { ...vxlan, up: false }, 'replace'],
  ['a link without our alias', vxlan, { kind: 'link', name: 'flannel.1', detail: vxlan.detail }, 'replace'],
  [
    'a link of another VNI',
    vxlan,
    { ...vxlan, detail: { ...vxlan.detail, vni: 2 } as Link['detail'] },
    'recreate',
  ],
  [
    'a bridge with another option',
    { ...veth, detail: { type: 'bridge', vlanFiltering: true } },
    { ...veth, detail: { type: 'bridge', vlanFiltering: false } },
    'replace',
  ],
  [
    'a port in the VLANs wanted',
    { ...veth, vlans: [{ from: 7 }] },
    { ...veth, vlans: [{ from: 7, to: 7 }] },
    'same',
  ],
  ['a port in VLANs nobody spoke of', veth, { ...veth, vlans: [{ from: 1, pvid: true }] }, 'same'],
  ['a port that should be in none', { ...veth, vlans: [] }, { ...veth, vlans: [{ from: 1 }] }, 'replace'],
  ['a port that should be in one', { ...veth, vlans: [{ from: 7 }] }, veth, 'replace'],
  ['a link of another type', vxlan, { ...vxlan, detail: { type: 'dummy' } }, 'recreate'],
  [
    'a veth whose peer is not seen',
    { ...veth, detail: { type: 'veth', peer: { name: 'eth0' } } },
    veth,
    'same',
  ],
  ['a port of another bridge', veth, { ...veth, master: 'br1' }, 'replace'],
  ['a port that should be none', { ...veth, master: '' }, veth, 'replace'],
  ['an address as wanted', address, address, 'same'],
  ['an address, whatever was said of its detection', { ...address, noDad: true }, address, 'same'],
  ['an address of another scope', address, { ...address, scope: 'link' }, 'recreate'],
  ['an address with a route of its prefix', { ...address, noPrefixRoute: true }, address, 'recreate'],
  [
    'a route as wanted, hops in another order',
    route,
    { ...route, nextHops: [...route.nextHops].reverse() },
    'same',
  ],
  [
    'a route with its defaults spelt out',
    route,
    { ...route, type: 'unicast', metric: 0, table: 254, scope: 'global' },
    'same',
  ],
  [
    'an IPv6 route with its metric spelt out',
    { ...route, dst: 'fd00::/64' },
    { ...route, dst: 'fd00::/64', metric: 1024 },
    'same',
  ],
  ['a route by one hop less', route, { ...route, nextHops: route.nextHops.slice(1) }, 'replace'],
  [
    'a route with other weights',
    route,
    { ...route, nextHops: route.nextHops.map((hop) => ({ ...hop, weight: 2 })) },
    'replace',
  ],
  [
    'a route that is not onlink',
    { ...route, nextHops: [{ link: 'eth0', onlink: true }] },
    { ...route, nextHops: [{ link: 'eth0' }] },
    'replace',
  ],
  ['a route of another type', route, { ...route, type: 'blackhole', nextHops: [] }, 'replace'],
  ['a route of another protocol', route, { ...route, protocol: 4 }, 'replace'],
  ['a route with a source nobody wanted', route, { ...route, preferredSource: '10.0.0.1' }, 'replace'],
  ['a route with an MTU nobody wanted', route, { ...route, mtuBytes: 1400 }, 'replace'],
  ['a route with an MSS nobody wanted', route, { ...route, advMssBytes: 1360 }, 'replace'],
  ['a route of another scope', { ...route, scope: 'link' }, { ...route, scope: 'global' }, 'replace'],
  ['a neighbour as wanted', neighbour, neighbour, 'same'],
  ['a neighbour with another MAC', neighbour, { ...neighbour, mac: '02:00:00:00:00:03' }, 'replace'],
  [
    'a forwarding entry to another tunnel end',
    { kind: 'fdb', link: 'vx0', mac: '02:00:00:00:00:01', dst: '192.0.2.1' },
    { kind: 'fdb', link: 'vx0', mac: '02:00:00:00:00:01', dst: '192.0.2.2' },
    'replace',
  ],
  [
    'a sysctl with another value',
    { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' },
    { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '0' },
    'replace',
  ],
  [
    'a rule with the mask it asks for',
    { kind: 'rule', family: 4, priority: 1, mark: { value: 1, mask: 15 }, table: 1, protocol: 112 },
    { kind: 'rule', family: 4, priority: 1, mark: { value: 1, mask: 15 }, table: 1, protocol: 112 },
    'same',
  ],
  [
    'a rule without the mark it asks for',
    { kind: 'rule', family: 4, priority: 1, mark: { value: 1, mask: 15 }, table: 1, protocol: 112 },
    { kind: 'rule', family: 4, priority: 1, table: 1, protocol: 112 },
    'replace',
  ],
  ['a bucket as wanted', tbf, tbf, 'same'],
  ['a bucket of another rate', tbf, withRate(250_000), 'replace'],
  ['a bucket under another handle', tbf, { ...tbf, handle: 1 }, 'replace'],
  ['another kind of qdisc', tbf, { ...tbf, detail: { type: 'other', qdiscKind: 'htb' } }, 'recreate'],
  ['clsact where ingress is wanted', ingress, { ...ingress, detail: { type: 'clsact' } }, 'same'],
  ['ingress where clsact is wanted', { ...ingress, detail: { type: 'clsact' } }, ingress, 'recreate'],
  ['a filter as wanted', filter, filter, 'same'],
  ['a filter whose target is gone', filter, { ...filter, redirect: '' }, 'replace'],
  ['an element as wanted', element, element, 'same'],
  ['an element with other data', element, { ...element, data: ['2'] }, 'replace'],
];

describe('compareObjects', () => {
  it.each(ROWS)('finds %s', (_, desired, actual, expected) => {
    expect(compareObjects(desired, actual)).toBe(expected);
  });

  it('has a row for every kind that is not of nf_tables, and for one that is', () => {
    const kinds = new Set(ROWS.map(([, desired]) => desired.kind));
    expect([...kinds].sort()).toEqual(
      [
        'address',
        'fdb',
        'filter',
        'link',
        'neighbour',
        'nft-element',
        'qdisc',
        'route',
        'rule',
        'sysctl',
      ].sort(),
    );
  });
});

describe('changedLinkFields', () => {
  it('names what differs from the wish, and nothing the wish does not speak of', () => {
    const actual: Link = { ...vxlan, up: false, mtuBytes: 1500, promiscuous: true };
    expect(changedLinkFields(vxlan, actual)).toEqual(['up', 'mtuBytes']);
    expect(changedLinkFields(vxlan, vxlan)).toEqual([]);
  });
});
