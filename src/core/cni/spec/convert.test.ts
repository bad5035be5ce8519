import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeResult } from './decode.ts';
import { encodeResult } from './encode.ts';
import { isCniError } from './error.ts';
import type { JsonObject } from './json.ts';
import type { CniIp, CniResult, CniRoute } from './result.ts';
import { CNI_VERSIONS, type CniVersion, isAtLeast } from './version.ts';

/** A result that uses every field. */
const full: CniResult = {
  interfaces: [
    { name: 'cni0', mac: '00:11:22:33:44:55' },
    {
      name: 'eth0',
      mac: '99:88:77:66:55:44',
      mtu: 1450,
      sandbox: '/var/run/netns/blue',
      socketPath: '/run/vhost.sock',
      pciID: '0000:04:00.5',
    },
  ],
  ips: [
    { interface: 1, address: '10.1.0.5/16', gateway: '10.1.0.1' },
    { interface: 1, address: 'fd00::5/64', gateway: 'fd00::1' },
    { address: '10.2.0.5/16' },
  ],
  routes: [
    { dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400, advmss: 1360, priority: 10, table: 100, scope: 0 },
    { dst: '192.168.0.0/24' },
    { dst: '::/0', gw: 'fd00::1' },
  ],
  dns: {
    nameservers: ['10.1.0.1', 'fd00::53'],
    domain: 'lab',
    search: ['svc.lab', 'lab'],
    options: ['ndots:5'],
  },
};

const plainRoutes = [
  { dst: '0.0.0.0/0', gw: '10.1.0.1' },
  { dst: '192.168.0.0/24' },
  { dst: '::/0', gw: 'fd00::1' },
];
const familyShape = {
  ip4: { ip: '10.1.0.5/16', gateway: '10.1.0.1', routes: plainRoutes.slice(0, 2) },
  ip6: { ip: 'fd00::5/64', gateway: 'fd00::1', routes: plainRoutes.slice(2) },
  dns: full.dns,
};
const listShape = {
  interfaces: [
    { name: 'cni0', mac: '00:11:22:33:44:55' },
    { name: 'eth0', mac: '99:88:77:66:55:44', sandbox: '/var/run/netns/blue' },
  ],
  ips: [
    { version: '4', interface: 1, address: '10.1.0.5/16', gateway: '10.1.0.1' },
    { version: '6', interface: 1, address: 'fd00::5/64', gateway: 'fd00::1' },
    { version: '4', address: '10.2.0.5/16' },
  ],
  routes: plainRoutes,
  dns: full.dns,
};
const modernShape = { interfaces: full.interfaces, ips: full.ips, routes: full.routes, dns: full.dns };
const SHAPES: Readonly<Record<CniVersion, JsonObject>> = {
  '0.1.0': familyShape,
  '0.2.0': familyShape,
  '0.3.0': listShape,
  '0.3.1': listShape,
  '0.4.0': listShape,
  '1.0.0': modernShape,
  '1.1.0': modernShape,
};

describe('a result', () => {
  test.each(CNI_VERSIONS)('in %s has the shape that version prescribes', (version) => {
    expect(encodeResult(full, version)).toStrictEqual({ cniVersion: version, ...SHAPES[version] });
  });

  test.each(CNI_VERSIONS)('leaves out in %s what is empty', (version) => {
    const ip = { address: '10.1.0.5/16' };
    const encoded = encodeResult({ interfaces: [], ips: [ip], routes: [], dns: { search: [] } }, version);
    const body = isAtLeast(version, '1.0.0') ? { ips: [ip] } : { ips: [{ version: '4', ...ip }] };
    const expected = isAtLeast(version, '0.3.0') ? body : { ip4: { ip: '10.1.0.5/16' } };
    expect(encoded).toStrictEqual({ cniVersion: version, ...expected });
  });

  test('without an address is refused by 0.1.0 and 0.2.0, which have no words for it', () => {
    for (const version of ['0.1.0', '0.2.0'] as const) {
      const empty = { interfaces: [{ name: 'eth0' }], ips: [], routes: [] };
      expect(() => encodeResult(empty, version)).toThrow('needs an IP address');
    }
    expect(encodeResult({ interfaces: [], ips: [], routes: [] }, '0.3.0')).toStrictEqual({
      cniVersion: '0.3.0',
    });
  });

  test('of any version is read whatever the configuration says, by its own stamp', () => {
    for (const version of CNI_VERSIONS) {
      const decoded = decodeResult(encodeResult(full, version), '1.1.0');
      expect(decoded.ips[0]?.address).toBe('10.1.0.5/16');
      expect(encodeResult(decoded, version)).toStrictEqual(encodeResult(full, version));
    }
  });

  test('without a stamp has the shape of the configuration it came with', () => {
    expect(decodeResult({ ip4: { ip: '10.1.0.5/16' } }).ips).toEqual([{ address: '10.1.0.5/16' }]);
    expect(decodeResult({ ips: [{ address: '10.1.0.5/16' }] }, '1.0.0').ips).toEqual([
      { address: '10.1.0.5/16' },
    ]);
  });

  test('as Go writers leave it, with nulls and empty strings, is read as if they were absent', () => {
    const json = {
      cniVersion: '0.4.0',
      interfaces: [{ name: 'eth0', mac: '', sandbox: '' }],
      ips: [{ version: '4', address: '10.1.0.5/16', gateway: '', interface: null }],
      routes: null,
      dns: {},
    };
    expect(decodeResult(json)).toStrictEqual({
      interfaces: [{ name: 'eth0' }],
      ips: [{ address: '10.1.0.5/16' }],
      routes: [],
    });
  });

  test('that is malformed is CniError 6 with every problem and its path', () => {
    const json = { cniVersion: '1.0.0', ips: [{ address: '10.1.0.5' }], routes: [{ dst: 7 }] };
    try {
      decodeResult(json, '1.0.0', 'prevResult');
      expect.unreachable();
    } catch (error) {
      expect(isCniError(error, 6)).toBe(true);
      expect(String(error)).toContain('cannot decode prevResult of CNI version 1.0.0');
      expect(String(error)).toContain('ips[0].address: "10.1.0.5" is not an address with a prefix length');
      expect(String(error)).toContain('routes[0].dst: ');
    }
  });
});

const ipv4 = fc.ipV4();
const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const ip: fc.Arbitrary<CniIp> = fc.record(
  { interface: fc.nat(3), address: ipv4.map((address) => `${address}/24`), gateway: ipv4 },
  { requiredKeys: ['address'], noNullPrototype: true },
);
const route: fc.Arbitrary<CniRoute> = fc.record(
  { dst: ipv4.map((address) => `${address}/16`), gw: ipv4, mtu: fc.integer({ min: 1 }), table: fc.nat() },
  { requiredKeys: ['dst'], noNullPrototype: true },
);
const result: fc.Arbitrary<CniResult> = fc.record(
  {
    interfaces: fc.array(
      fc.record({ name: word, sandbox: word }, { requiredKeys: ['name'], noNullPrototype: true }),
    ),
    ips: fc.array(ip, { minLength: 1 }),
    routes: fc.array(route),
  },
  { noNullPrototype: true },
);

test('encode, decode, encode gives the same in every version, and all is kept from 1.0.0 on', () => {
  fc.assert(
    fc.property(result, fc.constantFrom(...CNI_VERSIONS), (value, version) => {
      const encoded = encodeResult(value, version);
      const decoded = decodeResult(encoded);
      expect(encodeResult(decoded, version)).toStrictEqual(encoded);
      if (isAtLeast(version, '1.0.0')) expect(decoded).toStrictEqual(value);
    }),
  );
});

test('reading any JSON throws nothing but CniError', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...CNI_VERSIONS), (json, version) => {
      try {
        decodeResult(json, version);
      } catch (error) {
        if (!isCniError(error)) throw error;
      }
    }),
  );
});
