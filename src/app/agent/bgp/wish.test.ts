import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { BGP_KINDS, SERVICE_KINDS } from './kinds.ts';
import { KnownObjects } from './known-objects.ts';
import type { BgpPlace } from './place.ts';
import { bgpWish, tellsServices } from './wish.ts';

const PLACE: BgpPlace = {
  addresses: ['10.0.0.1/24', 'fd00::1/64'],
  subnets: ['10.10.1.0/24', 'fd10:0:0:1::/64'],
  networks: ['10.10.0.0/16', 'fd10::/48'],
  backend: 'alloc',
};

function object(kind: string, name: string, spec: object, annotations?: Record<string, string>): KubeObject {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name, ...(annotations && { annotations }) },
    spec,
  };
}

function node(name: string, ...addresses: readonly string[]): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  };
}

const NODES = [
  node('node1', '10.0.0.1', 'fd00::1'),
  node('node2', '10.0.0.2', 'fd00::2'),
  node('node3', '10.0.1.3'),
];

function known(...objects: readonly KubeObject[]): KnownObjects {
  const all = new KnownObjects();
  for (const resource of BGP_KINDS)
    all.sync(
      resource,
      objects.filter(({ kind }) => kind === resource.kind),
    );
  return all;
}

describe('what a node speaks', () => {
  it('is a full mesh over the addresses that Kubernetes has of nodes, with its subnets as own routes', () => {
    const { speaker, listen, problems } = bgpWish('node1', PLACE, known(...NODES));
    expect(problems).toEqual([]);
    expect(speaker?.neighbors.map(({ key, session }) => [key, session.localAddress])).toEqual([
      ['mesh node2 4', '10.0.0.1'],
      ['mesh node2 6', 'fd00::1'],
      ['mesh node3 4', '10.0.0.1'],
    ]);
    expect(speaker?.routes.map(({ prefix, isDiscard }) => [prefix, isDiscard])).toEqual([
      ['10.10.1.0/24', true],
      ['fd10:0:0:1::/64', true],
    ]);
    expect(listen).toEqual({ port: 179, addresses: ['0.0.0.0', '::'] });
  });

  it('tells addresses of pods outside its subnets one by one', () => {
    const place = { ...PLACE, singles: ['10.10.7.7', 'fd10:0:0:7::7'] };
    const routes = bgpWish('node1', place, known(...NODES)).speaker?.routes.slice(2);
    expect(routes?.map(({ prefix }) => prefix)).toEqual(['10.10.7.7/32', 'fd10:0:0:7::7/128']);
  });

  it('is by reflectors where the mesh would be larger than is said', () => {
    const configuration = object('BGPConfiguration', 'default', {}, { 'poplin.dev/full-mesh-limit': '2' });
    const nodes = Array.from({ length: 9 }, (_, index) => node(`node${index + 1}`, `10.0.0.${index + 1}`));
    const counts = nodes.map(({ metadata: { name } }) => {
      const place = { ...PLACE, addresses: [`10.0.0.${name.slice(4)}/24`] };
      return bgpWish(name, place, known(...nodes, configuration)).speaker?.neighbors.length ?? 0;
    });
    expect(counts.filter((count) => count === 2)).toHaveLength(6);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2 * (3 + 6 * 2));
  });

  it('is known by the length of its own network, so that others are told from it', () => {
    const peer = object('BGPPeer', 'tor', { peerIP: '10.0.0.254', asNumber: 65_000 });
    const wish = bgpWish('node1', PLACE, known(...NODES, peer));
    expect(wish.speaker?.neighbors.at(-1)).toMatchObject({ key: 'BGPPeer tor 10.0.0.254' });
  });

  it('is by links where an annotation names them, and then listens in IPv6 too', () => {
    const place = {
      ...PLACE,
      addresses: ['10.0.0.1/24'],
      subnets: ['10.10.1.0/24'],
      networks: ['10.10.0.0/16'],
    };
    const uplinks = object(
      'BGPPeer',
      'uplinks',
      {},
      { 'poplin.dev/interface': 'up1, up2', 'poplin.dev/peer-as': 'external', 'poplin.dev/bfd': '300ms x 3' },
    );
    const again = object('BGPPeer', 'again', {}, { 'poplin.dev/interface': 'up2' });
    const { speaker, listen, problems, rules } = bgpWish(
      'node1',
      place,
      known(node('node1', '10.0.0.1'), uplinks, again),
    );
    expect(
      speaker?.neighbors.map(({ key, session }) => [key, session.families.map(({ family }) => family)]),
    ).toEqual([
      ['BGPPeer uplinks up1', [4]],
      ['BGPPeer uplinks up2', [4]],
    ]);
    expect(speaker?.neighbors[0]?.session.bfd).toEqual({ receiveMs: 300, transmitMs: 300, multiplier: 3 });
    expect(problems).toEqual([
      'BGPPeer again up2: there is a session with whoever is on up2 already, BGPPeer uplinks up2: left out',
    ]);
    expect(listen.addresses).toEqual(['0.0.0.0', '::']);
    expect(
      ['BGPPeer uplinks up1', 'BGPPeer uplinks up2', 'mesh node2 4'].map((key) => rules.linkOf(key)),
    ).toEqual(['up1', 'up2', undefined]);
  });

  it('has BFD where an annotation says so', () => {
    const peer = object(
      'BGPPeer',
      'tor',
      { peerIP: '10.0.0.254', asNumber: 65_000 },
      { 'poplin.dev/bfd': '300ms x 3' },
    );
    const wrong = object('BGPPeer', 'spine', { peerIP: '10.0.0.253' }, { 'poplin.dev/bfd': 'fast' });
    const { speaker, problems } = bgpWish('node1', PLACE, known(...NODES, peer, wrong));
    const tor = speaker?.neighbors.find(({ key }) => key.startsWith('BGPPeer tor'));
    expect(tor?.session.bfd).toEqual({ receiveMs: 300, transmitMs: 300, multiplier: 3 });
    expect(problems).toEqual([
      'BGPPeer spine metadata.annotations["poplin.dev/bfd"]: "fast" is not such as 300ms x 3',
    ]);
  });

  it('has one session with an address, and what somebody wrote counts more than the mesh', () => {
    const peer = object('BGPPeer', 'second', { peerIP: '10.0.0.2', asNumber: 64_512 });
    const { speaker, problems } = bgpWish('node1', PLACE, known(...NODES, peer));
    expect(speaker?.neighbors.map(({ key }) => key)).toEqual([
      'BGPPeer second 10.0.0.2',
      'mesh node2 6',
      'mesh node3 4',
    ]);
    expect(problems).toEqual([
      'mesh node2 4: there is a session with 10.0.0.2 already, BGPPeer second 10.0.0.2: left out',
    ]);
  });
});

describe('what BGP leaves to the overlay', () => {
  it.each<[string, string, string, boolean]>([
    ['nothing where the backend is alloc', 'alloc', '10.10.2.0/24', true],
    ['the network where the backend carries it', 'vxlan', '10.10.2.0/24', false],
    ['the network in IPv6', 'vxlan', 'fd10:0:0:2::/64', false],
    ['nothing else', 'vxlan', '172.16.0.0/12', true],
  ])('%s', (_, backend, prefix, isWanted) => {
    const { rules } = bgpWish('node1', { ...PLACE, backend }, known(...NODES));
    expect(rules.isWanted(prefix, prefix.includes(':') ? 'fd00::2' : '10.0.0.2')).toBe(isWanted);
  });
});

it('routes of services are for peers, and not for the kernel', () => {
  const configuration = object('BGPConfiguration', 'default', {
    serviceClusterIPs: [{ cidr: '10.96.0.0/16' }],
  });
  const { rules } = bgpWish('node1', PLACE, known(...NODES, configuration));
  const isWanted = (prefix: string) => rules.isWanted(prefix, '10.0.0.2');
  expect(['10.96.0.0/16', '10.96.0.7/32', '10.0.0.0/8'].map(isWanted)).toEqual([false, false, true]);
});

describe('what is known of services', () => {
  const [services, slices] = SERVICE_KINDS;
  if (services === undefined || slices === undefined) throw new Error('no services');
  const web = (namespace: string, spec: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace },
    spec: { clusterIP: '10.96.0.7', ...spec },
  });
  const slice = (...endpoints: readonly object[]): KubeObject => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints,
  });

  it('changes with addresses and with the nodes that have endpoints, and not with their number', () => {
    const all = known(...NODES);
    expect(all.upsert(services, web('shop', {}))).toBe(true);
    expect(all.upsert(services, web('other', {}))).toBe(true);
    expect(all.upsert(services, web('shop', { ports: [{ port: 80 }] }))).toBe(false);
    expect(all.upsert(slices, slice({ nodeName: 'node1', addresses: ['10.10.1.2'] }))).toBe(true);
    expect(
      all.upsert(slices, slice({ nodeName: 'node1' }, { nodeName: 'node1', conditions: { ready: true } })),
    ).toBe(false);
    expect(all.upsert(slices, slice({ nodeName: 'node1', conditions: { ready: false } }))).toBe(true);
    expect(all.of('Service')).toHaveLength(2);
    expect(all.remove(services, web('other', {}))).toBe(true);
    expect(all.of('Service')).toHaveLength(1);
  });

  it('becomes routes of those that are local', () => {
    const configuration = object('BGPConfiguration', 'default', {
      serviceClusterIPs: [{ cidr: '10.96.0.0/16' }],
    });
    const all = known(...NODES, configuration);
    all.upsert(services, web('shop', { externalTrafficPolicy: 'Local' }));
    all.upsert(slices, slice({ nodeName: 'node1' }));
    expect(tellsServices(all)).toBe(true);
    expect(tellsServices(known(...NODES))).toBe(false);
    const told = (node: string) =>
      bgpWish(node, PLACE, all)
        .speaker?.routes.map(({ prefix }) => prefix)
        .slice(2);
    expect([told('node1'), told('node2')]).toEqual([['10.96.0.0/16', '10.96.0.7/32'], ['10.96.0.0/16']]);
  });
});

describe('what is known of nodes', () => {
  it('changes with addresses and labels, and not with what a kubelet says every minute', () => {
    const all = known(...NODES);
    const resource = BGP_KINDS.find(({ kind }) => kind === 'Node');
    if (resource === undefined) throw new Error('no nodes');
    const beat = (time: string, address: string): KubeObject => ({
      ...node('node2', address, 'fd00::2'),
      metadata: { name: 'node2', resourceVersion: time },
    });
    expect(all.upsert(resource, beat('2', '10.0.0.2'))).toBe(false);
    expect(all.upsert(resource, beat('3', '10.0.0.22'))).toBe(true);
    expect(all.remove(resource, beat('4', '10.0.0.22'))).toBe(true);
    expect(all.remove(resource, beat('4', '10.0.0.22'))).toBe(false);
  });
});
