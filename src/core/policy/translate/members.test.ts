import { describe, expect, test } from 'vitest';
import type { Member } from '../model.ts';
import { complaints, factOf, type Written } from './text.fixture.ts';

const core = (kind: string, rest: object): Written => ({ apiVersion: 'v1', kind, ...rest });
const pod = (spec: object, status: object = {}, metadata: object = {}): Written =>
  core('Pod', { metadata, spec: { containers: [{ name: 'main' }], ...spec }, status });
const memberOf = (written: Written): Member | undefined => {
  const fact = factOf(written);
  return fact.is === 'member' ? fact.member : undefined;
};

describe('a pod', () => {
  test('is a member with all that is known of it', () => {
    const spec = { nodeName: 'node-a', serviceAccountName: 'robot' };
    const status = { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'FD00::1' }] };
    expect(factOf(pod(spec, status, { labels: { app: 'web' } }))).toEqual({
      is: 'member',
      member: {
        key: 'pod shop/web',
        kind: 'pod',
        namespace: 'shop',
        name: 'web',
        labels: { app: 'web' },
        serviceAccount: 'robot',
        node: 'node-a',
        nets: ['10.0.0.1/32', 'fd00::1/128'],
        ports: [],
      },
    });
  });

  test('without node, address and status is one already, with the service account that all have', () => {
    expect(factOf(core('Pod', { spec: {} }))).toEqual({
      is: 'member',
      member: {
        key: 'pod shop/web',
        kind: 'pod',
        namespace: 'shop',
        name: 'web',
        labels: {},
        serviceAccount: 'default',
        nets: [],
        ports: [],
      },
    });
  });

  test.each<[string, object, object, string[]]>([
    ['has the one address of an old kubelet', {}, { podIP: '10.0.0.1' }, ['10.0.0.1/32']],
    ['has the one address beside an empty list', {}, { podIP: '10.0.0.1', podIPs: [] }, ['10.0.0.1/32']],
    ['has each address once', {}, { podIPs: [{ ip: 'fd00::1' }, { ip: 'fd00:0::1' }] }, ['fd00::1/128']],
    ['has no address that is none', {}, { podIPs: [{ ip: '' }, {}, { ip: 'soon' }] }, []],
  ])('%s', (_, spec, status, nets) => {
    expect(memberOf(pod(spec, status))?.nets).toEqual(nets);
  });

  test.each<[string, object, object]>([
    ['in the host’s network', { hostNetwork: true }, { phase: 'Running' }],
    ['that has succeeded', {}, { phase: 'Succeeded' }],
    ['that has failed', {}, { phase: 'Failed' }],
  ])('%s is no member', (_, spec, status) => {
    const address = { podIPs: [{ ip: '10.0.0.1' }] };
    expect(factOf(pod(spec, { ...status, ...address }))).toEqual({ is: 'no-member', key: 'pod shop/web' });
  });

  test.each(['Pending', 'Running', 'Unknown'])(
    'in phase %s is one, even while it is being deleted',
    (phase) => {
      const written = pod({}, { phase }, { deletionTimestamp: '2026-01-01T00:00:00Z' });
      expect(memberOf(written)?.key).toBe('pod shop/web');
    },
  );

  test('has the ports with names of what runs as long as it does', () => {
    const ports = (name: string | undefined, containerPort: number, protocol?: string) => ({
      ports: [
        { ...(name !== undefined && { name }), containerPort, ...(protocol !== undefined && { protocol }) },
      ],
    });
    const spec = {
      containers: [
        ports('http', 80),
        ports('dns', 53, 'UDP'),
        ports('dns', 53, 'TCP'),
        ports(undefined, 1),
        {},
        { ports: null },
      ],
      initContainers: [{ ...ports('mesh', 15_000, 'SCTP'), restartPolicy: 'Always' }, ports('once', 2)],
    };
    expect(memberOf(pod(spec))?.ports).toEqual([
      { name: 'http', protocol: 6, port: 80 },
      { name: 'dns', protocol: 17, port: 53 },
      { name: 'dns', protocol: 6, port: 53 },
      { name: 'mesh', protocol: 132, port: 15_000 },
    ]);
  });
});

test('a node is a member with all addresses of its status, of whatever type', () => {
  const addresses = [
    { type: 'Hostname', address: 'node-a' },
    { type: 'InternalIP', address: '172.16.0.1' },
    { type: 'InternalIP', address: 'FD16::1' },
    { type: 'ExternalIP', address: '192.0.2.1' },
    { type: 'ExternalIP', address: '172.16.0.1' },
  ];
  const metadata = { name: 'node-a', namespace: undefined, labels: { zone: 'a' } };
  expect(factOf(core('Node', { metadata, status: { addresses } }))).toEqual({
    is: 'member',
    member: {
      key: 'node node-a',
      kind: 'node',
      name: 'node-a',
      labels: { zone: 'a' },
      node: 'node-a',
      nets: ['172.16.0.1/32', 'fd16::1/128', '192.0.2.1/32'],
      ports: [],
    },
  });
});

test('a namespace has its name among its labels, as the API server sees to', () => {
  const metadata = { name: 'shop', namespace: undefined, labels: { env: 'prod' } };
  expect(factOf(core('Namespace', { metadata }))).toEqual({
    is: 'namespace',
    name: 'shop',
    labels: { env: 'prod', 'kubernetes.io/metadata.name': 'shop' },
  });
});

test('a service account has labels in its namespace', () => {
  expect(factOf(core('ServiceAccount', { metadata: { name: 'robot', labels: { role: 'reader' } } }))).toEqual(
    {
      is: 'service-account',
      namespace: 'shop',
      name: 'robot',
      labels: { role: 'reader' },
    },
  );
});

describe('a slice of endpoints', () => {
  const slice = (rest: object, labels: object = { 'kubernetes.io/service-name': 'db' }): Written => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'db-1', labels },
    ...rest,
  });
  const endpoints = [
    { addresses: ['10.0.0.1', 'FD00::1'], conditions: { ready: false } },
    { addresses: ['10.0.0.2'] },
  ];

  test('gives its service each address with each port', () => {
    const ports = [
      { name: 'a', port: 5432 },
      { name: 'b', port: 53, protocol: 'UDP' },
    ];
    const at = (address: string) => [
      { address, protocol: 6, port: 5432 },
      { address, protocol: 17, port: 53 },
    ];
    expect(factOf(slice({ addressType: 'IPv4', endpoints, ports }))).toEqual({
      is: 'endpoints',
      namespace: 'shop',
      service: 'db',
      slice: 'db-1',
      endpoints: [...at('10.0.0.1'), ...at('fd00::1'), ...at('10.0.0.2')],
    });
  });

  test.each<[string, unknown]>([
    ['no ports', []],
    ['ports that are null', null],
    ['a port without a number', [{ name: 'any' }]],
  ])('with %s gives its addresses alone', (_, ports) => {
    expect(factOf(slice({ endpoints, ports }))).toMatchObject({
      endpoints: [{ address: '10.0.0.1' }, { address: 'fd00::1' }, { address: '10.0.0.2' }],
    });
  });

  test('of names gives nothing', () => {
    const named = slice({
      addressType: 'FQDN',
      endpoints: [{ addresses: ['example.com'] }],
      ports: [{ port: 80 }],
    });
    expect(factOf(named)).toMatchObject({ endpoints: [] });
  });

  test('of no service says nothing, and is no mistake', () => {
    expect(complaints(slice({ endpoints }, {}))).toEqual([]);
    expect(() => factOf(slice({ endpoints }, {}))).toThrow('says nothing');
  });
});
