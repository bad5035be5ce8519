import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KernelObject, keyOf } from '#core/kernel/index.ts';
import { BACKEND_TYPES, parseNetConf } from '#core/lease/index.ts';
import { LISTING_1 } from '#core/lease/listings.fixture.ts';
import type { Underlay } from '#core/overlay/index.ts';
import { systemClock } from '#io/clock/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { openBackend, underlayOf } from './backend.ts';
import type { NodeAddresses } from './node-addresses.ts';

const UNDERLAY: Underlay = {
  link: 'eth0',
  mtuBytes: 1500,
  prefixes: ['192.0.2.0/24'],
  advertisedLinks: [],
};

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-backend-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function backendOf(text: string) {
  const result = parseNetConf(text, 'net-conf.json');
  if (!result.ok) throw new Error('bad fixture');
  return openBackend(result.value, {
    state: new Map(),
    underlay: UNDERLAY,
    own: { ipv4: '192.0.2.1' },
    namespace: { path: 'none' } as Namespace,
    tunnelSocket: join(folder, 'tunnel.sock'),
    wireguardKeyFile: join(folder, 'wgkey'),
    clock: systemClock,
    random: () => 0,
    logger: pino({ level: 'silent' }),
    signal: new AbortController().signal,
  });
}

describe('the backend of net-conf.json', () => {
  test.for(BACKEND_TYPES.filter((type) => type !== 'ipsec'))('%s carries packets', async (type) => {
    const text = `{"Network": "10.0.0.0/8", "Backend": {"Type": "${type}"}}`;
    const carrying = await backendOf(text);
    if (typeof carrying === 'string') throw new Error(carrying);
    await using _carrier = carrying.carrier;
    expect(carrying.backend.type).toBe(type);
    expect(carrying.carrier !== undefined).toBe(type === 'udp' || type === 'extension');
  });

  test('listing 1 is carried by a process', async () => {
    expect(await backendOf(LISTING_1)).toMatchObject({ backend: { type: 'udp' }, carrier: {} });
  });

  test('a WireGuard key that others may read is a problem until they may not', async () => {
    const carrying = await backendOf('{"Network": "10.0.0.0/8", "Backend": {"Type": "wireguard"}}');
    if (typeof carrying === 'string') throw new Error(carrying);
    expect(carrying.problemTexts?.()).toEqual([]);
    chmodSync(join(folder, 'wgkey'), 0o640);
    expect(carrying.problemTexts?.()).toEqual([expect.stringContaining('(mode 0640)')]);
    chmodSync(join(folder, 'wgkey'), 0o600);
    expect(carrying.problemTexts?.()).toEqual([]);
  });

  test('ipsec is named, with what encrypts instead', async () => {
    const psk = 'x'.repeat(96);
    expect(
      await backendOf(`{"Network": "10.0.0.0/8", "Backend": {"Type": "ipsec", "PSK": "${psk}"}}`),
    ).toMatch(/^Backend.Type: "ipsec" is not carried: .*"wireguard" encrypts$/);
  });
});

describe('the underlay', () => {
  const eth0 = { kind: 'link', name: 'eth0', detail: { type: 'other', linkKind: 'physical' } } as const;
  const stateOf = (objects: readonly KernelObject[]) =>
    new Map(objects.map((object) => [keyOf(object), object]));

  test('is what the link reaches without a router', () => {
    const address = (text: string, link = 'eth0') => ({ kind: 'address', link, address: text }) as const;
    const state = stateOf([
      { ...eth0, mtuBytes: 9000 },
      address('192.0.2.1/24'),
      address('192.0.2.9/24'),
      address('198.51.100.1/32'),
      address('2001:db8::1/64'),
      address('fe80::1/64'),
      address('203.0.113.1/24', 'eth1'),
    ]);
    const addresses: NodeAddresses = { link: { ...eth0, mtuBytes: 9000 }, reason: 'told' };
    expect(underlayOf(state, addresses, () => undefined)).toEqual({
      link: 'eth0',
      mtuBytes: 9000,
      prefixes: ['192.0.2.0/24', '198.51.100.1/32', '2001:db8::/64'],
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
