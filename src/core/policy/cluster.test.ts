import { expect, test } from 'vitest';
import { PolicyCluster } from './cluster.ts';
import { evaluate } from './engine/evaluate.ts';

test('a profile allows a host endpoint that names it what no policy decides', () => {
  const cluster = new PolicyCluster();
  const calico = (kind: string, name: string, spec: object): void =>
    cluster.upsert({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec });
  const ask = (address: string): string =>
    evaluate(cluster.graph, {
      source: address.includes(':') ? '2001:db8::9' : '203.0.113.9',
      destination: address,
      protocol: 6,
      destinationPort: 80,
    }).action;
  const host = (profiles: readonly string[]): void =>
    calico('HostEndpoint', 'eth0', {
      node: 'a',
      interfaceName: 'eth0',
      expectedIPs: ['10.0.0.1', 'fd00::1'],
      profiles,
    });
  calico('Profile', 'open', { ingress: [{ action: 'Allow' }] });
  host([]);
  expect(['10.0.0.1', 'fd00::1'].map(ask)).toEqual(['deny', 'deny']);
  host(['open']);
  expect(['10.0.0.1', 'fd00::1'].map(ask)).toEqual(['allow', 'allow']);
  calico('GlobalNetworkPolicy', 'closed', { ingress: [{ action: 'Deny' }] });
  expect(['10.0.0.1', 'fd00::1'].map(ask)).toEqual(['deny', 'deny']);
  expect(cluster.problems()).toEqual([]);
});
