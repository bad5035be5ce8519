import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import type { BackendData, LeaseRecord } from '../model.ts';
import type { NetConf } from '../net-conf.ts';
import { nodeAnnotations } from './annotations.ts';
import { NodeBook } from './book.ts';
import { networkUpPatch } from './condition.ts';
import { nodeFacts } from './facts.ts';
import * as nodes from './nodes.fixture.ts';
import { planOwnNode, wishedNodeIps } from './own.ts';
import { readNode } from './read.ts';

const { nodeObject, FLANNEL_VXLAN, FLANNEL_VXLAN_DUAL } = nodes;
const NAMES = nodeAnnotations();
const DUAL: NetConf = {
  ipv4: { network: '10.244.0.0/16', subnetLen: 24, subnetMin: '10.244.1.0', subnetMax: '10.244.255.0' },
  ipv6: {
    network: 'fd00:10:244::/56',
    subnetLen: 64,
    subnetMin: 'fd00:10:244:1::',
    subnetMax: 'fd00:10:244:ff::',
  },
  enableNFTables: false,
  backend: { type: 'alloc' },
};
const { ipv6: _v6, ...V4 } = DUAL;
const CIDRS = ['10.244.1.0/24', 'fd00:10:244:1::/64'];
const facts = (object: KubeObject) => nodeFacts(object, NAMES);
const read = (object: KubeObject, netConf: NetConf = V4) => readNode(facts(object), NAMES, netConf);
const reasons = (object: KubeObject, netConf: NetConf = V4) =>
  read(object, netConf).map((entry) => ('refused' in entry ? entry.refused : entry.record.subnet));

describe('a node of flannel', () => {
  it.each([
    ['vxlan', nodes.FLANNEL_VXLAN, { VNI: 1, VtepMAC: '82:4b:b6:2f:54:4e' }],
    ['host-gw', nodes.FLANNEL_HOST_GW, undefined],
    ['wireguard', nodes.FLANNEL_WIREGUARD, { PublicKey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=' }],
    ['ipip', nodes.FLANNEL_IPIP, undefined],
    ['udp', nodes.FLANNEL_UDP, undefined],
  ] satisfies [string, Record<string, string>, BackendData | undefined][])(
    'with the backend %s is read, and nothing is written over its own words',
    (backendType, annotations, backendData) => {
      const object = nodeObject('b', [CIDRS[0] ?? ''], annotations);
      expect(read(object)).toMatchObject([
        {
          name: 'b ipv4',
          own: false,
          record: {
            family: 4,
            subnet: '10.244.1.0/24',
            node: 'b',
            publicIp: '192.0.2.10',
            backendType,
            reserved: true,
          },
        },
      ]);
      const [entry] = read(object);
      expect(entry !== undefined && 'record' in entry && entry.record.backendData).toEqual(backendData);
      const offer = {
        backendType,
        ipv4: { publicIp: '192.0.2.10', ...(backendData !== undefined && { backendData }) },
      };
      expect(planOwnNode(facts(object), NAMES, V4, offer)).toMatchObject({ patch: {}, problems: [] });
    },
  );

  it.each([[CIDRS], [[...CIDRS].reverse()]])(
    'in dual stack has both families, in whatever order: %j',
    (cidrs) => {
      expect(read(nodeObject('b', cidrs, FLANNEL_VXLAN_DUAL), DUAL)).toMatchObject([
        { name: 'b ipv4', record: { subnet: '10.244.1.0/24', publicIp: '192.0.2.10' } },
        {
          name: 'b ipv6',
          record: {
            subnet: 'fd00:10:244:1::/64',
            publicIp: '2001:db8::10',
            backendData: { VNI: 1, VtepMAC: '82:4b:b6:2f:54:4f' },
          },
        },
      ]);
    },
  );

  it('is known by podCIDR alone, and by annotations of another prefix', () => {
    const object = nodeObject('b', [], { ...FLANNEL_VXLAN });
    object['spec'] = { podCIDR: '10.244.7.0/24' };
    expect(read(object)).toMatchObject([{ record: { subnet: '10.244.7.0/24' } }]);
    const other = nodeAnnotations('example.org/net-');
    object.metadata.annotations = {
      'example.org/net-kube-subnet-manager': 'true',
      'example.org/net-public-ip': '192.0.2.9',
    };
    expect(read(object)).toEqual([]);
    expect(readNode(nodeFacts(object, other), other, V4)).toMatchObject([
      { record: { publicIp: '192.0.2.9' } },
    ]);
  });

  it.each<[string, KubeObject, string]>([
    ['no pod cidr', nodeObject('b', [], FLANNEL_VXLAN), 'node "b" pod cidr not assigned'],
    [
      'none of the family',
      nodeObject('b', ['fd00:10:244:1::/64'], FLANNEL_VXLAN),
      'node "b" pod cidr not assigned for IPv4: it has fd00:10:244:1::/64',
    ],
    [
      'one of another network',
      nodeObject('b', ['10.99.1.0/24'], FLANNEL_VXLAN),
      'pod cidr 10.99.1.0/24 of node "b" is not part of the network 10.244.0.0/16',
    ],
    [
      'one wider than the network',
      nodeObject('b', ['10.0.0.0/8'], FLANNEL_VXLAN),
      'pod cidr 10.0.0.0/8 of node "b" is not part of the network 10.244.0.0/16',
    ],
    ['one that is none', nodeObject('b', ['ten'], FLANNEL_VXLAN), 'node "b" pod cidr "ten" is no prefix'],
    [
      'three',
      nodeObject('b', ['10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24'], FLANNEL_VXLAN),
      'node "b" has 3 pod cidrs: one per family is wanted',
    ],
    [
      'no address',
      nodeObject('b', ['10.244.1.0/24'], { 'kube-subnet-manager': 'true' }),
      'annotation flannel.alpha.coreos.com/public-ip is missing',
    ],
    [
      'an address of the other family',
      nodeObject('b', ['10.244.1.0/24'], { ...FLANNEL_VXLAN, 'public-ip': '2001:db8::1' }),
      'annotation flannel.alpha.coreos.com/public-ip is "2001:db8::1", not an address of ipv4',
    ],
    [
      'data that are no JSON',
      nodeObject('b', ['10.244.1.0/24'], { ...FLANNEL_VXLAN, 'backend-data': '{' }),
      'annotation flannel.alpha.coreos.com/backend-data is "{", not JSON',
    ],
  ])('that has %s is refused with the reason', (_, object, reason) => {
    expect(reasons(object)).toEqual([reason]);
  });

  it.each([null, 7, 'x', { podCIDRs: 'x' }, { podCIDRs: [null, 3, {}] }, { podCIDR: { a: 1 } }])(
    'may have any spec: %j',
    (spec) => {
      expect(reasons({ ...nodeObject('b', [], FLANNEL_VXLAN), spec })).toEqual([
        'node "b" pod cidr not assigned',
      ]);
    },
  );
});

describe("this node's annotations", () => {
  const offer = {
    backendType: 'vxlan',
    ipv4: { publicIp: '192.0.2.1', backendData: { VNI: 1, VtepMAC: '02:00:00:00:00:01' } },
    ipv6: { publicIp: '2001:db8::1', backendData: { VNI: 1, VtepMAC: '02:00:00:00:00:02' } },
  };
  const plan = (annotations: Record<string, string>, cidrs = CIDRS, netConf = DUAL) =>
    planOwnNode(facts(nodeObject('a', cidrs, annotations)), NAMES, netConf, offer);

  it('are written as flannel writes them', () => {
    expect(plan({}).patch).toEqual({
      'flannel.alpha.coreos.com/backend-data': '{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}',
      'flannel.alpha.coreos.com/backend-type': 'vxlan',
      'flannel.alpha.coreos.com/backend-v6-data': '{"VNI":1,"VtepMAC":"02:00:00:00:00:02"}',
      'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
      'flannel.alpha.coreos.com/public-ip': '192.0.2.1',
      'flannel.alpha.coreos.com/public-ipv6': '2001:db8::1',
    });
    expect(Object.keys(plan({}, CIDRS, V4).patch).filter((key) => key.includes('v6'))).toEqual([]);
  });

  it('that say the same in another spelling stay, and only what differs is written', () => {
    const said = {
      ...FLANNEL_VXLAN_DUAL,
      'backend-data': '{ "VtepMAC": "02:00:00:00:00:01", "VNI": 1 }',
      'backend-v6-data': '{"VNI":1,"VtepMAC":"02:00:00:00:00:02"}',
      'public-ip': '192.0.2.1',
      'public-ipv6': '2001:DB8:0:0::1',
    };
    expect(plan(said).patch).toEqual({});
    expect(plan({ ...said, 'public-ip': '192.0.2.2' }).patch).toEqual({
      'flannel.alpha.coreos.com/public-ip': '192.0.2.1',
    });
  });

  it('follow an overwrite before a node-public-ip before what was found', () => {
    const ipOf = (annotations: Record<string, string>) =>
      plan(annotations).patch['flannel.alpha.coreos.com/public-ip'];
    expect(ipOf({ 'node-public-ip': '192.0.2.7' })).toBe('192.0.2.7');
    expect(ipOf({ 'node-public-ip': '192.0.2.7', 'public-ip-overwrite': '203.0.113.1' })).toBe('203.0.113.1');
    expect(plan({ 'public-ipv6-overwrite': '2001:db8::99' }).records.ipv6?.publicIp).toBe('2001:db8::99');
    expect(plan({ 'public-ip-overwrite': 'nat' })).toMatchObject({
      patch: { 'flannel.alpha.coreos.com/public-ip': '192.0.2.1' },
      problems: [
        'annotation flannel.alpha.coreos.com/public-ip-overwrite is "nat", not an address of ipv4: it is not followed',
      ],
    });
    const wishes = facts(nodeObject('a', CIDRS, { 'node-public-ip': '192.0.2.7', 'node-public-ipv6': 'x' }));
    expect(wishedNodeIps(wishes, NAMES)).toEqual({ ipv4: '192.0.2.7' });
  });

  it('are not written before all families have a subnet', () => {
    expect(plan({}, ['10.244.1.0/24'])).toMatchObject({
      patch: {},
      problems: ['node "a" pod cidr not assigned for IPv6: it has 10.244.1.0/24'],
    });
    expect(plan({}, [])).toMatchObject({ patch: {}, problems: ['node "a" pod cidr not assigned'] });
  });
});

describe('the book of nodes', () => {
  const book = () => new NodeBook({ node: 'a', names: NAMES, netConf: V4 });
  const own = (subnet: string) => ({
    name: 'a ipv4',
    own: true,
    record: {
      ...(read(nodeObject('a', [subnet], FLANNEL_VXLAN))[0] as unknown as { record: LeaseRecord }).record,
    },
  });

  it('tells what a change changes, and of heartbeats nothing', () => {
    const nodes = book();
    const node = nodeObject('b', ['10.244.1.0/24'], FLANNEL_VXLAN);
    expect(nodes.take(node).upserts.map(({ name }) => name)).toEqual(['b ipv4']);
    expect(nodes.take({ ...node, status: { conditions: [] } })).toEqual({ upserts: [], removals: [] });
    expect(nodes.take(nodeObject('b', ['10.244.1.0/24'])).removals).toEqual(['b ipv4']);
    expect(nodes.take(node).upserts).toHaveLength(1);
    expect(nodes.replace([]).removals).toEqual(['b ipv4']);
    expect(nodes.entries()).toEqual([]);
  });

  it("refuses another's claim to this node's addresses, and takes it when they are given up", () => {
    const nodes = book();
    nodes.setOwn([own('10.244.1.0/24')]);
    const claim = nodes.take(nodeObject('b', ['10.244.0.0/22'], FLANNEL_VXLAN));
    expect(claim.upserts).toEqual([
      { name: 'b ipv4', refused: 'pod cidr 10.244.0.0/22 of node "b" overlaps this node\'s 10.244.1.0/24' },
    ]);
    expect(nodes.claimantOf('10.244.1.0/24')).toBe('b');
    expect(nodes.setOwn([])).toMatchObject({
      upserts: [{ name: 'b ipv4', record: { subnet: '10.244.0.0/22' } }],
      removals: ['a ipv4'],
    });
  });

  it('names nodes that overlap, and nodes nobody serves, but neither Windows nor nodes without pods', () => {
    const nodes = book();
    nodes.take(nodeObject('b', ['10.244.1.0/24'], FLANNEL_VXLAN));
    nodes.take(nodeObject('c', ['10.244.1.0/25'], FLANNEL_VXLAN));
    nodes.take(nodeObject('w', ['10.244.9.0/24'], {}, { 'kubernetes.io/os': 'windows' }));
    nodes.take(nodeObject('n', []));
    expect(nodes.problemTexts()).toEqual([
      'pod cidr 10.244.1.0/24 of node "b" and 10.244.1.0/25 of node "c" overlap',
    ]);
    for (const name of ['p', 'q', 'r', 's']) nodes.take(nodeObject(name, ['10.244.8.0/24']));
    expect(nodes.problemTexts()[1]).toMatch(/^no pod is reached on node "p", "q", "r" and 1 more: /);
  });
});

describe('the condition NetworkUnavailable', () => {
  const at = Date.UTC(2024, 0, 2);
  const withCondition = (condition: object) => ({
    ...nodeObject('a', []),
    status: { conditions: [{ type: 'NetworkUnavailable', ...condition }] },
  });

  it('is patched where it says something else, with the time of the change', () => {
    const expected = {
      type: 'NetworkUnavailable',
      status: 'False',
      reason: 'FlannelIsUp',
      lastTransitionTime: '2024-01-02T00:00:00Z',
    };
    for (const node of [nodeObject('a', []), withCondition({ status: 'True', reason: 'NoRouteCreated' })])
      expect(networkUpPatch(node, at)).toMatchObject({ status: { conditions: [expected] } });
    const since = '2023-01-01T00:00:00Z';
    expect(
      networkUpPatch(
        withCondition({ status: 'False', reason: 'RouteCreated', lastTransitionTime: since }),
        at,
      ),
    ).toMatchObject({ status: { conditions: [{ lastTransitionTime: since }] } });
    expect(networkUpPatch(withCondition({ status: 'False', reason: 'FlannelIsUp' }), at)).toBeUndefined();
  });
});
