import { describe, expect, test } from 'vitest';
import { selectorText } from '../selector/index.ts';
import { complaints, factOf, rulesOf, type Written } from './text.fixture.ts';

const calico = (kind: string, spec: object, metadata: object = {}): Written => ({
  apiVersion: 'projectcalico.org/v3',
  kind,
  metadata: { ...(kind !== 'NetworkSet' && { namespace: undefined }), ...metadata },
  spec,
});

describe('a Tier', () => {
  const tier = (name: string, spec: object) => calico('Tier', spec, { name });
  test.each<[string, object, object]>([
    [
      'denies and comes last if it says nothing',
      {},
      { order: Number.POSITIVE_INFINITY, defaultAction: 'deny' },
    ],
    ['has its order', { order: 0.5 }, { order: 0.5, defaultAction: 'deny' }],
    ['passes if it says so', { order: -1, defaultAction: 'Pass' }, { order: -1, defaultAction: 'pass' }],
  ])('%s', (_, spec, expected) => {
    expect(factOf(tier('platform', spec))).toEqual({ is: 'tier', tier: { name: 'platform', ...expected } });
  });

  test.each<[string, object, object]>([
    ['default', { order: 1_000_000, defaultAction: 'Deny' }, { order: 1_000_000, defaultAction: 'deny' }],
    ['kube-admin', { order: 1000, defaultAction: 'Pass' }, { order: 1000, defaultAction: 'pass' }],
    [
      'kube-baseline',
      { order: 10_000_000, defaultAction: 'Pass' },
      { order: 10_000_000, defaultAction: 'pass' },
    ],
  ])('%s is where it always is', (name, spec, expected) => {
    expect(factOf(tier(name, spec))).toEqual({ is: 'tier', tier: { name, ...expected } });
    const action = name === 'default' ? 'Deny' : 'Pass';
    expect(complaints(tier(name, { order: 1, defaultAction: action === 'Deny' ? 'Pass' : 'Deny' }))).toEqual([
      `spec.order: must be ${(expected as { order: number }).order} for the tier ${name}`,
      `spec.defaultAction: must be ${action} for the tier ${name}`,
    ]);
  });

  test('may be called as nothing of ours is', () => {
    for (const name of ['admin', 'baseline', 'profiles'])
      expect(factOf(tier(name, { order: 1 }))).toMatchObject({ is: 'tier', tier: { order: 1 } });
  });
});

describe('a set of networks', () => {
  test('of a namespace is a member there, with its labels and nets', () => {
    const metadata = { name: 'partners', labels: { zone: 'a' } };
    const nets = ['10.1.2.3/8', '10.0.0.0/8', '192.0.2.1', 'FD00::/8'];
    expect(factOf(calico('NetworkSet', { nets }, metadata))).toEqual({
      is: 'member',
      member: {
        key: 'set shop/partners',
        kind: 'network-set',
        namespace: 'shop',
        name: 'partners',
        labels: { zone: 'a' },
        nets: ['10.0.0.0/8', '192.0.2.1/32', 'fd00::/8'],
        ports: [],
      },
    });
  });

  test('of the cluster is in no namespace, whatever its metadata says', () => {
    expect(factOf(calico('GlobalNetworkSet', {}, { name: 'partners', namespace: 'shop' }))).toEqual({
      is: 'member',
      member: {
        key: 'set /partners',
        kind: 'network-set',
        name: 'partners',
        labels: {},
        nets: [],
        ports: [],
      },
    });
  });

  test('with a wrong net is none', () => {
    expect(complaints(calico('NetworkSet', { nets: ['10.0.0.0/8', 'example.com'] }))).toEqual([
      'spec.nets[1]: "example.com" is no prefix such as 10.0.0.0/8 or fd00::/8',
    ]);
  });
});

describe('a HostEndpoint', () => {
  const host = (spec: object, metadata: object = {}) =>
    calico('HostEndpoint', spec, { name: 'eth0', ...metadata });
  test('is a member with its node, link, addresses and ports, found by the profiles it names', () => {
    const spec = {
      node: 'node-a',
      interfaceName: 'eth0',
      expectedIPs: ['192.0.2.1', 'FD00::1', '192.0.2.1'],
      profiles: ['open', 'logged'],
      ports: [
        { name: 'ssh', protocol: 'TCP', port: 22 },
        { name: 'dns', protocol: 17, port: 53 },
      ],
    };
    expect(factOf(host(spec, { labels: { role: 'edge' } }))).toEqual({
      is: 'host-endpoint',
      member: {
        key: 'host node-a/eth0',
        kind: 'host-endpoint',
        name: 'eth0',
        labels: { role: 'edge', 'profile open': '', 'profile logged': '' },
        node: 'node-a',
        link: 'eth0',
        nets: ['192.0.2.1/32', 'fd00::1/128'],
        ports: [
          { name: 'ssh', protocol: 6, port: 22 },
          { name: 'dns', protocol: 17, port: 53 },
        ],
      },
      profiles: ['open', 'logged'],
    });
  });

  test('of all links is one, and one of addresses alone', () => {
    expect(factOf(host({ node: 'a', interfaceName: '*' }))).toMatchObject({
      member: { link: '*', nets: [] },
    });
    const { member } = factOf(host({ node: 'a', expectedIPs: ['192.0.2.1'], interfaceName: '' })) as {
      member: object;
    };
    expect(member).not.toHaveProperty('link');
  });

  test.each<[string, object, string[]]>([
    ['no node', { interfaceName: 'eth0' }, ['spec.node: is missing']],
    ['neither link nor address', { node: 'a' }, ['spec: needs interfaceName or expectedIPs']],
    [
      'a link',
      { node: 'a', interfaceName: 'a234567890123456' },
      ['spec.interfaceName: "a234567890123456" is neither * nor the name of an interface'],
    ],
    [
      'a net for an address',
      { node: 'a', interfaceName: '*', expectedIPs: ['10.0.0.0/8'] },
      ['spec.expectedIPs[0]: "10.0.0.0/8" is no address'],
    ],
    [
      'no port',
      { node: 'a', interfaceName: '*', ports: [{}] },
      ['name', 'port', 'protocol'].map((key) => `spec.ports[0].${key}: is missing`),
    ],
    [
      'a protocol without ports',
      { node: 'a', interfaceName: '*', ports: [{ name: 'x', port: 1, protocol: 'ICMP' }] },
      ['spec.ports[0].protocol: "ICMP" is no protocol that has ports: TCP, UDP or SCTP'],
    ],
  ])('with %s is none', (_, spec, told) => {
    expect(complaints(host(spec))).toEqual(told);
  });
});

describe('a Profile', () => {
  const spec = {
    ingress: [{ action: 'Allow', protocol: 'TCP', source: { selector: 'a == "b"' } }],
    egress: [{ action: 'Deny' }],
    labelsToApply: { role: 'edge' },
  };
  const profile = calico('Profile', spec, { name: 'open' });

  test('is a policy after all others, for the host endpoints that name it', () => {
    const fact = factOf(profile);
    expect(fact).toMatchObject({
      is: 'profile',
      name: 'open',
      labels: { role: 'edge' },
      policy: { ref: { kind: 'Profile', name: 'open' }, tier: '~profiles', order: Number.POSITIVE_INFINITY },
    });
    if (fact.is === 'profile')
      expect(selectorText(fact.policy.subject)).toBe('@kind == "host-endpoint" && has("profile open")');
    expect(rulesOf(profile)).toEqual([
      'ingress[0]: allow tcp from @kind in {"host-endpoint", "network-set", "pod"} && a == "b"',
      'egress[0]: deny',
    ]);
  });

  test('says of both directions that nothing is allowed which it does not allow', () => {
    expect(factOf(calico('Profile', {}))).toMatchObject({ policy: { ingress: [], egress: [] } });
  });
});
