import { describe, expect, test } from 'vitest';
import { selectorText } from '../selector/index.ts';
import { complaints, object, policyOf, rulesOf, type Written } from './text.fixture.ts';
import { translate } from './translate.ts';

const ofKind =
  (version: string, kind: string) =>
  (spec: object, name = 'web') =>
    ({
      apiVersion: `policy.networking.k8s.io/${version}`,
      kind,
      metadata: { name, namespace: undefined },
      spec: { subject: { namespaces: {} }, ...spec },
    }) satisfies Written;
const cnp = (spec: object) =>
  ofKind('v1alpha2', 'ClusterNetworkPolicy')({ tier: 'Admin', priority: 10, ...spec });
const anp = (spec: object) => ofKind('v1alpha1', 'AdminNetworkPolicy')({ priority: 10, ...spec });
const banp = (spec: object) => ofKind('v1alpha1', 'BaselineAdminNetworkPolicy')(spec, 'default');
const EVERYBODY = { namespaces: {} };

describe('the place of a policy of policy.networking.k8s.io', () => {
  test.each<[string, Written, object]>([
    ['is before NetworkPolicies in the tier Admin', cnp({}), { tier: 'kube-admin', order: 10 }],
    [
      'is after them in the tier Baseline',
      cnp({ tier: 'Baseline', priority: 0 }),
      { tier: 'kube-baseline', order: 0 },
    ],
    [
      'is before them for an AdminNetworkPolicy',
      anp({ priority: 1000 }),
      { tier: 'kube-admin', order: 1000 },
    ],
    [
      'is the very last for a BaselineAdminNetworkPolicy',
      banp({}),
      { tier: 'kube-baseline', order: Number.POSITIVE_INFINITY },
    ],
  ])('%s', (_, object, place) => {
    expect(policyOf(object)).toMatchObject(place);
    expect(policyOf(object).ref.kind).toBe(object.kind);
    expect(policyOf(object).ref.namespace).toBeUndefined();
  });
});

describe('the subject', () => {
  test.each<[string, object, string]>([
    ['of all namespaces is all pods', { namespaces: {} }, '@kind == "pod"'],
    [
      'of namespaces is their pods',
      { namespaces: { matchLabels: { env: 'prod' } } },
      '@kind == "pod" && namespace:env == "prod"',
    ],
    [
      'of pods is those of namespaces and of labels',
      {
        pods: {
          namespaceSelector: { matchLabels: { env: 'prod' } },
          podSelector: { matchLabels: { app: 'web' } },
        },
      },
      '@kind == "pod" && app == "web" && namespace:env == "prod"',
    ],
    ['of pods in any namespace is all that have the labels', { pods: { podSelector: {} } }, '@kind == "pod"'],
  ])('%s', (_, subject, text) => {
    expect(selectorText(policyOf(cnp({ subject })).subject)).toBe(text);
    expect(selectorText(policyOf(anp({ subject })).subject)).toBe(text);
  });
});

test('a direction without rules does not count at all', () => {
  const { ingress, egress } = policyOf(cnp({ ingress: [], egress: [{ action: 'Deny', to: [EVERYBODY] }] }));
  expect([ingress, egress]).toEqual([undefined, [expect.anything()]]);
});

test('actions have their names in each kind', () => {
  const rules = (...actions: string[]) => ({
    ingress: actions.map((action) => ({ action, from: [EVERYBODY] })),
  });
  const actionsOf = (object: Written) => policyOf(object).ingress?.map(({ action }) => action);
  expect(actionsOf(cnp(rules('Accept', 'Deny', 'Pass')))).toEqual(['allow', 'deny', 'pass']);
  expect(actionsOf(anp(rules('Allow', 'Deny', 'Pass')))).toEqual(['allow', 'deny', 'pass']);
  expect(actionsOf(banp(rules('Allow', 'Deny')))).toEqual(['allow', 'deny']);
  expect(complaints(cnp(rules('Allow')))).toEqual([
    'spec.ingress[0].action: "Allow" is not one of Accept, Deny, Pass',
  ]);
  expect(complaints(banp(rules('Pass')))).toEqual([
    'spec.ingress[0].action: "Pass" is not one of Allow, Deny',
  ]);
});

test('the name of a rule stays with all that it becomes', () => {
  const rule = { name: 'dns', action: 'Accept', to: [EVERYBODY, { networks: ['10.0.0.0/8'] }] };
  expect(policyOf(cnp({ egress: [rule] })).egress?.map(({ origin }) => origin)).toEqual([
    { index: 0, path: 'egress[0].to[0]', name: 'dns' },
    { index: 0, path: 'egress[0].to[1]', name: 'dns' },
  ]);
});

describe('a peer', () => {
  test.each<[string, 'ingress' | 'egress', object, string]>([
    ['of ingress is the source', 'ingress', EVERYBODY, 'from @kind == "pod"'],
    ['of egress is the destination', 'egress', EVERYBODY, 'to @kind == "pod"'],
    [
      'may be pods',
      'ingress',
      { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'db' } } } },
      'from @kind == "pod" && app == "db"',
    ],
    [
      'may be nodes',
      'egress',
      { nodes: { matchLabels: { zone: 'a' } } },
      'to @kind == "node" && zone == "a"',
    ],
    [
      'may be networks of both families',
      'egress',
      { networks: ['10.0.0.1/8', 'FD00::/8'] },
      'to in 10.0.0.0/8, fd00::/8',
    ],
    [
      'may be names, whatever their case and with or without a dot at the end',
      'egress',
      { domainNames: ['Example.com', '*.example.org.'] },
      'to named example.com, *.example.org',
    ],
  ])('%s', (_, direction, peer, text) => {
    const rule = (action: string) => ({
      [direction]: [{ action, [direction === 'ingress' ? 'from' : 'to']: [peer] }],
    });
    const path = direction === 'ingress' ? 'ingress[0].from[0]' : 'egress[0].to[0]';
    expect(rulesOf(cnp(rule('Accept')))).toEqual([`${path}: allow ${text}`]);
    expect(rulesOf(anp(rule('Allow')))).toEqual([`${path}: allow ${text}`]);
  });
});

const toAll = (more: object) => ({ egress: [{ action: 'Deny', to: [EVERYBODY], ...more }] });
const TO = 'egress[0].to[0]: deny';
const ALL = 'to @kind == "pod"';

describe('protocols of a ClusterNetworkPolicy', () => {
  test.each<[string, object, string[]]>([
    ['are any without a list', {}, [`${TO} ${ALL}`]],
    [
      'are put together, in order',
      {
        protocols: [
          { tcp: { destinationPort: { number: 443 } } },
          { udp: { destinationPort: { range: { start: 53, end: 54 } } } },
          { tcp: { destinationPort: { number: 80 } } },
          { sctp: { destinationPort: { number: 1 } } },
        ],
      },
      [`${TO} tcp ${ALL}; ports 80, 443`, `${TO} udp ${ALL}; ports 53-54`, `${TO} sctp ${ALL}; ports 1`],
    ],
    [
      'are all that a port of a pod may have, where it is given by name',
      { protocols: [{ destinationNamedPort: 'http' }] },
      ['tcp', 'udp', 'sctp'].map((protocol) => `${TO} ${protocol} ${ALL}; ports http`),
    ],
  ])('%s', (_, more, rules) => {
    expect(rulesOf(cnp(toAll(more)))).toEqual(rules);
  });
});

describe('ports of an AdminNetworkPolicy', () => {
  test.each<[string, object, string[]]>([
    ['are any without a list', {}, [`${TO} ${ALL}`]],
    [
      'are put together, in order, and of TCP if they say nothing else',
      {
        ports: [
          { portNumber: { port: 443 } },
          { portRange: { protocol: 'UDP', start: 53, end: 54 } },
          { portRange: { start: 80, end: 90 } },
          { portNumber: { protocol: 'SCTP', port: 1 } },
        ],
      },
      [`${TO} tcp ${ALL}; ports 80-90, 443`, `${TO} udp ${ALL}; ports 53-54`, `${TO} sctp ${ALL}; ports 1`],
    ],
    [
      'are of any protocol that has ports, where they are given by name',
      { ports: [{ namedPort: 'http' }] },
      ['tcp', 'udp', 'sctp'].map((protocol) => `${TO} ${protocol} ${ALL}; ports http`),
    ],
  ])('%s', (_, more, rules) => {
    expect(rulesOf(anp(toAll(more)))).toEqual(rules);
    expect(rulesOf(banp(toAll(more)))).toEqual(rules);
  });
});

describe('a rule with a part of no kind that is known here', () => {
  const rule = (action: string, more: object) => cnp({ egress: [{ action, to: [EVERYBODY], ...more }] });
  const later = { to: [EVERYBODY, { services: {} }] };
  test.each<[string, Written, string[]]>([
    ['allows nothing', rule('Accept', later), []],
    ['denies everything', rule('Deny', later), ['deny']],
    ['denies everything instead of passing it', rule('Pass', later), ['deny']],
    [
      'does so for a protocol',
      rule('Deny', { protocols: [{ tcp: { destinationPort: { number: 80 } } }, { quic: {} }] }),
      ['deny'],
    ],
    ['does so for a part of a protocol', rule('Deny', { protocols: [{ tcp: { flags: [] } }] }), ['deny']],
    [
      'does so for a port',
      anp({ egress: [{ action: 'Deny', to: [EVERYBODY], ports: [{ service: 'x' }] }] }),
      ['deny'],
    ],
    [
      'does so for ingress from nodes',
      cnp({ ingress: [{ action: 'Deny', from: [{ nodes: {} }] }] }),
      ['deny'],
    ],
    [
      'does so for names in a baseline',
      banp({ egress: [{ action: 'Deny', to: [{ domainNames: ['a.b'] }] }] }),
      ['deny'],
    ],
  ])('%s, and the rest of the policy counts', (_, written, actions) => {
    const { fact, problems, warnings } = translate(object(written));
    expect(problems).toEqual([]);
    expect(warnings.at(-1)?.message).toMatch(/as a part of it has none of the kinds that are known here$/);
    const policy = fact?.is === 'policy' ? fact.policy : undefined;
    const rules = [...(policy?.ingress ?? []), ...(policy?.egress ?? [])];
    expect(rules.map(({ action }) => action)).toEqual(actions);
    for (const { source, destination } of rules) expect([source, destination]).toEqual([{}, {}]);
  });
});

describe('what is wrong with a policy of policy.networking.k8s.io is told with its field and its value', () => {
  const to = (peer: object, more: object = {}) => ({ egress: [{ action: 'Accept', to: [peer], ...more }] });
  const protocol = (each: object) => cnp(to(EVERYBODY, { protocols: [each] }));
  const E = 'spec.egress[0]';
  test.each<[string, Written, string[]]>([
    ['no spec', { ...cnp({}), spec: undefined }, ['spec: is missing']],
    ['a tier', cnp({ tier: 'admin' }), ['spec.tier: "admin" is not one of Admin, Baseline']],
    ['a priority', cnp({ priority: 1001 }), ['spec.priority: 1001 is not a whole number from 0 to 1000']],
    [
      'an empty subject',
      cnp({ subject: {} }),
      ['spec.subject: needs one of namespaces and pods, and not both'],
    ],
    [
      'two subjects',
      anp({ subject: { namespaces: {}, pods: { podSelector: {} } } }),
      ['spec.subject: needs one of namespaces and pods, and not both'],
    ],
    [
      'pods without podSelector',
      anp({ subject: { pods: { namespaceSelector: {} } } }),
      ['spec.subject.pods.podSelector: is missing: {} selects all pods'],
    ],
    ['no action', cnp({ egress: [{ to: [EVERYBODY] }] }), [`${E}.action: is missing`]],
    ['no peers', cnp({ egress: [{ action: 'Deny' }] }), [`${E}.to: needs one peer at least`]],
    [
      'a peer of two kinds',
      cnp(to({ networks: ['10.0.0.0/8'], nodes: {} })),
      [`${E}.to[0]: must be of one kind: nodes and networks are too many`],
    ],
    ['no networks', cnp(to({ networks: [] })), [`${E}.to[0].networks: needs one at least`]],
    [
      'an address for a network',
      cnp(to({ networks: ['fd00::1'] })),
      [
        `${E}.to[0].networks[0]: "fd00::1" is no prefix such as 10.0.0.0/8 or fd00::/8: for the address alone write fd00::1/128`,
      ],
    ],
    [
      'a name',
      cnp(to({ domainNames: ['example'] })),
      [`${E}.to[0].domainNames[0]: "example" is no name such as example.com or *.example.com`],
    ],
    [
      'a star in the middle',
      anp({ egress: [{ action: 'Allow', to: [{ domainNames: ['a.*.com'] }] }] }),
      [`${E}.to[0].domainNames[0]: "a.*.com" is no name such as example.com or *.example.com`],
    ],
    [
      'names that are denied',
      cnp({ egress: [{ action: 'Deny', to: [{ domainNames: ['a.b'] }] }] }),
      [`${E}.to[0].domainNames: is for rules that Accept only`],
    ],
    [
      'a port by name of networks',
      cnp(to({ networks: ['10.0.0.0/8'] }, { protocols: [{ destinationNamedPort: 'http' }] })),
      [`${E}.to[0]: has no ports with names: give them by number`],
    ],
    [
      'no protocols',
      cnp(to(EVERYBODY, { protocols: [] })),
      [`${E}.protocols: needs one at least: leave it out for any protocol`],
    ],
    [
      'two protocols in one',
      protocol({ tcp: { destinationPort: { number: 80 } }, destinationNamedPort: 'http' }),
      [`${E}.protocols[0]: must be of one kind: tcp and destinationNamedPort are too many`],
    ],
    [
      'a number and a range',
      protocol({ udp: { destinationPort: { number: 80, range: { start: 1, end: 2 } } } }),
      [`${E}.protocols[0].udp.destinationPort: must have a number or a range, not both`],
    ],
    [
      'a range',
      protocol({ tcp: { destinationPort: { range: { start: 2, end: 1 } } } }),
      [`${E}.protocols[0].tcp.destinationPort.range.end: 1 is less than start, 2`],
    ],
    [
      'half a range',
      protocol({ sctp: { destinationPort: { range: { end: 1 } } } }),
      [`${E}.protocols[0].sctp.destinationPort.range.start: is missing`],
    ],
    [
      'a name of a port',
      protocol({ destinationNamedPort: 'HTTP' }),
      [
        `${E}.protocols[0].destinationNamedPort: "HTTP" is no name of a port: at most 15 of a-z, 0-9 and -, with a letter`,
      ],
    ],
    [
      'no port',
      anp({ egress: [{ action: 'Allow', to: [EVERYBODY], ports: [{ portNumber: {} }] }] }),
      [`${E}.ports[0].portNumber.port: is missing`],
    ],
    [
      'two ports in one',
      anp({
        egress: [{ action: 'Allow', to: [EVERYBODY], ports: [{ namedPort: 'a', portNumber: { port: 1 } }] }],
      }),
      [`${E}.ports[0]: must be of one kind: portNumber and namedPort are too many`],
    ],
    [
      'a baseline of another name',
      { ...banp({}), metadata: { name: 'mine', namespace: undefined } },
      ['metadata.name: must be "default", the only one there is, not "mine"'],
    ],
  ])('%s', (_, object, told) => {
    expect(complaints(object).filter((each) => !each.includes('none of the kinds'))).toEqual(told);
  });
});
