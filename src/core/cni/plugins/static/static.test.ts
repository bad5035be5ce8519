import { expect, test } from 'vitest';
import { thrownBy } from '#testing/thrown.ts';
import { CniError } from '../../spec/error.ts';
import type { JsonObject } from '../../spec/json.ts';
import { parseNetworkConfig } from '../../spec/network-config.ts';
import { checkStatic, parseStaticConfig } from './static.ts';

const dual = {
  type: 'static',
  addresses: [{ address: '10.10.0.5/24', gateway: '10.10.0.254' }, { address: 'fd00:1::5/64' }],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '192.168.0.0/16', gw: '10.10.0.7' }],
  dns: { nameservers: ['10.10.0.1'] },
};

const parse = (ipam: unknown, more: JsonObject = {}, args = '') =>
  parseStaticConfig(parseNetworkConfig({ cniVersion: '1.0.0', name: 'net', ipam, ...more }), args);

test('gives what is configured, in both families', () => {
  expect(parse(dual)).toEqual({
    ips: [{ address: '10.10.0.5/24', gateway: '10.10.0.254' }, { address: 'fd00:1::5/64' }],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '192.168.0.0/16', gw: '10.10.0.7' }],
    dns: { nameservers: ['10.10.0.1'] },
  });
});

test('gives what CNI_ARGS ask for, each address with the gateway of its network', () => {
  const args = 'IP=10.9.0.2/24,fd09::2/64;GATEWAY=fd09::1,10.9.0.1';
  expect(parse(dual, {}, args).ips).toEqual([
    { address: '10.9.0.2/24', gateway: '10.9.0.1' },
    { address: 'fd09::2/64', gateway: 'fd09::1' },
  ]);
});

test('prefers the capability to args.cni, and that to CNI_ARGS', () => {
  const args = { cni: { ips: ['10.8.0.2/24'] } };
  expect(parse(dual, { args }, 'IP=10.9.0.2/24').ips).toEqual([{ address: '10.8.0.2/24' }]);
  const runtimeConfig = { ips: ['10.7.0.2/24', 'fd07::2/64'] };
  expect(parse(dual, { args, runtimeConfig }).ips).toEqual([
    { address: '10.7.0.2/24' },
    { address: 'fd07::2/64' },
  ]);
});

test.each<[string, unknown, string, string, RegExp]>([
  ['no section', undefined, '1.0.0', '', /no "ipam" section/],
  ['no address', { type: 'static' }, '1.0.0', '', /ipam\.addresses: no address is given/],
  [
    'an address without length',
    { addresses: [{ address: '10.1.0.1' }] },
    '1.0.0',
    '',
    /ipam\.addresses\[?\.?0.*"10\.1\.0\.1"/,
  ],
  [
    'two of a family before 0.3.0',
    { addresses: [{ address: '10.1.0.1/24' }, { address: '10.1.0.2/24' }] },
    '0.2.0',
    '',
    /more than one IPv4 address/,
  ],
  [
    'a bad IP in CNI_ARGS',
    dual,
    '1.0.0',
    'IP=10.1.0.1',
    /IP=10\.1\.0\.1 is not an address with a prefix length/,
  ],
  ['a bad GATEWAY in CNI_ARGS', dual, '1.0.0', 'IP=10.1.0.1/24;GATEWAY=x', /GATEWAY=x is not an IP address/],
])('refuses %s', (_name, ipam, cniVersion, args, message) => {
  const json = { name: 'net', cniVersion, ...(ipam !== undefined && { ipam }) };
  expect(() => parseStaticConfig(parseNetworkConfig(json), args)).toThrow(message);
});

test('CHECK names what the result has no more, in both families', () => {
  const config = parse(dual);
  const result = { interfaces: [], routes: [], ips: config.ips };
  expect(() => checkStatic(config, undefined)).not.toThrow();
  expect(() => checkStatic(config, result)).not.toThrow();
  const other = [{ address: '10.10.0.5/24', gateway: '10.10.0.1' }];
  expect(thrownBy(CniError, () => checkStatic(config, { ...result, ips: other }))).toMatchObject({
    code: 114,
    details: '10.10.0.5/24 with gateway 10.10.0.254 is missing; fd00:1::5/64 is missing',
  });
});
