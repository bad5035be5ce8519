import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { explainFilter } from '../filter/index.ts';
import type { NeighborConfig } from '../speaker/index.ts';
import { type CalicoResult, type CalicoWorld, encapsulationOf, poolOf, translateCalico } from './index.ts';
import { CONFIGURATION, FILTER, NODE_BGP, PEER, POOL } from './schemas.ts';
import { parseAsn, parseDuration, parsePeerAddress } from './values.ts';

type Spec = Readonly<Record<string, unknown>>;

const object = (kind: string, name: string, spec: Spec, labels = {}): KubeObject => ({
  apiVersion: 'projectcalico.org/v3',
  kind,
  metadata: { name, labels },
  spec,
});

function node(name: string, annotations: Readonly<Record<string, string>>, labels = {}): KubeObject {
  const prefixed = Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [`projectcalico.org/${key}`, value]),
  );
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels, annotations: prefixed } };
}

const A = node('a', { IPv4Address: '10.0.0.1/24', IPv6Address: 'fd00::1/64' }, { rack: 'one' });
const B = node('b', { IPv4Address: '10.0.0.2/24', IPv6Address: 'fd00::2/64' }, { rack: 'two' });
const C = node('c', { IPv4Address: '10.0.1.3/24' }, { rack: 'two' });
const BLOCKS = ['10.42.1.0/26', 'fd42::40/122'];

/** Keys that were given in any case, by kind. */
const tried = new Map<string, Set<string>>();

function note(objects: readonly KubeObject[]): void {
  for (const { kind, apiVersion, ...rest } of objects) {
    const spec = (rest['spec'] ?? {}) as Spec;
    const name = kind === 'Node' && apiVersion !== 'v1' ? 'NodeBGP' : kind;
    const keys = tried.get(name) ?? new Set();
    tried.set(name, keys);
    const given = name === 'NodeBGP' ? ((spec['bgp'] ?? {}) as Spec) : spec;
    for (const key of Object.keys(given)) keys.add(key);
    if (kind === 'BGPFilter')
      for (const list of Object.values(given))
        for (const key of (list as readonly Spec[]).flatMap((rule) => Object.keys(rule))) keys.add(key);
  }
}

function translate(objects: readonly KubeObject[], more: Partial<CalicoWorld> = {}): CalicoResult {
  note(objects);
  return translateCalico({ node: 'a', objects, blocks: BLOCKS, ...more });
}

const configured = (spec: Spec, nodes: readonly KubeObject[] = [A, B], name = 'default') =>
  translate([...nodes, object('BGPConfiguration', name, spec)]);
const peered = (spec: Spec, others: readonly KubeObject[] = [], more: Partial<CalicoWorld> = {}) =>
  translate(
    [
      A,
      B,
      C,
      object('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false }),
      object('BGPPeer', 'p', spec),
      ...others,
    ],
    more,
  );
const keysOf = (result: CalicoResult) => result.speaker?.neighbors.map(({ key }) => key);
const first = (result: CalicoResult): NeighborConfig => {
  const [neighbor] = result.speaker?.neighbors ?? [];
  if (neighbor === undefined) throw new Error(JSON.stringify(result.problems));
  return neighbor;
};
const MESH_B = ['mesh b 4', 'mesh b 6'];

describe('BGPConfiguration', () => {
  test('is not needed: a full mesh of AS 64512, one session for each family', () => {
    const result = translate([A, B, C]);
    expect(result.problems).toEqual([]);
    expect(keysOf(result)).toEqual([...MESH_B, 'mesh c 4']);
    expect(result.speaker).toMatchObject({ asn: 64_512, routerId: 0x0a00_0001 });
    expect(first(result).session).toEqual({
      peerAddress: '10.0.0.2',
      peerAsn: 64_512,
      localAddress: '10.0.0.1',
      isPassive: true,
      multihopTtl: 64,
      families: [{ family: 4, addPathSend: true, addPathReceive: true }],
      restart: { restartTimeSec: 120 },
    });
    expect(result.speaker?.routes).toEqual([
      { prefix: '10.42.1.0/26', origin: 'ipam', isDiscard: true, attributes: { priority: 1024 } },
      { prefix: 'fd42::40/122', origin: 'ipam', isDiscard: true, attributes: { priority: 1024 } },
    ]);
    expect(result.listenPort).toBe(179);
  });

  test.each<[string, Spec, (result: CalicoResult) => unknown, unknown]>([
    ['logSeverityScreen', { logSeverityScreen: 'Debug' }, ({ logSeverity }) => logSeverity, 'Debug'],
    ['nodeToNodeMeshEnabled', { nodeToNodeMeshEnabled: false }, keysOf, []],
    [
      'asNumber',
      { asNumber: '64513' },
      ({ speaker }) => [speaker?.asn, speaker?.neighbors[0]?.session.peerAsn],
      [64_513, 64_513],
    ],
    ['asNumber in two halves', { asNumber: '1.10' }, ({ speaker }) => speaker?.asn, 65_546],
    [
      'listenPort',
      { listenPort: 1179 },
      (result) => [result.listenPort, first(result).session.port],
      [1179, 1179],
    ],
    [
      'nodeMeshPassword',
      { nodeMeshPassword: { secretKeyRef: { name: 's', key: 'k' } } },
      (result) => first(result).session.password,
      'secret/s/k',
    ],
    [
      'nodeMeshMaxRestartTime',
      { nodeMeshMaxRestartTime: '3m' },
      (result) => first(result).session.restart,
      { restartTimeSec: 180 },
    ],
    ['bindMode', { bindMode: 'NodeIP' }, ({ listenAddresses }) => listenAddresses, ['10.0.0.1', 'fd00::1']],
    ['bindMode None', { bindMode: 'None' }, ({ listenAddresses }) => listenAddresses, undefined],
    [
      'ignoredInterfaces',
      { ignoredInterfaces: ['vip0'] },
      ({ ignoredInterfaces }) => ignoredInterfaces,
      ['vip0'],
    ],
    [
      'localWorkloadPeeringIPV4',
      { localWorkloadPeeringIPV4: '169.254.0.179', localWorkloadPeeringIPV6: 'FD12::1' },
      ({ workloadPeering }) => workloadPeering,
      { 4: '169.254.0.179', 6: 'fd12::1' },
    ],
    [
      'programClusterRoutes',
      { programClusterRoutes: 'Disabled' },
      ({ isOverlayProgramming }) => isOverlayProgramming,
      true,
    ],
    [
      'ipv4NormalRoutePriority',
      { ipv4NormalRoutePriority: 7, ipv6NormalRoutePriority: 8 },
      ({ routePriority, speaker }) => [
        routePriority,
        speaker?.routes.map(({ attributes }) => attributes?.priority),
      ],
      [{ 4: 7, 6: 8 }, [7, 8]],
    ],
    [
      'serviceClusterIPs',
      { serviceClusterIPs: [{ cidr: '10.96.0.0/12' }] },
      ({ services, speaker }) => [services.clusterIps, speaker?.routes.at(-1)],
      [['10.96.0.0/12'], { prefix: '10.96.0.0/12', origin: 'services' }],
    ],
    [
      'serviceExternalIPs',
      { serviceExternalIPs: [{ cidr: '192.0.2.7/32' }, { cidr: 'fd01::/112' }] },
      ({ services, speaker }) => [services.externalIps, speaker?.routes.at(-1)?.prefix],
      [['192.0.2.7/32', 'fd01::/112'], 'fd01::/112'],
    ],
    [
      'serviceLoadBalancerIPs',
      { serviceLoadBalancerIPs: [{ cidr: '198.51.100.0/24' }] },
      ({ services, speaker }) => [services.loadBalancerIps, speaker?.routes.at(-1)?.prefix],
      [['198.51.100.0/24'], '198.51.100.0/24'],
    ],
    [
      'serviceLoadBalancerAggregation',
      { serviceLoadBalancerIPs: [{ cidr: '198.51.100.0/24' }], serviceLoadBalancerAggregation: 'Disabled' },
      ({ services, speaker }) => [services.isAggregated, speaker?.routes.length],
      [false, 2],
    ],
  ])('has the key %s', (_name, spec, of, expected) => {
    const result = configured(spec);
    expect([result.problems, result.warnings]).toEqual([[], []]);
    expect(of(result)).toEqual(expected);
  });

  test('of a node counts for that node, but not for what is of the whole cluster', () => {
    const objects = [
      A,
      B,
      object('BGPConfiguration', 'default', { listenPort: 1000, asNumber: 65_000 }),
      object('BGPConfiguration', 'node.a', { listenPort: 2000, asNumber: 1 }),
      object('BGPConfiguration', 'node.b', { listenPort: 3000 }),
      object('BGPConfiguration', 'other', {}),
    ];
    const result = translate(objects);
    expect([result.listenPort, result.speaker?.asn]).toEqual([2000, 65_000]);
    expect(result.warnings).toEqual([
      { place: 'BGPConfiguration node.a spec.asNumber', message: 'is of the whole cluster: ignored here' },
      { place: 'BGPConfiguration other', message: 'is neither default nor node.NAME: ignored' },
    ]);
  });

  test('tells of keys it does not know, and works without them', () => {
    const result = configured({
      listenPort: 1000,
      listenPrt: 5,
      serviceClusterIPs: [{ cidr: '10.96.0.0/12', x: 1 }],
    });
    expect(result.listenPort).toBe(1000);
    expect(result.warnings).toEqual([
      { place: 'BGPConfiguration default spec.serviceClusterIPs[0].x', message: 'unknown key, ignored' },
      { place: 'BGPConfiguration default spec.listenPrt', message: 'unknown key, ignored' },
    ]);
  });

  test.each<[Spec, string, string]>([
    [{ asNumber: '0' }, 'asNumber', '"0" is no AS number: 1 to 4294967295'],
    [{ asNumber: '1.65536' }, 'asNumber', '"1.65536" is no AS number: 1 to 4294967295'],
    [{ serviceClusterIPs: [{ cidr: '10.0.0.0' }] }, 'serviceClusterIPs[0].cidr', '"10.0.0.0" is no prefix'],
    [{ nodeMeshMaxRestartTime: '5' }, 'nodeMeshMaxRestartTime', '"5" is no duration such as 120s or 1m30s'],
    [
      { communities: [{ name: 'x', value: '1' }] },
      'communities[0].value',
      '"1" is no community such as 64512:1 or 64512:1:1',
    ],
    [{ localWorkloadPeeringIPV4: 'x' }, 'localWorkloadPeeringIPV4', '"x" is no IP address'],
  ])('%j is a problem', (spec, key, message) => {
    expect(configured(spec).problems).toEqual([{ place: `BGPConfiguration default spec.${key}`, message }]);
  });

  test('warns of what is of no use without a mesh', () => {
    const { warnings } = configured({ nodeToNodeMeshEnabled: false, nodeMeshMaxRestartTime: '5s' });
    expect(warnings).toEqual([
      {
        place: 'BGPConfiguration default spec.nodeMeshMaxRestartTime',
        message: 'is of no use while nodeToNodeMeshEnabled is false',
      },
    ]);
  });
});

describe('a node', () => {
  test.each<[string, readonly KubeObject[], (result: CalicoResult) => unknown, unknown]>([
    [
      'ASNumber',
      [node('a', { IPv4Address: '10.0.0.1', ASNumber: '65010' }), B],
      ({ speaker }) => [speaker?.asn, speaker?.neighbors[0]?.session.peerAsn],
      [65_010, 64_512],
    ],
    [
      "another's ASNumber",
      [A, node('b', { IPv4Address: '10.0.0.2', ASNumber: '65010' })],
      (result) => first(result).session.peerAsn,
      65_010,
    ],
    [
      'RouteReflectorClusterID: no mesh',
      [node('a', { IPv4Address: '10.0.0.1', RouteReflectorClusterID: '224.0.0.1' }), B],
      ({ speaker }) => [speaker?.clusterId, speaker?.neighbors],
      [0xe000_0001, []],
    ],
    [
      "another's RouteReflectorClusterID",
      [A, B, node('r', { IPv4Address: '10.0.0.9', RouteReflectorClusterID: '224.0.0.1' })],
      keysOf,
      MESH_B,
    ],
    [
      'IPv6Address alone',
      [node('a', { IPv6Address: 'fd00::1/64' }), B],
      ({ speaker }) => [speaker?.neighbors.map(({ key }) => key), speaker?.routerId !== 0],
      [['mesh b 6'], true],
    ],
    [
      'tunnels',
      [node('a', { IPv4Address: '10.0.0.1/24', IPv4IPIPTunnelAddr: '10.42.0.1' }), B],
      ({ networks, problems }) => [networks, problems],
      [{ 4: '10.0.0.0/24' }, []],
    ],
    [
      "of Calico's own API",
      [
        object('Node', 'a', {
          bgp: {
            ipv4Address: '10.0.0.1/24',
            ipv6Address: 'fd00::1/64',
            asNumber: 65_010,
            ipv4IPIPTunnelAddr: '10.42.0.1',
            routeReflectorClusterID: '',
          },
        }),
        B,
      ],
      ({ speaker }) => [speaker?.asn, speaker?.neighbors.map(({ key }) => key)],
      [65_010, MESH_B],
    ],
    [
      'of no address',
      [node('a', {}), B],
      ({ speaker, problems }) => [speaker, problems],
      [undefined, [{ place: 'Node a', message: 'has neither an IPv4 nor an IPv6 address for BGP' }]],
    ],
    [
      'that is not there',
      [B],
      ({ speaker, problems }) => [speaker, problems],
      [undefined, [{ place: 'Node a', message: 'there is none' }]],
    ],
    [
      'with a broken annotation',
      [A, node('b', { IPv4Address: 'fd00::2' })],
      ({ problems }) => problems,
      [
        {
          place: 'Node b metadata.annotations["projectcalico.org/IPv4Address"]',
          message: '"fd00::2" is no IPv4 address',
        },
      ],
    ],
    [
      'that tells no services',
      [
        node(
          'a',
          { IPv4Address: '10.0.0.1' },
          { 'node.kubernetes.io/exclude-from-external-load-balancers': '' },
        ),
        object('BGPConfiguration', 'default', { serviceClusterIPs: [{ cidr: '10.96.0.0/12' }] }),
      ],
      ({ speaker }) => speaker?.routes.length,
      2,
    ],
  ])('%s', (_name, objects, of, expected) => {
    expect(of(translate(objects))).toEqual(expected);
  });
});

describe('BGPPeer', () => {
  const TOR = { peerIP: '192.0.2.1', asNumber: 65_001 };

  test.each<[string, Spec, (result: CalicoResult) => unknown, unknown]>([
    [
      'peerIP',
      TOR,
      (result) => [keysOf(result), first(result).session.peerAsn, first(result).session.localAddress],
      [['BGPPeer p 192.0.2.1'], 65_001, '10.0.0.1'],
    ],
    [
      'peerIP with a port',
      { ...TOR, peerIP: '[fd00:5::1]:1179' },
      (result) => [
        first(result).session.peerAddress,
        first(result).session.port,
        first(result).session.families[0]?.family,
      ],
      ['fd00:5::1', 1179, 6],
    ],
    ['peerIP of our own', { ...TOR, peerIP: '10.0.0.1' }, keysOf, []],
    ['node', { ...TOR, node: 'b' }, keysOf, []],
    ['nodeSelector', { ...TOR, nodeSelector: 'rack == "one"' }, keysOf, ['BGPPeer p 192.0.2.1']],
    ['nodeSelector of others', { ...TOR, nodeSelector: 'rack == "two"' }, keysOf, []],
    [
      'peerSelector',
      { nodeSelector: 'rack == "one"', peerSelector: 'rack == "two"' },
      keysOf,
      ['BGPPeer p 10.0.0.2', 'BGPPeer p fd00::2', 'BGPPeer p 10.0.1.3'],
    ],
    [
      'peerSelector, from the other end',
      { nodeSelector: 'rack == "two"', peerSelector: 'rack == "one"' },
      keysOf,
      ['BGPPeer p 10.0.0.2', 'BGPPeer p fd00::2', 'BGPPeer p 10.0.1.3'],
    ],
    [
      'reversePeering',
      { nodeSelector: 'rack == "two"', peerSelector: 'rack == "one"', reversePeering: 'Manual' },
      keysOf,
      [],
    ],
    ['localASNumber', { ...TOR, localASNumber: 65_099 }, (result) => first(result).session.localAsn, 65_099],
    [
      'keepOriginalNextHop',
      { ...TOR, keepOriginalNextHop: true },
      (result) => first(result).policy.nextHop,
      'keep',
    ],
    [
      'keepOriginalNextHop within',
      { ...TOR, asNumber: 64_512, keepOriginalNextHop: true },
      (result) => first(result).policy.nextHop,
      'auto',
    ],
    ['nextHopMode', { ...TOR, nextHopMode: 'Self' }, (result) => first(result).policy.nextHop, 'self'],
    [
      'password',
      { ...TOR, password: { secretKeyRef: { name: 's', key: 'k' } } },
      (result) => first(result).session.password,
      'secret/s/k',
    ],
    [
      'sourceAddress',
      { ...TOR, sourceAddress: 'None' },
      (result) => first(result).session.localAddress,
      undefined,
    ],
    [
      'maxRestartTime',
      { ...TOR, maxRestartTime: '10s' },
      (result) => first(result).session.restart,
      { restartTimeSec: 10 },
    ],
    ['keepaliveTime', { ...TOR, keepaliveTime: '20s' }, (result) => first(result).session.holdTimeSec, 60],
    [
      'numAllowedLocalASNumbers',
      { ...TOR, numAllowedLocalASNumbers: 2 },
      (result) => first(result).policy.allowedOwnAsns,
      2,
    ],
    [
      'ttlSecurity',
      { ...TOR, ttlSecurity: 1 },
      (result) => [first(result).session.ttlSecurityHops, first(result).session.multihopTtl],
      [1, undefined],
    ],
    [
      'reachableBy',
      { ...TOR, reachableBy: '10.0.0.254' },
      ({ reachability }) => reachability,
      [{ peer: '192.0.2.1', gateway: '10.0.0.254' }],
    ],
    [
      'filters',
      { ...TOR, filters: ['f'] },
      (result) => first(result).policy.imports?.[4]?.rules.map(({ origin }) => origin),
      ['BGPFilter f importV4[0]'],
    ],
  ])('has the key %s', (_name, spec, of, expected) => {
    const result = peered(spec, [object('BGPFilter', 'f', { importV4: [{ action: 'Reject' }] })]);
    expect([result.problems, result.warnings]).toEqual([[], []]);
    expect(of(result)).toEqual(expected);
  });

  test('has localWorkloadSelector: pods of this node that we meet at an address of their own', () => {
    const workloads = [
      { name: 'red', labels: { colour: 'red' }, addresses: ['10.42.1.5', 'fd42::45'], interface: 'cali1' },
      { name: 'blue', labels: { colour: 'blue' }, addresses: ['10.42.1.6'] },
    ];
    const peer = object('BGPPeer', 'w', { localWorkloadSelector: 'colour == "red"', asNumber: 65_200 });
    const meeting = object('BGPConfiguration', 'default', { localWorkloadPeeringIPV4: '169.254.0.179' });
    const result = translate([A, peer, meeting], { workloads });
    expect(keysOf(result)).toEqual(['BGPPeer w 10.42.1.5', 'BGPPeer w fd42::45']);
    expect(first(result).session).toMatchObject({
      interface: 'cali1',
      localAddress: '169.254.0.179',
      peerAsn: 65_200,
      isPassive: true,
    });
  });

  describe('over a link', () => {
    const over = (spec: Spec, annotations: Readonly<Record<string, string>> = {}, nodes = [A]) => {
      const peer = object('BGPPeer', 'p', spec);
      const told = { ...peer, metadata: { ...peer.metadata, annotations } };
      return translate([
        ...nodes,
        object('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false }),
        told,
      ]);
    };
    const EXTENDED = { addPathSend: true, addPathReceive: true, extendedNextHop: true };

    test('has a link-local peerIP with its link, and carries all families of the node', () => {
      const [neighbor, ...others] =
        over({ peerIP: '[fe80::1%eth1]:1179', asNumber: 65_001 }).speaker?.neighbors ?? [];
      expect(others).toEqual([]);
      expect(neighbor).toMatchObject({
        key: 'BGPPeer p fe80::1%eth1',
        session: {
          peerAddress: 'fe80::1',
          port: 1179,
          interface: 'eth1',
          peerAsn: 65_001,
          families: [
            { family: 4, ...EXTENDED },
            { family: 6, ...EXTENDED },
          ],
        },
      });
      for (const key of ['localAddress', 'multihopTtl']) expect(neighbor?.session).not.toHaveProperty(key);
      expect(Object.keys(neighbor?.policy.exports ?? {})).toEqual(['4', '6']);
    });

    test('carries IPv4 alone where the node has no IPv6 address', () => {
      const result = over({ peerIP: 'fe80::1%eth1', asNumber: 65_001 }, {}, [
        node('a', { IPv4Address: '10.0.0.1/24' }),
      ]);
      expect(first(result).session.families).toEqual([{ family: 4, ...EXTENDED }]);
    });

    test('may have the link in an annotation', () => {
      const result = over({ peerIP: 'fe80::1', asNumber: 65_001 }, { 'poplin.dev/interface': 'eth1' });
      expect(keysOf(result)).toEqual(['BGPPeer p fe80::1%eth1']);
    });

    test('without an address is whoever is at the other end of each link, of another AS if that is said', () => {
      const keys = { 'poplin.dev/interface': 'up1, up2', 'poplin.dev/peer-as': 'external' };
      const result = over({ ttlSecurity: 1 }, keys);
      expect(keysOf(result)).toEqual(['BGPPeer p up1', 'BGPPeer p up2']);
      expect(result.problems).toEqual([]);
      const { session } = first(result);
      expect(session).toMatchObject({ interface: 'up1', peerAs: 'external', ttlSecurityHops: 1 });
      for (const key of ['peerAddress', 'peerAsn']) expect(session).not.toHaveProperty(key);
    });

    test('is reflected to if it is of our AS, and we reflect', () => {
      const reflector = node('a', { IPv4Address: '10.0.0.1', RouteReflectorClusterID: '1.0.0.1' });
      const clientOf = (as: string) =>
        first(over({}, { 'poplin.dev/interface': 'up1', 'poplin.dev/peer-as': as }, [reflector])).policy
          .isReflectorClient;
      expect([clientOf('internal'), clientOf('external')]).toEqual([true, undefined]);
    });

    test.each<[Spec, Readonly<Record<string, string>>, string, string]>([
      [
        { peerIP: 'fe80::1' },
        {},
        'spec.peerIP',
        '"fe80::1" is link-local, and means nothing without its link',
      ],
      [{ peerIP: 'fe80::1%a b' }, {}, 'spec.peerIP', '"fe80::1%a b" is no address'],
      [{ peerIP: '10.0.0.2%eth0' }, {}, 'spec.peerIP', '"10.0.0.2%eth0" is no address'],
      [
        { peerIP: 'fe80::1%a' },
        { 'poplin.dev/interface': 'b' },
        'spec.peerIP',
        'can be on one link, not on a and b',
      ],
      [
        { peerIP: '10.0.0.2' },
        { 'poplin.dev/interface': 'b' },
        'spec.peerIP',
        '"10.0.0.2" is not link-local',
      ],
      [
        {},
        { 'poplin.dev/interface': 'a/b' },
        'metadata.annotations["poplin.dev/interface"]',
        '"a/b" is no name',
      ],
      [{}, { 'poplin.dev/interface': 'a,' }, 'metadata.annotations["poplin.dev/interface"]', '"" is no name'],
      [
        { peerSelector: 'all()' },
        { 'poplin.dev/interface': 'a' },
        'metadata.annotations["poplin.dev/interface"]',
        'does not go with spec.peerSelector',
      ],
      [
        { asNumber: 5 },
        { 'poplin.dev/interface': 'a', 'poplin.dev/peer-as': 'external' },
        'metadata.annotations["poplin.dev/peer-as"]',
        'does not go with spec.asNumber',
      ],
      [
        {},
        { 'poplin.dev/interface': 'a', 'poplin.dev/peer-as': 'outside' },
        'metadata.annotations["poplin.dev/peer-as"]',
        'must be "external" or "internal", not "outside"',
      ],
    ])('%j with %j is a problem', (spec, annotations, place, message) => {
      const result = over(spec, annotations);
      expect(result.speaker?.neighbors).toEqual([]);
      expect(result.problems[0]?.place).toBe(`BGPPeer p ${place}`);
      expect(result.problems[0]?.message).toContain(message);
    });
  });

  test('makes clients of those who are in no cluster of ours', () => {
    const reflector = node(
      'a',
      { IPv4Address: '10.0.0.1', RouteReflectorClusterID: '1.0.0.1' },
      { rr: 'yes' },
    );
    const same = node('s', { IPv4Address: '10.0.0.8', RouteReflectorClusterID: '1.0.0.1' });
    const other = node('t', { IPv4Address: '10.0.0.9', RouteReflectorClusterID: '1.0.0.2' });
    const foreign = node('x', { IPv4Address: '10.0.0.10', ASNumber: '65009' });
    const { speaker } = translate([
      reflector,
      same,
      other,
      foreign,
      B,
      object('BGPPeer', 'p', { peerSelector: 'rr == "yes"' }),
    ]);
    expect(
      speaker?.neighbors.map(({ session, policy }) => [session.peerAddress, policy.isReflectorClient]),
    ).toEqual([
      ['10.0.0.8', undefined],
      ['10.0.0.9', true],
      ['10.0.0.10', undefined],
      ['10.0.0.2', true],
    ]);
  });

  test.each<[Spec, string, string]>([
    [{}, 'peerIP', 'is missing, and so are peerSelector and localWorkloadSelector'],
    [{ ...TOR, node: 'a', nodeSelector: 'all()' }, 'nodeSelector', 'does not go with node'],
    [{ ...TOR, peerSelector: 'all()' }, 'peerSelector', 'does not go with peerIP'],
    [
      { peerSelector: 'all()', asNumber: 5 },
      'peerSelector',
      'does not go with asNumber: the nodes have their own',
    ],
    [{ localWorkloadSelector: 'all()' }, 'asNumber', 'is missing'],
    [{ ...TOR, localWorkloadSelector: 'all()' }, 'localWorkloadSelector', 'does not go with peerIP'],
    [{ ...TOR, nodeSelector: 'rack ==' }, 'nodeSelector', 'a text in quotes is expected'],
    [{ ...TOR, filters: ['g'] }, 'filters[0]', 'no such filter: "g"'],
    [{ ...TOR, peerIP: '1.2.3.4:x' }, 'peerIP', '"1.2.3.4:x" is no address'],
  ])('%j is a problem', (spec, key, message) => {
    const [problem] = peered(spec).problems;
    expect(problem?.place).toBe(`BGPPeer p spec.${key}`);
    expect(problem?.message).toContain(message);
  });
});

describe('BGPFilter', () => {
  const TOR = object('BGPPeer', 'p', { peerIP: '192.0.2.1', asNumber: 65_001, filters: ['f'] });
  const filterOf = (spec: Spec) =>
    translate([
      A,
      object('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false }),
      TOR,
      object('BGPFilter', 'f', spec),
    ]);

  test('has all keys of its rules', () => {
    const rule = {
      action: 'Accept',
      cidr: '10.0.0.0/8',
      matchOperator: 'In',
      prefixLength: { min: 16, max: 24 },
      source: 'RemotePeers',
      interface: 'eth*',
      peerType: 'eBGP',
      communities: { values: ['64512:1'] },
      asPathPrefix: [65_001, '65002'],
      priority: 512,
      operations: [
        { addCommunity: { value: '64512:1:2' } },
        { prependASPath: { prefix: [65_000] } },
        { setPriority: { value: 9 } },
      ],
    };
    const result = filterOf({ exportV4: [rule], importV4: [], exportV6: [], importV6: [] });
    expect(result.problems).toEqual([]);
    expect(first(result).policy.exports?.[4]?.rules[0]).toEqual({
      origin: 'BGPFilter f exportV4[0]',
      action: 'accept',
      match: {
        prefix: { operator: 'in', prefix: '10.0.0.0/8', minLength: 16, maxLength: 24 },
        source: 'remote',
        interface: 'eth*',
        peerType: 'external',
        communities: [64_512 * 65_536 + 1],
        asPathPrefix: [65_001, 65_002],
        priority: 512,
      },
      operations: [
        { type: 'add-community', community: [64_512, 1, 2] },
        { type: 'prepend-as-path', asns: [65_000] },
        { type: 'set-priority', priority: 9 },
      ],
    });
  });

  test.each<[Spec, string]>([
    [{ action: 'Accept', cidr: '10.0.0.0/8' }, 'cidr and matchOperator go together'],
    [{ action: 'Accept', matchOperator: 'In' }, 'cidr and matchOperator go together'],
    [{ action: 'Accept', cidr: 'fd00::/8', matchOperator: 'In' }, 'cidr "fd00::/8" is no IPv4 prefix'],
    [{ action: 'Accept', prefixLength: { min: 8 } }, 'prefixLength needs a cidr'],
    [
      { action: 'Reject', operations: [{ setPriority: { value: 1 } }] },
      'operations are of use with Accept only',
    ],
    [
      { action: 'Accept', operations: [{ setPriority: { value: 1 }, addCommunity: { value: '1:1' } }] },
      'an operation does exactly one thing',
    ],
  ])('%j is a problem, and the others count', (rule, message) => {
    const result = filterOf({ importV4: [rule, { action: 'Reject' }] });
    expect(result.problems).toEqual([{ place: 'BGPFilter f importV4[0]', message }]);
    expect(first(result).policy.imports?.[4]?.rules).toHaveLength(1);
  });
});

describe('what peers are told, unless a filter says otherwise', () => {
  const objects = [
    A,
    B,
    object('BGPConfiguration', 'default', {
      serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
      communities: [{ name: 'pods', value: '64512:7' }],
      prefixAdvertisements: [{ cidr: '10.42.0.0/16', communities: ['pods', '64512:1:2'] }],
    }),
    object('IPPool', 'pods', { cidr: '10.42.0.0/16' }),
    object('IPPool', 'hidden', { cidr: '10.43.0.0/16', disableBGPExport: true }),
    object('IPPool', 'pods6', { cidr: 'fd42::/48' }),
  ];
  const result = translate(objects);

  test.each<[string, string | undefined]>([
    ['10.42.1.0/26', 'block 10.42.1.0/26'],
    ['10.42.1.5/32', 'within block 10.42.1.0/26'],
    ['10.42.9.5/32', 'IPPool pods'],
    ['10.43.0.0/26', 'IPPool hidden spec.disableBGPExport'],
    ['10.100.0.1/32', 'services 10.96.0.0/12'],
    ['192.168.0.0/24', undefined],
    ['fd42::40/122', 'block fd42::40/122'],
    ['fd42:0:0:1::/122', 'IPPool pods6'],
    ['fd99::/64', undefined],
  ])('%s: %s', (prefix, decidedBy) => {
    const family = prefix.includes(':') ? 6 : 4;
    const neighbor = result.speaker?.neighbors.find(({ key }) => key === `mesh b ${family}`);
    const filter = neighbor?.policy.exports?.[family];
    if (filter === undefined) throw new Error('no filter');
    const attributes = { origin: 'igp', asPath: [], nextHop: '0.0.0.0' } as const;
    const explanation = explainFilter(
      filter,
      { family, prefix, attributes, source: 'local' },
      { peerType: 'internal' },
    );
    expect(explanation.decidedBy).toBe(decidedBy);
    if (explanation.verdict === 'accept' && prefix.startsWith('10.42'))
      expect(explanation.attributes).toMatchObject({
        communities: [64_512 * 65_536 + 7],
        largeCommunities: [[64_512, 1, 2]],
      });
  });

  test('names communities that are there', () => {
    const { problems } = configured({
      prefixAdvertisements: [{ cidr: '10.0.0.0/8', communities: ['gold'] }],
    });
    expect(problems).toEqual([
      { place: 'BGPConfiguration spec.prefixAdvertisements[0]', message: 'no such community: "gold"' },
    ]);
  });
});

describe('IPPool', () => {
  test('has all its keys', () => {
    const spec = {
      cidr: '10.42.0.0/16',
      ipipMode: 'CrossSubnet',
      vxlanMode: 'Never',
      natOutgoing: true,
      disabled: true,
      disableBGPExport: true,
      blockSize: 24,
      nodeSelector: 'all()',
      namespaceSelector: 'all()',
      allowedUses: ['Workload'],
      assignmentMode: 'Manual',
    };
    const { pools, problems } = translate([A, object('IPPool', 'p', spec)]);
    expect(problems).toEqual([]);
    expect(pools).toEqual([
      {
        name: 'p',
        cidr: '10.42.0.0/16',
        encapsulation: 'ipip',
        isCrossSubnet: true,
        natOutgoing: true,
        isDisabled: true,
        isExported: false,
        blockSize: 24,
        isBlockSizeGiven: true,
        nodeSelector: 'all()',
        namespaceSelector: 'all()',
        allowedUses: ['Workload'],
        isManual: true,
      },
    ]);
    expect(translate([A, object('IPPool', 'p', { cidr: 'fd42::/48' })]).pools[0]).toMatchObject({
      encapsulation: 'none',
      blockSize: 122,
      allowedUses: ['Workload', 'Tunnel'],
      isManual: false,
    });
  });

  test.each<[Spec, string, string]>([
    [
      { cidr: '10.42.0.0/16', ipipMode: 'Always', vxlanMode: 'Always' },
      'ipipMode',
      'Always does not go with vxlanMode Always',
    ],
    [{ cidr: 'fd42::/48', ipipMode: 'Always' }, 'ipipMode', 'Always does not go with IPv6'],
    [{ cidr: 'fd42::/48', blockSize: 26 }, 'blockSize', '26 is not from 116 to 128'],
    [{}, 'cidr', 'invalid input: expected string, received undefined'],
  ])('%j is a problem', (spec, key, message) => {
    expect(translate([A, object('IPPool', 'p', spec)]).problems).toEqual([
      { place: `IPPool p spec.${key}`, message },
    ]);
  });

  test.each([
    ['ipipMode', 'Never', 'none', 'none'],
    ['ipipMode', 'Always', 'ipip', 'ipip'],
    ['ipipMode', 'CrossSubnet', 'none', 'ipip'],
    ['vxlanMode', 'Always', 'vxlan', 'vxlan'],
    ['vxlanMode', 'CrossSubnet', 'none', 'vxlan'],
  ])('%s %s: %s in the same network, %s otherwise', (key, mode, near, far) => {
    const { pools, networks } = translate([A, object('IPPool', 'p', { cidr: '10.42.0.0/16', [key]: mode })]);
    const pool = poolOf(pools, '10.42.7.0/26');
    expect(encapsulationOf(pool, networks[4], '10.0.0.2')).toBe(near);
    expect(encapsulationOf(pool, networks[4], '10.0.1.3')).toBe(far);
    expect(poolOf(pools, '10.99.0.0/26')).toBeUndefined();
    expect(encapsulationOf(undefined, networks[4], '10.0.1.3')).toBe('none');
  });
});

describe('a mesh that looks after itself', () => {
  const many = Array.from({ length: 30 }, (_, at) =>
    node(`n${at}`, { IPv4Address: `10.0.2.${at}` }, { 'topology.kubernetes.io/zone': `z${at % 3}` }),
  );
  const mesh = { options: { fullMeshLimit: 10, clientsPerReflector: 20 } };

  test('has reflectors when it is large, whose clients are their clients', () => {
    const of = (name: string) => translate(many, { node: name, mesh }).speaker?.neighbors ?? [];
    const all = new Map(many.map(({ metadata: { name } }) => [name, of(name)]));
    const reflectors = [...all].filter(([, neighbors]) =>
      neighbors.some(({ policy }) => policy.isReflectorClient === true),
    );
    expect(reflectors).toHaveLength(3);
    for (const [name, neighbors] of all)
      if (!reflectors.some(([each]) => each === name)) expect(neighbors).toHaveLength(2);
  });
});

test.each<[string, () => unknown, unknown]>([
  ['asn', () => [parseAsn(1), parseAsn('4294967295'), parseAsn('0.5')], [1, 4_294_967_295, 5]],
  ['duration', () => [parseDuration('1h1m1.5s'), parseDuration('0'), parseDuration('1500ms')], [3662, 0, 2]],
  [
    'address',
    () => [parsePeerAddress('FD00::1'), parsePeerAddress('1.2.3.4:5')],
    [{ address: 'fd00::1' }, { address: '1.2.3.4', port: 5 }],
  ],
])('values: %s', (_name, read, expected) => {
  expect(read()).toEqual(expected);
});

test('every key of every kind was tried', () => {
  const rule = FILTER.shape.importV4.unwrap().element.shape;
  const wanted: Readonly<Record<string, readonly string[]>> = {
    BGPConfiguration: Object.keys(CONFIGURATION.shape),
    BGPPeer: Object.keys(PEER.shape),
    BGPFilter: [...Object.keys(FILTER.shape), ...Object.keys(rule)],
    IPPool: Object.keys(POOL.shape),
    NodeBGP: Object.keys(NODE_BGP.shape),
  };
  for (const [kind, keys] of Object.entries(wanted))
    expect(
      keys.filter((key) => tried.get(kind)?.has(key) !== true),
      kind,
    ).toEqual([]);
});
