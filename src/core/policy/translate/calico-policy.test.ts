import { describe, expect, test } from 'vitest';
import { selectorText } from '../selector/index.ts';
import { complaints, factOf, policyOf, rulesOf, type Written } from './text.fixture.ts';

const calico = (kind: string, spec: object, metadata: object = {}): Written => ({
  apiVersion: 'projectcalico.org/v3',
  kind,
  metadata: { ...(kind.includes('Global') && { namespace: undefined }), ...metadata },
  spec,
});
const own = (spec: object): Written => calico('NetworkPolicy', spec);
const global = (spec: object): Written => calico('GlobalNetworkPolicy', spec);
const POD = '@kind == "pod"';
const OWN = `${POD} && @namespace == "shop"`;
const ANY = '@kind in {"host-endpoint", "network-set", "pod"}';
const HERE = `${ANY} && @namespace == "shop"`;

test('a policy of Calico has its tier and its order, and comes last without one', () => {
  expect(policyOf(own({ tier: 'platform', order: 12.5 }))).toMatchObject({
    ref: { kind: 'CalicoNetworkPolicy', namespace: 'shop', name: 'web' },
    tier: 'platform',
    order: 12.5,
  });
  const last = policyOf(global({ tier: '' }));
  expect(last).toMatchObject({ tier: 'default', order: Number.POSITIVE_INFINITY });
  expect(last.ref).toEqual({ kind: 'GlobalNetworkPolicy', name: 'web' });
});

describe('whom a policy of Calico is about', () => {
  test.each<[string, Written, string]>([
    ['are the pods of its namespace', own({}), OWN],
    [
      'are those of them that its selector selects',
      own({ selector: 'app == "web"' }),
      `${OWN} && app == "web"`,
    ],
    [
      'are pods even where the selector asks for what no pod has',
      own({ selector: '!has(app)' }),
      `!has(app) && ${OWN}`,
    ],
    [
      'are those of some service accounts',
      own({ serviceAccountSelector: 'role == "reader"' }),
      `${OWN} && has(@serviceAccount) && serviceaccount:role == "reader"`,
    ],
    ['are pods and host endpoints for a global one', global({}), '@kind in {"host-endpoint", "pod"}'],
    [
      'are those that a global one selects',
      global({ selector: 'app == "web"' }),
      '@kind in {"host-endpoint", "pod"} && app == "web"',
    ],
    [
      'are what is in a namespace where a global one selects namespaces',
      global({ namespaceSelector: 'env != "prod"' }),
      '@kind in {"host-endpoint", "pod"} && has(@namespace) && namespace:env != "prod"',
    ],
    [
      'are all that are in any',
      global({ namespaceSelector: 'all()' }),
      '@kind in {"host-endpoint", "pod"} && has(@namespace)',
    ],
    [
      'are host endpoints alone for what is asked before tracking',
      global({ doNotTrack: true, applyOnForward: true }),
      '@kind == "host-endpoint"',
    ],
    [
      'are host endpoints alone for what is asked before addresses are translated',
      global({ preDNAT: true, applyOnForward: true }),
      '@kind == "host-endpoint"',
    ],
  ])('%s', (_, written, text) => {
    expect(selectorText(policyOf(written).subject)).toBe(text);
  });
});

describe('the directions of a policy of Calico', () => {
  const rules = [{ action: 'Allow' }];
  test.each<[string, object, string[]]>([
    ['are ingress without anything', {}, ['ingress']],
    ['are ingress with rules of ingress', { ingress: rules }, ['ingress']],
    ['are egress with rules of egress alone', { egress: rules }, ['egress']],
    ['are egress with an empty ingress beside them', { egress: rules, ingress: [] }, ['egress']],
    ['are both with rules of both', { ingress: rules, egress: rules }, ['ingress', 'egress']],
    ['are those of its types', { types: ['Egress'] }, ['egress']],
    ['are guessed for an empty list of types', { types: [], egress: rules }, ['egress']],
  ])('%s', (_, spec, directions) => {
    const { ingress, egress } = policyOf(own(spec));
    expect([...(ingress ? ['ingress'] : []), ...(egress ? ['egress'] : [])]).toEqual(directions);
  });
});

test('what is asked early, and of what is forwarded, is told to host endpoints', () => {
  const host = (spec: object) => policyOf(global({ ...spec, applyOnForward: true })).host;
  expect(host({})).toEqual({ doNotTrack: false, preDnat: false, applyOnForward: true });
  expect(host({ doNotTrack: true })).toEqual({ doNotTrack: true, preDnat: false, applyOnForward: true });
  expect(host({ preDNAT: true })).toEqual({ doNotTrack: false, preDnat: true, applyOnForward: true });
  expect(policyOf(global({ doNotTrack: false })).host).toBeUndefined();
});

test('hints change nothing', () => {
  const { ref, ...without } = policyOf(own({}));
  expect(policyOf(own({ performanceHints: ['AssumeNeededOnEveryNode'] }))).toEqual({ ref, ...without });
});

describe('a staged policy', () => {
  test.each([
    ['StagedNetworkPolicy', 'shop'],
    ['StagedGlobalNetworkPolicy', undefined],
    ['StagedKubernetesNetworkPolicy', 'shop'],
  ] as const)('of kind %s says what it is for', (kind, namespace) => {
    const staged = (action?: string) =>
      policyOf(calico(kind, { ...(action !== undefined && { stagedAction: action }) }));
    expect(staged().staged).toBe('set');
    expect(['Set', 'Delete', 'Learn', 'Ignore'].map((action) => staged(action).staged)).toEqual([
      'set',
      'delete',
      'learn',
      'ignore',
    ]);
    expect(staged().ref).toEqual({ kind, ...(namespace !== undefined && { namespace }), name: 'web' });
    expect(complaints(calico(kind, { stagedAction: 'set' }))).toEqual([
      'spec.stagedAction: "set" is not one of Set, Delete, Learn, Ignore',
    ]);
  });

  test('means what its kind means when it is not staged', () => {
    const spec = { tier: 'platform', order: 5, selector: 'a == "b"', egress: [{ action: 'Pass' }] };
    for (const kind of ['NetworkPolicy', 'GlobalNetworkPolicy']) {
      const { ref: _, ...enforced } = policyOf(calico(kind, spec));
      const { ref: __, ...staged } = policyOf(calico(`Staged${kind}`, spec));
      expect(staged).toEqual({ ...enforced, staged: 'set' });
    }
    const kubernetes = {
      podSelector: { matchLabels: { a: 'b' } },
      ingress: [{ from: [{ podSelector: {} }] }],
    };
    const { ref: _, ...enforced } = policyOf({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      spec: kubernetes,
    });
    const { ref: __, ...staged } = policyOf(calico('StagedKubernetesNetworkPolicy', kubernetes));
    expect(staged).toEqual({ ...enforced, staged: 'set' });
  });
});

const ingress = (...rules: object[]) => ({ ingress: rules.map((rule) => ({ action: 'Allow', ...rule })) });

describe('a rule of Calico', () => {
  test.each<[string, object, string[]]>([
    ['that is empty is about everything', {}, ['allow']],
    ['denies', { action: 'Deny' }, ['deny']],
    ['passes', { action: 'Pass' }, ['pass']],
    ['logs', { action: 'Log' }, ['log']],
    ['is of a family', { ipVersion: 6 }, ['allow v6']],
    ['has a protocol by name', { protocol: 'UDPLite' }, ['allow udplite']],
    ['has a protocol by name in any case', { protocol: 'icmpV6' }, ['allow icmpv6']],
    ['has a protocol by number', { protocol: 47 }, ['allow 47']],
    ['has a protocol by a number in quotes', { protocol: '132' }, ['allow sctp']],
    ['has a protocol that it is not about', { notProtocol: 'TCP' }, ['allow not tcp']],
    ['has a type of ICMP', { protocol: 'ICMP', icmp: { type: 8 } }, ['allow icmp type 8']],
    [
      'has a code with it',
      { protocol: 'ICMPv6', ipVersion: 6, icmp: { type: 1, code: 4 } },
      ['allow v6 icmpv6 type 1/4'],
    ],
    [
      'has a type that it is not about',
      { protocol: 1, notICMP: { type: 8, code: 0 } },
      ['allow icmp not type 8/0'],
    ],
    ['with an empty icmp is about all of it', { protocol: 'ICMP', icmp: {} }, ['allow icmp']],
    ['has ends that say nothing', { source: {}, destination: {} }, ['allow']],
    [
      'has lists that are empty, and so none',
      { source: { nets: [], notNets: [], ports: [], notPorts: [] } },
      ['allow'],
    ],
    [
      'has nets of both families',
      { source: { nets: ['10.1.2.3/8', 'fd00::1/64'] } },
      ['allow from in 10.0.0.0/8, fd00::/64'],
    ],
    [
      'has addresses as nets',
      { destination: { nets: ['10.1.2.3', 'FD00::1'] } },
      ['allow to in 10.1.2.3/32, fd00::1/128'],
    ],
    [
      'has nets that it is not about',
      { destination: { notNets: ['10.0.0.0/8'] } },
      ['allow to not in 10.0.0.0/8'],
    ],
    [
      'has ports by number, range and name',
      {
        protocol: 'TCP',
        source: { ports: [1024] },
        destination: { ports: ['http', 443, '80:90', '91'], notPorts: ['85'] },
      },
      ['allow tcp from ports 1024 to ports 80-91, 443, http; not ports 85'],
    ],
    [
      'has ports by name without a protocol, and so for each that has ports',
      { destination: { ports: ['http'] } },
      ['allow tcp to ports http', 'allow udp to ports http', 'allow sctp to ports http'],
    ],
    [
      'has metadata, which changes nothing',
      { metadata: { annotations: { team: 'x' } }, protocol: 'TCP' },
      ['allow tcp'],
    ],
  ])('%s', (_, rule, texts) => {
    expect(rulesOf(global(ingress(rule)))).toEqual(texts.map((text) => `ingress[0]: ${text}`));
    expect(rulesOf(own(ingress(rule)))).toEqual(texts.map((text) => `ingress[0]: ${text}`));
  });

  test('keeps its place, and the name that an annotation gives it', () => {
    const named = { metadata: { annotations: { name: 'dns' } } };
    expect(policyOf(own(ingress({}, named))).ingress?.map(({ origin }) => origin)).toEqual([
      { index: 0, path: 'ingress[0]' },
      { index: 1, path: 'ingress[1]', name: 'dns' },
    ]);
  });
});

describe('an end of a rule', () => {
  test.each<[string, object, string, string]>([
    ['with a selector', { selector: 'app == "db"' }, `${HERE} && app == "db"`, `${ANY} && app == "db"`],
    ['with a selector of all', { selector: 'all()' }, HERE, ANY],
    [
      'with a namespaceSelector',
      { namespaceSelector: 'env != "prod"' },
      `${ANY} && has(@namespace) && namespace:env != "prod"`,
      `${ANY} && has(@namespace) && namespace:env != "prod"`,
    ],
    [
      'with a namespaceSelector of all',
      { namespaceSelector: 'all()' },
      `${ANY} && has(@namespace)`,
      `${ANY} && has(@namespace)`,
    ],
    [
      'with a namespace by its name',
      { namespaceSelector: 'projectcalico.org/name == "back"', selector: 'app == "db"' },
      `${ANY} && @namespace == "back" && app == "db"`,
      `${ANY} && @namespace == "back" && app == "db"`,
    ],
    [
      'with what is in no namespace',
      { namespaceSelector: 'global()', selector: 'a == "b"' },
      `!has(@namespace) && ${ANY} && a == "b"`,
      `!has(@namespace) && ${ANY} && a == "b"`,
    ],
    [
      'with service accounts by name',
      { serviceAccounts: { names: ['robot', 'human'] } },
      `${ANY} && @namespace == "shop" && @serviceAccount in {"human", "robot"}`,
      `${ANY} && @serviceAccount in {"human", "robot"}`,
    ],
    [
      'with service accounts by label',
      { serviceAccounts: { selector: '!has(role)' }, namespaceSelector: 'has(env)' },
      `!has(serviceaccount:role) && ${ANY} && has(@namespace) && has(@serviceAccount) && has(namespace:env)`,
      `!has(serviceaccount:role) && ${ANY} && has(@namespace) && has(@serviceAccount) && has(namespace:env)`,
    ],
    [
      'with service accounts by both',
      { serviceAccounts: { selector: 'role == "a"', names: ['robot'] } },
      `${HERE} && @serviceAccount == "robot" && serviceaccount:role == "a"`,
      `${ANY} && @serviceAccount == "robot" && serviceaccount:role == "a"`,
    ],
    // GetEntityRuleSelector of Calico: any of the selectors limits the end to the namespace of the policy.
    [
      'with a notSelector',
      { notSelector: 'has(a)' },
      `${HERE}; not (${ANY} && has(a))`,
      `not (${ANY} && has(a))`,
    ],
  ])('%s is about the policy’s namespace, or about all', (_, end, inNamespace, everywhere) => {
    const rule = { source: end, destination: end };
    expect(rulesOf(own(ingress(rule)))).toEqual([`ingress[0]: allow from ${inNamespace} to ${inNamespace}`]);
    expect(rulesOf(global(ingress(rule)))).toEqual([`ingress[0]: allow from ${everywhere} to ${everywhere}`]);
  });

  test.each<[string, object]>([
    ['an empty selector', { selector: '', notSelector: ' ', namespaceSelector: '' }],
    ['service accounts that say nothing', { serviceAccounts: { names: [], selector: '' } }],
  ])('with %s is about everything', (_, source) => {
    expect(rulesOf(own(ingress({ source })))).toEqual(['ingress[0]: allow']);
  });

  test('with domains is about the addresses of these names', () => {
    const domains = ['Example.com', '*.example.net.'];
    expect(rulesOf(own({ egress: [{ action: 'Allow', destination: { domains } }] }))).toEqual([
      'egress[0]: allow to named example.com, *.example.net',
    ]);
    expect(rulesOf(own({ egress: [{ action: 'Allow', destination: { domains: [] } }] }))).toEqual([
      'egress[0]: allow',
    ]);
  });

  test('with services is about their endpoints, in the namespace of the policy if it names none', () => {
    const services = { name: 'db', namespace: 'back' };
    const egress = (end: object) => ({ egress: [{ action: 'Allow', destination: end }] });
    expect(rulesOf(own(egress({ services })))).toEqual(['egress[0]: allow to service back/db']);
    expect(rulesOf(own(egress({ services: { name: 'db' } })))).toEqual([
      'egress[0]: allow to service shop/db',
    ]);
    expect(rulesOf(global(ingress({ protocol: 'TCP', source: { services, ports: [80] } })))).toEqual([
      'ingress[0]: allow tcp from ports 80; service back/db',
    ]);
    expect(complaints(global(egress({ services: { name: 'db', namespace: '' } })))).toEqual([
      'spec.egress[0].destination.services.namespace: is missing',
    ]);
  });
});

describe('what is wrong with a policy of Calico is told with its field and its value', () => {
  const R = 'spec.ingress[0]';
  const S = `${R}.source`;
  const rule = (each: object) => own(ingress(each));
  const source = (end: object, more: object = {}) => rule({ source: end, ...more });
  const ports = (...list: unknown[]) => source({ ports: list }, { protocol: 'TCP' });
  const NO_PORT = 'is no port, range such as "80:90" or name';
  const NO_PROTOCOL = 'is not one of TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite, nor a number from 1 to 255';
  test.each<[string, Written, string[]]>([
    [
      'a selector',
      own({ selector: 'a = "b"' }),
      [
        'spec.selector: "a = \\"b\\"", character 3: an operator is expected: ==, !=, in, not in, contains, starts with, ends with',
      ],
    ],
    [
      'global() as a selector',
      global({ selector: 'global()' }),
      ['spec.selector: "global()", character 1: global() may only be a namespaceSelector of a rule'],
    ],
    [
      'global() of a policy',
      global({ namespaceSelector: 'global()' }),
      ['spec.namespaceSelector: "global()", character 1: global() may only be a namespaceSelector of a rule'],
    ],
    [
      'global() beside others',
      source({ namespaceSelector: 'global() || has(a)' }),
      [`${S}.namespaceSelector: must have global() alone, if it has it`],
    ],
    [
      'a selector of service accounts',
      source({ serviceAccounts: { selector: '(' } }),
      [`${S}.serviceAccounts.selector: "(", character 2: the name of a label is expected`],
    ],
    [
      'a notSelector',
      source({ notSelector: '&&' }),
      [`${S}.notSelector: "&&", character 1: the name of a label is expected`],
    ],
    ['an order', own({ order: 'first' }), ['spec.order: "first" is not a number']],
    ['a type', own({ types: ['ingress'] }), ['spec.types[0]: "ingress" is not Ingress or Egress']],
    [
      'a hint',
      own({ performanceHints: ['Fast'] }),
      ['spec.performanceHints[0]: "Fast" is not AssumeNeededOnEveryNode'],
    ],
    ['no action', own({ ingress: [{}] }), [`${R}.action: is missing`]],
    ['an action', rule({ action: 'Reject' }), [`${R}.action: "Reject" is not one of Allow, Deny, Pass, Log`]],
    ['a version of IP', rule({ ipVersion: 5 }), [`${R}.ipVersion: 5 is neither 4 nor 6`]],
    ['a protocol', rule({ protocol: 'GRE' }), [`${R}.protocol: "GRE" ${NO_PROTOCOL}`]],
    ['protocol 256', rule({ notProtocol: 256 }), [`${R}.notProtocol: 256 ${NO_PROTOCOL}`]],
    [
      'ICMP of the other family',
      rule({ protocol: 'ICMP', ipVersion: 6 }),
      [`${R}.ipVersion: 6 contradicts ICMP, which is of IPv4`],
    ],
    [
      'ICMPv6 of the other family',
      rule({ notProtocol: 58, ipVersion: 4 }),
      [`${R}.ipVersion: 4 contradicts ICMPv6, which is of IPv6`],
    ],
    [
      'a type without ICMP',
      rule({ protocol: 'TCP', icmp: { type: 8 } }),
      [`${R}.icmp: needs ICMP or ICMPv6 as protocol`],
    ],
    [
      'a type',
      rule({ protocol: 'ICMP', icmp: { type: 255 } }),
      [`${R}.icmp.type: 255 is not a whole number from 0 to 254`],
    ],
    [
      'a code without type',
      rule({ protocol: 'ICMP', notICMP: { code: 0 } }),
      [`${R}.notICMP.code: needs type beside it`],
    ],
    [
      'http',
      rule({ http: { methods: ['GET'] } }),
      [`${R}.http: is not enforced: Poplin looks at packets, not at requests`],
    ],
    [
      'a net',
      source({ nets: ['10.0.0.0/33'] }),
      [`${S}.nets[0]: "10.0.0.0/33" is no prefix such as 10.0.0.0/8 or fd00::/8`],
    ],
    [
      'nets that are no list',
      source({ notNets: '10.0.0.0/8' }),
      [`${S}.notNets: "10.0.0.0/8" is not a list`],
    ],
    ['a range', ports('90:80'), [`${S}.ports[0]: "90:80" ${NO_PORT}`]],
    [
      'a port beyond all',
      ports(65_536, '1:65536'),
      [`${S}.ports[0]: 65536 ${NO_PORT}`, `${S}.ports[1]: "1:65536" ${NO_PORT}`],
    ],
    [
      'a name of a port',
      ports('ht tp', 1.5),
      [`${S}.ports[0]: "ht tp" ${NO_PORT}`, `${S}.ports[1]: 1.5 ${NO_PORT}`],
    ],
    [
      'ports of any protocol',
      source({ ports: [80] }),
      [`${S}.ports: needs a protocol that has ports: TCP, UDP or SCTP`],
    ],
    [
      'ports of ICMP',
      source({ notPorts: ['http'] }, { protocol: 'ICMP' }),
      [`${S}.notPorts: needs a protocol that has ports: TCP, UDP or SCTP`],
    ],
    [
      'notPorts by name alone',
      source({ notPorts: ['http'] }),
      [`${R}.protocol: is missing: notPorts needs one, or ports beside it`],
    ],
    [
      'domains at a source',
      source({ domains: ['example.com'] }),
      [`${S}.domains: is for the destination of egress`],
    ],
    [
      'domains in a rule that denies, of a kind that no set can have',
      own({ egress: [{ action: 'Deny', destination: { domains: ['www.*.com'] } }] }),
      [
        'spec.egress[0].destination.domains[0]: "www.*.com" is no name such as example.com or *.example.com',
        'spec.egress[0].destination.domains: is for rules that Allow only',
      ],
    ],
    [
      'services of the wrong end',
      rule({ destination: { services: { name: 'db' } } }),
      [`${R}.destination.services: is for the other end: the source of ingress, the destination of egress`],
    ],
    ['services without a name', source({ services: {} }), [`${S}.services.name: is missing`]],
    [
      'services beside others',
      source({ services: { name: 'db' }, nets: ['10.0.0.0/8'], notSelector: 'has(a)' }),
      [`${S}.services: may not stand beside notSelector and nets`],
    ],
    [
      'services beside ports',
      own({
        egress: [
          { action: 'Allow', protocol: 'TCP', destination: { services: { name: 'db' }, ports: [80] } },
        ],
      }),
      ['spec.egress[0].destination.services: may not stand beside ports'],
    ],
    [
      'both of the early ones',
      global({ doNotTrack: true, preDNAT: true, applyOnForward: true }),
      ['spec.preDNAT: may not be true beside doNotTrack'],
    ],
    [
      'an early one that is not of what is forwarded',
      global({ doNotTrack: true }),
      ['spec.applyOnForward: must be true for doNotTrack and preDNAT'],
    ],
    [
      'egress before addresses are translated',
      global({ preDNAT: true, applyOnForward: true, types: ['Ingress', 'Egress'] }),
      ['spec.preDNAT: is for ingress only: it may have neither rules nor type of egress'],
    ],
    ['a flag', global({ applyOnForward: 'yes' }), ['spec.applyOnForward: "yes" is not true or false']],
    [
      'rules that no type names',
      own({ types: ['Egress'], ingress: [{ action: 'Allow' }] }),
      ['warning spec.ingress: has no effect, as types does not name its direction'],
    ],
    [
      'keys that nobody knows',
      own({ preDNAT: true, ingress: [{ action: 'Allow', src: {}, source: { selectors: 'a' } }] }),
      [
        'warning spec.ingress[0].source.selectors: is not known here, and has no effect (did you mean "selector"?)',
        'warning spec.ingress[0].src: is not known here, and has no effect',
        'warning spec.preDNAT: is not known here, and has no effect',
      ],
    ],
  ])('%s', (_, written, told) => {
    expect(complaints(written)).toEqual(told);
  });
});

describe('an object as Calico keeps it in the API server', () => {
  const stored = (kind: string, spec: object, metadata: object): Written => ({
    ...calico(kind, spec, metadata),
    apiVersion: 'crd.projectcalico.org/v1',
  });
  const kept = (metadata: object) => ({
    annotations: { 'projectcalico.org/metadata': JSON.stringify(metadata) },
  });

  test.each<[string, string, object, object, string]>([
    ['loses the name of the default tier', 'NetworkPolicy', {}, { name: 'default.web' }, 'web'],
    [
      'keeps the name of another tier',
      'GlobalNetworkPolicy',
      { tier: 'platform' },
      { name: 'platform.web' },
      'platform.web',
    ],
    [
      'keeps a name that begins so in another tier',
      'NetworkPolicy',
      { tier: 'platform' },
      { name: 'default.web' },
      'default.web',
    ],
    [
      'has the name that was written',
      'StagedNetworkPolicy',
      {},
      { name: 'default.web', ...kept({ name: 'default.web' }) },
      'default.web',
    ],
  ])('%s', (_, kind, spec, metadata, name) => {
    expect(policyOf(stored(kind, spec, metadata)).ref.name).toBe(name);
  });

  test('has the labels that were written', () => {
    const set = stored(
      'GlobalNetworkSet',
      { nets: ['10.0.0.0/8'] },
      {
        name: 'default.set',
        labels: { 'projectcalico.org/x': 'y', a: 'old' },
        ...kept({ labels: { a: 'b' } }),
      },
    );
    expect(factOf(set)).toMatchObject({
      is: 'member',
      member: { name: 'default.set', labels: { a: 'b', 'projectcalico.org/x': 'y' } },
    });
  });

  test.each([
    ['{', ': "{" is no JSON'],
    ['5', ': 5 is no object'],
    ['{"labels": {"a": 5}, "name": 7}', '.name: 7 is not a text', '.labels.a: 5 is no text'],
    ['null'],
  ])('is not misled by %s', (text, ...told) => {
    const metadata = { annotations: { 'projectcalico.org/metadata': text } };
    expect(complaints(stored('NetworkPolicy', {}, metadata))).toEqual(
      told.map((each) => `metadata.annotations["projectcalico.org/metadata"]${each}`),
    );
  });
});
