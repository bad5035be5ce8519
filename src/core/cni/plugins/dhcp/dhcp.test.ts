import { describe, expect, test } from 'vitest';
import { fromUtf8 } from '#base/bytes.ts';
import type { DhcpLease } from '#core/dhcp/index.ts';
import { thrownBy } from '#testing/thrown.ts';
import { CniError } from '../../spec/error.ts';
import type { JsonObject } from '../../spec/json.ts';
import { parseNetworkConfig } from '../../spec/network-config.ts';
import { optionsOfClient, parseDhcpConfig } from './config.ts';
import { dhcpResult } from './result.ts';

const parse = (ipam: JsonObject, args = '', more: JsonObject = {}) =>
  parseDhcpConfig(
    parseNetworkConfig({
      cniVersion: '1.1.0',
      name: 'lan',
      type: 'macvlan',
      ipam: { type: 'dhcp', ...ipam },
      ...more,
    }),
    args,
  );
const attachment = { network: 'lan', containerId: 'c1', ifName: 'eth0' };

describe('the configuration', () => {
  test('asks for mask, routers and routes by default, and what is named beside', () => {
    expect(parse({}).request).toEqual([121, 1, 3, 33]);
    expect(parse({ request: [{ option: '42' }, { option: 'routers' }] })).toMatchObject({
      request: [121, 1, 3, 33, 42],
      named: [42, 3],
    });
    expect(parse({ request: [{ skipDefault: true, option: '6' }] }).request).toEqual([1, 6]);
  });

  test('gives a client identifier of container, network and interface, unless it has its own', () => {
    const id = (config: ReturnType<typeof parse>, of = attachment) =>
      fromUtf8(optionsOfClient(config, of).get(61) ?? new Uint8Array());
    expect(id(parse({}))).toBe('\0c1/lan/eth0');
    expect(id(parse({}), { ...attachment, containerId: 'c'.repeat(300) })).toHaveLength(255);
    expect(id(parse({ provide: [{ option: 'dhcp-client-identifier', value: 'mine' }] }))).toBe('\0mine');
  });

  test('takes values from CNI_ARGS and args.cni before those given', () => {
    const provide = [{ option: 'host-name', value: 'fixed', fromArg: 'K8S_POD_NAME' }];
    const host = (args: string, more: JsonObject = {}) =>
      fromUtf8(parse({ provide }, args, more).provide.get(12) ?? new Uint8Array());
    expect(host('')).toBe('fixed');
    expect(host('K8S_POD_NAME=web-1;OTHER=x')).toBe('web-1');
    expect(host('K8S_POD_NAME=web-1', { args: { cni: { K8S_POD_NAME: 'web-2' } } })).toBe('web-2');
  });

  test.each<[string, JsonObject, string]>([
    [
      'an option that is none',
      { request: [{ option: 'colour' }] },
      'ipam.request[0].option: "colour" is not a DHCP option',
    ],
    ['a number too large', { provide: [{ option: '256', value: 'x' }] }, 'ipam.provide[0].option: "256"'],
    ['the message type', { provide: [{ option: '53', value: 'x' }] }, 'option 53 is the protocol'],
    ['a value too long', { provide: [{ option: '12', value: 'x'.repeat(256) }] }, 'longer than 255 bytes'],
    ['a priority that is none', { priority: -1 }, 'priority'],
  ])('is refused with %s', (_what, ipam, text) => {
    const error = thrownBy(CniError, () => parse(ipam));
    expect([error?.code, error?.message]).toEqual([7, expect.stringContaining(text)]);
  });
});

describe('the result', () => {
  const lease: DhcpLease = {
    address: '10.1.0.2/24',
    serverId: '10.1.0.1',
    router: '10.1.0.1',
    routes: [
      { destination: '10.9.0.0/16', router: '0.0.0.0' },
      { destination: '0.0.0.0/0', router: '10.1.0.1' },
    ],
    nameServers: ['10.1.0.53'],
    domain: 'lab.example',
    search: ['a.example'],
    mtuBytes: 1400,
  };

  test('has address, gateway and routes, and the rest only where it is asked for by name', () => {
    expect(dhcpResult(lease, parse({}))).toEqual({
      interfaces: [],
      ips: [{ address: '10.1.0.2/24', gateway: '10.1.0.1' }],
      routes: [
        { dst: '10.9.0.0/16', scope: 253 },
        { dst: '0.0.0.0/0', gw: '10.1.0.1' },
      ],
    });
    const request = ['6', '15', '119', '26'].map((option) => ({ option }));
    expect(dhcpResult(lease, parse({ request, priority: 7 }))).toMatchObject({
      routes: [
        { priority: 7, mtu: 1400 },
        { priority: 7, mtu: 1400 },
      ],
      dns: { nameservers: ['10.1.0.53'], domain: 'lab.example', search: ['a.example'] },
    });
  });
});
