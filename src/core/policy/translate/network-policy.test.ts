import { describe, expect, test } from 'vitest';
import { selectorText } from '../selector/index.ts';
import { complaints, policyOf, rulesOf, type Written } from './text.fixture.ts';

const policy = (spec: object): Written => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  spec,
});
const PODS = '@kind == "pod" && @namespace == "shop"';
const allow = (rule: object): Written => policy({ podSelector: {}, ingress: [rule] });

test('a NetworkPolicy is a policy of the default tier, where Calico has it', () => {
  const { ref, tier, order, subject } = policyOf(policy({ podSelector: { matchLabels: { app: 'web' } } }));
  expect({ ref, tier, order, subject: selectorText(subject) }).toEqual({
    ref: { kind: 'NetworkPolicy', namespace: 'shop', name: 'web' },
    tier: 'default',
    order: 1000,
    subject: `${PODS} && app == "web"`,
  });
});

describe('the directions of a NetworkPolicy', () => {
  const rule = {};
  test.each<[string, object, string[]]>([
    ['are ingress without types', {}, ['ingress']],
    ['are both without types, but with a rule of egress', { egress: [rule] }, ['ingress', 'egress']],
    ['are ingress without types and with an empty egress', { egress: [] }, ['ingress']],
    ['are guessed for an empty list of types', { policyTypes: [], egress: [rule] }, ['ingress', 'egress']],
    ['are guessed for types that are null', { policyTypes: null, egress: [rule] }, ['ingress', 'egress']],
    ['are those of its types', { policyTypes: ['Egress'] }, ['egress']],
    ['are both if both are given', { policyTypes: ['Egress', 'Ingress'] }, ['ingress', 'egress']],
  ])('%s', (_, spec, directions) => {
    const { ingress, egress } = policyOf(policy({ podSelector: {}, ...spec }));
    expect([...(ingress ? ['ingress'] : []), ...(egress ? ['egress'] : [])]).toEqual(directions);
  });

  test('that have no rules allow nothing', () => {
    expect(policyOf(policy({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }))).toMatchObject({
      ingress: [],
      egress: [],
    });
  });
});

describe('a rule of a NetworkPolicy', () => {
  test.each<[string, object, string[]]>([
    ['that is empty allows everything', {}, ['ingress[0]: allow']],
    ['with an empty list of peers allows everybody', { from: [] }, ['ingress[0]: allow']],
    [
      'with peers and ports that are null allows everything',
      { from: null, ports: null },
      ['ingress[0]: allow'],
    ],
    [
      'with a podSelector is about pods of its namespace',
      { from: [{ podSelector: { matchLabels: { app: 'db' } } }] },
      [`ingress[0].from[0]: allow from ${PODS} && app == "db"`],
    ],
    [
      'with an empty podSelector is about all pods of its namespace',
      { from: [{ podSelector: {} }] },
      [`ingress[0].from[0]: allow from ${PODS}`],
    ],
    [
      'with a namespaceSelector is about all pods of these namespaces',
      { from: [{ namespaceSelector: { matchLabels: { env: 'prod' } } }] },
      ['ingress[0].from[0]: allow from @kind == "pod" && namespace:env == "prod"'],
    ],
    [
      'with an empty namespaceSelector is about all pods',
      { from: [{ namespaceSelector: {} }] },
      ['ingress[0].from[0]: allow from @kind == "pod"'],
    ],
    [
      'with both selectors is about these pods in these namespaces',
      {
        from: [
          {
            namespaceSelector: { matchExpressions: [{ key: 'env', operator: 'Exists' }] },
            podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['a', 'b'] }] },
          },
        ],
      },
      ['ingress[0].from[0]: allow from @kind == "pod" && app not in {"a", "b"} && has(namespace:env)'],
    ],
    [
      'has each peer as an alternative',
      { from: [{ podSelector: {} }, { ipBlock: { cidr: '10.0.0.0/8' } }] },
      [`ingress[0].from[0]: allow from ${PODS}`, 'ingress[0].from[1]: allow from in 10.0.0.0/8'],
    ],
    [
      'takes a block with its holes, in both families, whatever the bits of the host are',
      {
        from: [
          { ipBlock: { cidr: '10.1.2.3/8', except: ['10.1.0.0/16', '10.2.0.0/16'] } },
          { ipBlock: { cidr: 'FD00:0::1/8', except: ['fd01::/16'] } },
        ],
      },
      [
        'ingress[0].from[0]: allow from in 10.0.0.0/8; not in 10.1.0.0/16, 10.2.0.0/16',
        'ingress[0].from[1]: allow from in fd00::/8; not in fd01::/16',
      ],
    ],
    [
      'takes TCP for a port without protocol',
      { ports: [{ port: 80 }] },
      ['ingress[0]: allow tcp to ports 80'],
    ],
    [
      'takes a protocol without port for all of it',
      { ports: [{ protocol: 'SCTP' }] },
      ['ingress[0]: allow sctp'],
    ],
    ['takes a port that says nothing for all of TCP', { ports: [{}] }, ['ingress[0]: allow tcp']],
    [
      'takes a range',
      { ports: [{ port: 80, endPort: 90, protocol: 'UDP' }] },
      ['ingress[0]: allow udp to ports 80-90'],
    ],
    ['takes a name', { ports: [{ port: 'http' }] }, ['ingress[0]: allow tcp to ports http']],
    [
      'puts ports together by protocol, in order',
      {
        ports: [
          { port: 443 },
          { port: 'http' },
          { protocol: 'UDP', port: 53 },
          { port: 80 },
          { port: 81, endPort: 90 },
        ],
      },
      ['ingress[0]: allow tcp to ports 80-90, 443, http', 'ingress[0]: allow udp to ports 53'],
    ],
    [
      'needs no port beside its whole protocol',
      { ports: [{ port: 80 }, { protocol: 'TCP' }, { protocol: 'UDP', port: 53 }] },
      ['ingress[0]: allow tcp', 'ingress[0]: allow udp to ports 53'],
    ],
    [
      'has each peer with each protocol',
      {
        from: [{ podSelector: {} }, { ipBlock: { cidr: '::/0' } }],
        ports: [{ port: 80 }, { protocol: 'UDP', port: 80 }],
      },
      [
        `ingress[0].from[0]: allow tcp from ${PODS} to ports 80`,
        `ingress[0].from[0]: allow udp from ${PODS} to ports 80`,
        'ingress[0].from[1]: allow tcp from in ::/0 to ports 80',
        'ingress[0].from[1]: allow udp from in ::/0 to ports 80',
      ],
    ],
  ])('%s', (_, rule, rules) => {
    expect(rulesOf(allow(rule))).toEqual(rules);
  });

  test('of egress has peers and ports at its destination', () => {
    const spec = {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [
        {},
        { to: [{ ipBlock: { cidr: '10.0.0.0/8' } }, { podSelector: {} }], ports: [{ port: 'http' }] },
      ],
    };
    expect(rulesOf(policy(spec))).toEqual([
      'egress[0]: allow',
      'egress[1].to[0]: allow tcp to in 10.0.0.0/8; ports http',
      `egress[1].to[1]: allow tcp to ${PODS}; ports http`,
    ]);
  });
});

describe('what is wrong with a NetworkPolicy is told with its field and its value', () => {
  const from = (peer: object) => ({ podSelector: {}, ingress: [{ from: [peer] }] });
  const ports = (port: object) => ({ podSelector: {}, ingress: [{ ports: [port] }] });
  const pods = (podSelector: unknown) => ({ podSelector });
  const expression = (each: object) => pods({ matchExpressions: [each] });
  const P = 'spec.ingress[0].from[0]';
  const Q = 'spec.ingress[0].ports[0]';
  const X = 'spec.podSelector.matchExpressions[0]';
  test.each<[string, unknown, string[]]>([
    ['no spec', undefined, ['spec: is missing']],
    ['a spec that is a list', [], ['spec: [] is no object']],
    [
      'types',
      { podSelector: {}, policyTypes: ['ingress'] },
      ['spec.policyTypes[0]: "ingress" is not Ingress or Egress'],
    ],
    ['a text for a list', { podSelector: {}, ingress: 'all' }, ['spec.ingress: "all" is not a list']],
    ['null for a rule', { podSelector: {}, ingress: [null] }, ['spec.ingress[0]: is missing']],
    ['a peer that says nobody', from({}), [`${P}: says nobody: podSelector, namespaceSelector or ipBlock`]],
    [
      'a peer of two kinds',
      from({ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }),
      [`${P}.ipBlock: may not be set beside a selector`],
    ],
    ['no cidr', from({ ipBlock: {} }), [`${P}.ipBlock.cidr: is missing`]],
    [
      'an address for a cidr',
      from({ ipBlock: { cidr: '10.0.0.1' } }),
      [
        `${P}.ipBlock.cidr: "10.0.0.1" is no prefix such as 10.0.0.0/8 or fd00::/8: for the address alone write 10.0.0.1/32`,
      ],
    ],
    [
      'a hole beside the block, of another family, or as large as it',
      from({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16', 'fd00::/16', '10.0.0.0/8', 'x'] } }),
      [
        `${P}.ipBlock.except[3]: "x" is no prefix such as 10.0.0.0/8 or fd00::/8`,
        `${P}.ipBlock.except[0]: "11.0.0.0/16" is no part of 10.0.0.0/8, or all of it`,
        `${P}.ipBlock.except[1]: "fd00::/16" is no part of 10.0.0.0/8, or all of it`,
        `${P}.ipBlock.except[2]: "10.0.0.0/8" is no part of 10.0.0.0/8, or all of it`,
      ],
    ],
    ['a protocol', ports({ protocol: 'ICMP' }), [`${Q}.protocol: "ICMP" is not one of TCP, UDP, SCTP`]],
    ['port 0', ports({ port: 0 }), [`${Q}.port: 0 is no port: 1 to 65535`]],
    [
      'a port as text',
      ports({ port: '80' }),
      [`${Q}.port: "80" is no name of a port: at most 15 of a-z, 0-9 and -, with a letter`],
    ],
    [
      'a long name',
      ports({ port: 'a234567890123456' }),
      [`${Q}.port: "a234567890123456" is no name of a port: at most 15 of a-z, 0-9 and -, with a letter`],
    ],
    [
      'a range that ends before it begins',
      ports({ port: 80, endPort: 79 }),
      [`${Q}.endPort: 79 is less than port, 80`],
    ],
    [
      'a range from a name',
      ports({ port: 'http', endPort: 90 }),
      [`${Q}.endPort: may not follow the name of a port`],
    ],
    ['a range from nowhere', ports({ endPort: 90 }), [`${Q}.endPort: needs port beside it`]],
    [
      'a port beyond all',
      ports({ port: 1, endPort: 65_536 }),
      [`${Q}.endPort: 65536 is not a whole number from 1 to 65535`],
    ],
    [
      'an operator',
      expression({ key: 'a', operator: 'Is' }),
      [`${X}.operator: "Is" is not one of In, NotIn, Exists, DoesNotExist`],
    ],
    ['no operator and no key', expression({}), [`${X}.key: is missing`, `${X}.operator: is missing`]],
    ['In without values', expression({ key: 'a', operator: 'In' }), [`${X}.values: needs a value for In`]],
    [
      'Exists with values',
      expression({ key: 'a', operator: 'Exists', values: ['b'] }),
      [`${X}.values: must be empty for Exists`],
    ],
    [
      'a label that is a number',
      pods({ matchLabels: { a: 5 } }),
      ['spec.podSelector.matchLabels.a: 5 is no text'],
    ],
  ])('%s', (_, spec, told) => {
    expect(complaints(policy(spec as object))).toEqual(told);
  });

  test.each<[string, object, string]>([
    [
      'a key of a label',
      pods({ matchLabels: { '-a.b/c': 'x' } }),
      'spec.podSelector.matchLabels["-a.b/c"]: "-a.b/c" is no key of a label: ',
    ],
    [
      'a value of a label',
      pods({ matchLabels: { a: 'x y' } }),
      'spec.podSelector.matchLabels.a: "x y" is no value of a label: ',
    ],
    [
      'a key in an expression',
      expression({ key: 'a b', operator: 'Exists' }),
      `${X}.key: "a b" is no key of a label: `,
    ],
    [
      'a value in an expression',
      expression({ key: 'a', operator: 'In', values: ['b', 'c!'] }),
      `${X}.values[1]: "c!" is no value of a label: `,
    ],
  ])('%s', (_, spec, told) => {
    expect(complaints(policy(spec))).toEqual([expect.stringContaining(told)]);
  });

  test.each<[string, object, string[]]>([
    [
      'a key that nobody knows is a warning, with what may be meant',
      { podSelector: {}, ingress: [{ form: [] }] },
      ['warning spec.ingress[0].form: is not known here, and has no effect (did you mean "from"?)'],
    ],
    [
      'rules that no type names are a warning',
      { podSelector: {}, policyTypes: ['Ingress'], egress: [{}] },
      ['warning spec.egress: has no effect, as policyTypes does not name its direction'],
    ],
  ])('%s', (_, spec, told) => {
    expect(complaints(policy(spec))).toEqual(told);
  });
});
