import { describe, expect, test } from 'vitest';
import { type KernelObject, keyOf } from '#core/kernel/index.ts';
import { parseNetConf } from '#core/lease/index.ts';
import { LISTING_1 } from '#core/lease/listings.fixture.ts';
import type { Underlay } from '#core/overlay/index.ts';
import { backendFor, underlayOf } from './backend.ts';
import type { NodeAddresses } from './node-addresses.ts';

const UNDERLAY: Underlay = {
  link: 'eth0',
  mtuBytes: 1500,
  prefixes: ['192.0.2.0/24'],
  advertisedLinks: [],
};

function backendOf(text: string) {
  const result = parseNetConf(text, 'net-conf.json');
  if (!result.ok) throw new Error('bad fixture');
  return backendFor(result.value.backend, UNDERLAY);
}

describe('the backend of net-conf.json', () => {
  test.for(['vxlan', 'host-gw', 'alloc'] as const)('%s carries packets', (type) => {
    expect(backendOf(`{"Network": "10.0.0.0/8", "Backend": {"Type": "${type}"}}`)).toMatchObject({
      backend: { type },
    });
  });

  test.for([[LISTING_1, 'Backend.Type: "udp" is not carried']] as const)(
    'any other is named, with what works: $1',
    ([text, words]) => {
      expect(backendOf(text)).toContain(words);
      expect(backendOf(text)).toContain('"vxlan" works');
    },
  );
});

describe('the underlay', () => {
  const eth0 = { kind: 'link', name: 'eth0', detail: { type: 'other', linkKind: 'physical' } } as const;
  const route = (dst: string, more: object = {}) =>
    ({ kind: 'route', dst, nextHops: [{ link: 'eth0' }], protocol: 2, ...more }) as const;
  const stateOf = (objects: readonly KernelObject[]) =>
    new Map(objects.map((object) => [keyOf(object), object]));

  test('is what the link reaches without a router', () => {
    const state = stateOf([
      { ...eth0, mtuBytes: 9000 },
      route('192.0.2.0/24'),
      route('2001:db8::/64'),
      route('fe80::/64'),
      route('0.0.0.0/0'),
      route('198.51.100.0/24', { nextHops: [{ via: '192.0.2.254', link: 'eth0' }] }),
      route('203.0.113.0/24', { nextHops: [{ link: 'eth1' }] }),
      route('192.0.2.1/32', { type: 'local', table: 255 }),
    ]);
    const addresses: NodeAddresses = { link: { ...eth0, mtuBytes: 9000 }, reason: 'told' };
    expect(underlayOf(state, addresses, () => undefined)).toEqual({
      link: 'eth0',
      mtuBytes: 9000,
      prefixes: ['192.0.2.0/24', '2001:db8::/64'],
      advertisedLinks: [],
    });
  });

  test('keeps heeding router advertisements on links of others that heed them now', () => {
    const state = stateOf([
      eth0,
      { ...eth0, name: 'eth1' },
      { ...eth0, name: 'flannel.1', alias: 'poplin:overlay' },
    ]);
    const sysctls: Record<string, string> = {
      'net/ipv6/conf/eth0/accept_ra': '1',
      'net/ipv6/conf/eth1/accept_ra': '0',
      'net/ipv6/conf/flannel.1/accept_ra': '2',
      'net/ipv6/conf/all/forwarding': '0',
    };
    const { advertisedLinks } = underlayOf(state, { link: eth0, reason: 'told' }, (path) => sysctls[path]);
    expect(advertisedLinks).toEqual(['eth0']);
  });
});
