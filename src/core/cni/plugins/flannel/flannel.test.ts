/** The delegate's configuration, its file, and what is refused. Facts: flannel-io/cni-plugin. */
import { describe, expect, test } from 'vitest';
import { CNI_ERROR } from '../../spec/error.ts';
import type { JsonObject } from '../../spec/json.ts';
import { parseNetworkConfig } from '../../spec/network-config.ts';
import { parseFlannelConfig } from './config.ts';
import { delegateOfCall, planDelegate, planUnsavedDelegate, type SubnetFacts } from './delegate.ts';
import { encodeSavedDelegate, parseSavedDelegate, parseSavedName, savedPaths } from './saved.ts';

const FACTS: SubnetFacts = {
  networks: ['10.244.0.0/16', 'fd00:244::/48'],
  subnets: ['10.244.1.0/24', 'fd00:244:0:1::/64'],
  mtuBytes: 1450,
  ipMasq: true,
};
const network = (keys: JsonObject = {}) =>
  parseNetworkConfig({ cniVersion: '0.3.1', name: 'cbr0', type: 'flannel', ...keys });
const planned = (keys: JsonObject = {}, facts: Partial<SubnetFacts> = {}) =>
  planDelegate(network(keys), parseFlannelConfig(network(keys)), { ...FACTS, ...facts });

describe('the delegate’s configuration', () => {
  test('of kube-flannel’s list is a bridge that is the default gateway, with host-local in both families', () => {
    expect(planned({ delegate: { hairpinMode: true, isDefaultGateway: true } })).toEqual({
      cniVersion: '0.3.1',
      name: 'cbr0',
      type: 'bridge',
      hairpinMode: true,
      isDefaultGateway: true,
      isGateway: true,
      ipMasq: false,
      mtu: 1450,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: '10.244.1.0/24' }], [{ subnet: 'fd00:244:0:1::/64' }]],
        routes: [{ dst: '10.244.0.0/16' }, { dst: 'fd00:244::/48' }],
      },
    });
  });

  test('masquerades where the daemon does not', () => {
    expect(planned({}, { ipMasq: false })['ipMasq']).toBe(true);
  });

  test('keeps what `delegate` says', () => {
    const delegate = { type: 'bridge', mtu: 1300, ipMasq: true, isGateway: false };
    expect(planned({ delegate })).toMatchObject(delegate);
  });

  test('of another plugin has no isGateway', () => {
    expect(planned({ delegate: { type: 'macvlan' } })).not.toHaveProperty('isGateway');
  });

  test('keeps the keys and routes of `ipam`, and takes the ranges of the node', () => {
    const ipam = {
      type: 'whereabouts',
      dataDir: '/x',
      ranges: [[{ subnet: '10.9.0.0/24' }]],
      routes: [{ dst: '0.0.0.0/0' }],
    };
    expect(planned({ ipam }, { subnets: ['10.244.1.0/24'], networks: ['10.244.0.0/16'] })['ipam']).toEqual({
      type: 'whereabouts',
      dataDir: '/x',
      ranges: [[{ subnet: '10.244.1.0/24' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '10.244.0.0/16' }],
    });
  });

  test('has the runtime’s settings, and no version where none is stated', () => {
    expect(planned({ runtimeConfig: { mac: '02:00:00:00:00:01' } })['runtimeConfig']).toEqual({
      mac: '02:00:00:00:00:01',
    });
    expect(planned({ cniVersion: '' })).not.toHaveProperty('cniVersion');
  });
});

test.each<[string, JsonObject, RegExp]>([
  ['a name of the delegate', { delegate: { name: 'x' } }, /delegate\.name/],
  ['addresses of the delegate', { delegate: { ipam: {} } }, /delegate\.ipam/],
  ['a type that is no string', { delegate: { type: 7 } }, /delegate\.type/],
  ['a type that is a path', { delegate: { type: '../sh' } }, /delegate\.type/],
  ['itself as delegate', { delegate: { type: 'flannel' } }, /cannot delegate to itself/],
  ['a relative folder', { dataDir: 'run/x' }, /dataDir/],
  ['a folder that climbs', { dataDir: '/run/../etc' }, /dataDir/],
  ['a file that climbs', { subnetFile: '/run/flannel/..' }, /subnetFile/],
])('%s is refused', (_, keys, reason) => {
  const parse = () => parseFlannelConfig(network(keys));
  expect(parse).toThrow(reason);
  expect(parse).toThrow(expect.objectContaining({ code: CNI_ERROR.invalidNetworkConfig }));
});

describe('the file of an interface', () => {
  const of = (containerId: string, ifName: string) =>
    savedPaths({ dataDir: '/var/lib/cni/flannel/' }, { containerId, network: 'cbr0', ifName });

  test('is named by the container, as flannel has it, or by all it is of', () => {
    expect(of('c1', 'eth0')).toEqual({
      flannels: '/var/lib/cni/flannel/c1',
      own: '/var/lib/cni/flannel/c1@cbr0@eth0',
    });
  });

  test('has a name that the file system takes', () => {
    const refused = expect.objectContaining({ code: 4, msg: expect.stringContaining(' 1 bytes too long') });
    expect(of('c'.repeat(255), 'eth0').flannels).toHaveLength(255 + '/var/lib/cni/flannel/'.length);
    expect(() => of('c'.repeat(256), 'eth0')).toThrow(refused);
    expect(() => of('c'.repeat(246), 'net1')).toThrow(refused);
    expect(of('c'.repeat(245), 'net1').own).toMatch(/@cbr0@net1$/);
  });

  test.each([
    ['c1', { containerId: 'c1' }],
    ['c1@cbr0@eth0', { containerId: 'c1', network: 'cbr0', ifName: 'eth0' }],
    ['c1@cbr0@a@b', { containerId: 'c1', network: 'cbr0', ifName: 'a@b' }],
    ['c1@cbr0', undefined],
    ['c1@@eth0', undefined],
    ['.c1.tmp', undefined],
    ['@cbr0@eth0', undefined],
  ])('%s tells of %j', (name, told) => {
    expect(parseSavedName(name)).toEqual(told);
  });
});

describe('a kept configuration', () => {
  // As flannel's own plugin writes it.
  const text =
    '{"cniVersion":"0.3.1","hairpinMode":true,"ipMasq":false,"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}]],"routes":[{"dst":"10.244.0.0/16"}],"type":"host-local"},"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":"cbr0","type":"bridge"}';

  test('of flannel’s own plugin is what ours makes of the same', () => {
    const facts = { networks: ['10.244.0.0/16'], subnets: ['10.244.1.0/24'] };
    expect(planned({ delegate: { hairpinMode: true, isDefaultGateway: true } }, facts)).toEqual(
      JSON.parse(text),
    );
    expect(parseSavedDelegate(text)).toEqual({ delegate: JSON.parse(text) });
  });

  test('of ours tells of its interface, and the delegate hears nothing of that', () => {
    const delegate = { name: 'cbr0', type: 'bridge', mtu: 1450 };
    expect(parseSavedDelegate(encodeSavedDelegate(delegate, 'net1'))).toEqual({ delegate, ifName: 'net1' });
  });

  test.each([
    '',
    '{',
    '[]',
    '{"name":"cbr0"}',
    '{"name":"..","type":"bridge"}',
    '{"name":"a","type":"../sh"}',
    '{"name":"a","type":"flannel"}',
  ])('is not %j', (bad) => {
    expect(parseSavedDelegate(bad)).toBeUndefined();
  });

  test('is given the version and the result of a later call', () => {
    const saved = { name: 'cbr0', type: 'bridge', cniVersion: '0.3.1' };
    const prevResult = { cniVersion: '1.0.0', ips: [] };
    const later = parseNetworkConfig({ name: 'cbr0', cniVersion: '1.0.0', prevResult });
    expect(delegateOfCall(saved, later)).toEqual({ ...saved, cniVersion: '1.0.0', prevResult });
  });

  test('is made without a subnet for what has none', () => {
    expect(
      planUnsavedDelegate(network({ delegate: { bridge: 'b0' }, ipam: { dataDir: '/x' } }), 'bridge'),
    ).toEqual({
      bridge: 'b0',
      name: 'cbr0',
      type: 'bridge',
      cniVersion: '0.3.1',
      ipam: { type: 'host-local', dataDir: '/x' },
    });
  });
});
