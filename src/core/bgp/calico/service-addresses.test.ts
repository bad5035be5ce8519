import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { serviceAddresses } from './service-addresses.ts';
import type { ServiceBlocks } from './services.ts';

const BLOCKS: ServiceBlocks = {
  clusterIps: ['10.96.0.0/12', 'fd96::/108'],
  externalIps: ['192.0.2.0/25', '192.0.2.200/32'],
  loadBalancerIps: ['198.51.100.0/24'],
  isAggregated: true,
};

function service(spec: object, ...balanced: readonly string[]): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { type: 'LoadBalancer', clusterIPs: ['10.96.0.7', 'fd96::7'], ...spec },
    status: { loadBalancer: { ingress: balanced.map((ip) => ({ ip })) } },
  };
}

function slice(addressType: string, node: string, ready?: boolean, namespace = 'shop'): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `web-${addressType}`, namespace, labels: { 'kubernetes.io/service-name': 'web' } },
    addressType,
    endpoints: [{ nodeName: 'other' }, { nodeName: node, conditions: ready === undefined ? {} : { ready } }],
  };
}

const LOCAL = { externalTrafficPolicy: 'Local' };

describe('addresses of services that are told one by one', () => {
  it.each<[string, readonly KubeObject[], Partial<ServiceBlocks>, readonly string[]]>([
    [
      'are none where a block stands for them',
      [service({ externalIPs: ['192.0.2.1'] }, '198.51.100.9')],
      {},
      [],
    ],
    [
      'are those of a service with an endpoint here, in its family',
      [service({ ...LOCAL, externalIPs: ['192.0.2.1'] }, '198.51.100.9'), slice('IPv4', 'here')],
      {},
      ['10.96.0.7/32', '192.0.2.1/32', '198.51.100.9/32'],
    ],
    ['and in IPv6', [service(LOCAL), slice('IPv6', 'here', true)], {}, ['fd96::7/128']],
    ['and not of one whose endpoints are elsewhere', [service(LOCAL), slice('IPv4', 'there')], {}, []],
    ['or not ready', [service(LOCAL), slice('IPv4', 'here', false)], {}, []],
    ['or those of a namesake', [service(LOCAL), slice('IPv4', 'here', true, 'other')], {}, []],
    [
      'are those that are a block by themselves, from every node',
      [service({ externalIPs: ['192.0.2.200', '192.0.2.1'] })],
      {},
      ['192.0.2.200/32'],
    ],
    [
      'are all of load balancers where their blocks are not told',
      [service({ externalIPs: ['192.0.2.1'] }, '198.51.100.9', '203.0.113.1')],
      { isAggregated: false },
      ['198.51.100.9/32'],
    ],
    [
      'are in blocks that may be told',
      [service({ ...LOCAL, externalIPs: ['203.0.113.1'] }, '203.0.113.2'), slice('IPv4', 'here')],
      { clusterIps: [] },
      [],
    ],
    [
      'are none of a headless service',
      [service({ ...LOCAL, clusterIPs: ['None'] }), slice('IPv4', 'here')],
      {},
      [],
    ],
    [
      'are none of a name elsewhere',
      [service({ ...LOCAL, type: 'ExternalName' }), slice('IPv4', 'here')],
      {},
      [],
    ],
  ])('%s', (_, objects, blocks, expected) => {
    expect(serviceAddresses(objects, { ...BLOCKS, ...blocks }, 'here')).toEqual(expected);
  });
});
