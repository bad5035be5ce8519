/**
 * The fields of each API, as its schema lists them, against documents that have them all: none may be unknown, and none may be without effect.
 * Sources: k8s.io/api networking/v1, sigs.k8s.io/network-policy-api v1alpha1 and v1alpha2, projectcalico/api v3.
 */
import { describe, expect, test } from 'vitest';
import { KINDS } from './kinds.ts';
import { object, type Written } from './text.fixture.ts';
import { translate } from './translate.ts';
import { WHOLE_DOCUMENTS } from './whole-documents.fixture.ts';

const each = (prefix: string, ...fields: string[]): string[] => fields.map((field) => `${prefix}.${field}`);
const labels = (at: string): string[] => [
  at,
  `${at}.matchLabels`,
  `${at}.matchLabels.app`,
  `${at}.matchExpressions`,
  ...each(`${at}.matchExpressions[]`, 'key', 'operator', 'values'),
];
const podsOf = (at: string): string[] => [
  `${at}.pods`,
  ...labels(`${at}.pods.namespaceSelector`),
  ...labels(`${at}.pods.podSelector`),
];

const networkPolicyRule = (at: string, peers: 'from' | 'to'): string[] => [
  at,
  ...each(`${at}[]`, peers, 'ports'),
  ...labels(`${at}[].${peers}[].podSelector`),
  ...labels(`${at}[].${peers}[].namespaceSelector`),
  ...each(`${at}[].${peers}[]`, 'ipBlock', 'ipBlock.cidr', 'ipBlock.except'),
  ...each(`${at}[].ports[]`, 'protocol', 'port', 'endPort'),
];
const NETWORK_POLICY = [
  ...labels('podSelector'),
  'policyTypes',
  ...networkPolicyRule('ingress', 'from'),
  ...networkPolicyRule('egress', 'to'),
];

const clusterRule = (at: string, peers: 'from' | 'to', outer: readonly string[]): string[] => [
  at,
  ...each(`${at}[]`, 'name', 'action', peers),
  ...labels(`${at}[].${peers}[].namespaces`),
  ...podsOf(`${at}[].${peers}[]`),
  ...outer.flatMap((key) =>
    key === 'nodes' ? labels(`${at}[].${peers}[].nodes`) : [`${at}[].${peers}[].${key}`],
  ),
];
const OUTER = ['nodes', 'networks', 'domainNames'];
const PROTOCOLS = 'egress[].protocols';
const CLUSTER_NETWORK_POLICY = [
  'tier',
  'priority',
  'subject',
  ...podsOf('subject'),
  ...clusterRule('ingress', 'from', []),
  ...clusterRule('egress', 'to', OUTER),
  ...each('ingress[]', 'protocols', 'protocols[].destinationNamedPort'),
  PROTOCOLS,
  ...['tcp', 'udp', 'sctp'].flatMap((protocol) =>
    each(`${PROTOCOLS}[]`, protocol, `${protocol}.destinationPort`),
  ),
  ...each(`${PROTOCOLS}[]`, 'tcp.destinationPort.number', 'sctp.destinationPort.number'),
  ...each(`${PROTOCOLS}[].udp.destinationPort`, 'range', 'range.start', 'range.end'),
];
const adminPolicy = (outer: readonly string[]): string[] => [
  'subject',
  ...podsOf('subject'),
  ...clusterRule('ingress', 'from', []),
  ...clusterRule('egress', 'to', outer),
  ...each('ingress[]', 'ports', 'ports[].namedPort'),
  ...each('egress[]', 'ports', 'ports[].portNumber', 'ports[].portRange'),
  ...each('egress[].ports[].portNumber', 'protocol', 'port'),
  ...each('egress[].ports[].portRange', 'protocol', 'start', 'end'),
];

const entity = (at: string): string[] => [
  at,
  ...each(at, 'nets', 'notNets', 'selector', 'notSelector', 'namespaceSelector', 'ports', 'notPorts'),
  ...each(at, 'serviceAccounts', 'serviceAccounts.names', 'serviceAccounts.selector'),
];
const CALICO_RULES = [
  'ingress',
  ...each('ingress[]', 'action', 'ipVersion', 'protocol', 'notProtocol', 'icmp', 'notICMP', 'metadata'),
  ...each('ingress[]', 'icmp.type', 'icmp.code', 'notICMP.type', 'notICMP.code'),
  ...each('ingress[].metadata', 'annotations', 'annotations.name'),
  ...entity('ingress[].source'),
  ...entity('ingress[].destination'),
  ...each('ingress[].source', 'services', 'services.name', 'services.namespace'),
  'egress',
  ...each('egress[]', 'action', 'destination'),
  ...each('egress[].destination', 'services', 'services.name', 'services.namespace', 'domains'),
];
const CALICO_POLICY = [
  ...CALICO_RULES,
  ...['tier', 'order', 'selector', 'serviceAccountSelector', 'types', 'performanceHints'],
];
const GLOBAL_POLICY = [...CALICO_POLICY, 'namespaceSelector', 'doNotTrack', 'preDNAT', 'applyOnForward'];

/** By apiVersion and kind, below spec. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  'networking.k8s.io/v1 NetworkPolicy': NETWORK_POLICY,
  'policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy': CLUSTER_NETWORK_POLICY,
  'policy.networking.k8s.io/v1alpha1 AdminNetworkPolicy': ['priority', ...adminPolicy(OUTER)],
  'policy.networking.k8s.io/v1alpha1 BaselineAdminNetworkPolicy': adminPolicy(['nodes', 'networks']),
  'projectcalico.org/v3 NetworkPolicy': CALICO_POLICY,
  'projectcalico.org/v3 GlobalNetworkPolicy': GLOBAL_POLICY,
  'projectcalico.org/v3 StagedNetworkPolicy': ['stagedAction', ...CALICO_POLICY],
  'projectcalico.org/v3 StagedGlobalNetworkPolicy': ['stagedAction', ...GLOBAL_POLICY],
  'projectcalico.org/v3 StagedKubernetesNetworkPolicy': ['stagedAction', ...NETWORK_POLICY],
  'projectcalico.org/v3 Tier': ['order', 'defaultAction'],
  'projectcalico.org/v3 NetworkSet': ['nets'],
  'projectcalico.org/v3 GlobalNetworkSet': ['nets'],
  'projectcalico.org/v3 HostEndpoint': [
    ...['node', 'interfaceName', 'expectedIPs', 'profiles', 'ports'],
    ...each('ports[]', 'name', 'protocol', 'port'),
  ],
  'projectcalico.org/v3 Profile': [...CALICO_RULES, 'labelsToApply', 'labelsToApply.role'],
};

const nameOf = ({ apiVersion, kind }: Written): string => `${apiVersion} ${kind}`;
const documentsOf = (name: string): Written[] =>
  WHOLE_DOCUMENTS.filter((written) => nameOf(written) === name);

function said(written: Written): string {
  const { fact, problems } = translate(object(written));
  return JSON.stringify([fact, problems]);
}

type Step = string | number;

/** Ways to all keys of a value, and to all entries of its lists. */
function waysIn(value: unknown, way: readonly Step[] = []): Step[][] {
  if (typeof value !== 'object' || value === null) return [];
  const steps: Step[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return steps.flatMap((step) => [
    [...way, step],
    ...waysIn((value as Record<Step, unknown>)[step], [...way, step]),
  ]);
}

function fieldAt(way: readonly Step[]): string {
  return way.map((step, at) => (typeof step === 'number' ? '[]' : at === 0 ? step : `.${step}`)).join('');
}

function without(value: unknown, [step, ...rest]: readonly Step[]): unknown {
  if (Array.isArray(value))
    return rest.length === 0
      ? value.filter((_, index) => index !== step)
      : value.map((item, index) => (index === step ? without(item, rest) : item));
  return Object.fromEntries(
    Object.entries(value as object).flatMap(([key, item]) =>
      key !== step ? [[key, item]] : rest.length === 0 ? [] : [[key, without(item, rest)]],
    ),
  );
}

test('there is a whole document of each kind that people write, and a list of its fields', () => {
  const kinds = Object.entries(KINDS).flatMap(([group, rows]) =>
    Object.entries(rows).flatMap(([kind, row]) => (row.isWritten ? [`${group} ${kind}`] : [])),
  );
  const stored = 'crd.projectcalico.org ';
  const wanted = kinds.map((kind) => kind.replace(stored, 'projectcalico.org '));
  const given = Object.keys(FIELDS).map((name) => name.replace(/\/\S+/, ''));
  expect([...new Set(wanted)].toSorted()).toEqual(given.toSorted());
});

describe.each(Object.keys(FIELDS))('%s', (name) => {
  test('has the fields of its API in the whole documents, and none is unknown', () => {
    const fields = new Set(
      documentsOf(name)
        .flatMap(({ spec }) => waysIn(spec))
        .filter((way) => typeof way.at(-1) === 'string')
        .map(fieldAt),
    );
    expect([...fields].toSorted()).toEqual([...new Set(FIELDS[name])].toSorted());
    for (const written of documentsOf(name)) {
      const { fact, problems, warnings } = translate(object(written));
      expect([...problems, ...warnings]).toEqual([]);
      expect(fact).toBeDefined();
    }
  });

  test('means something else, or nothing, without any one of them', () => {
    const all = new Set<string>();
    const effective = new Set<string>();
    for (const written of documentsOf(name)) {
      const whole = said(written);
      for (const way of waysIn(written.spec)) {
        all.add(fieldAt(way));
        if (said({ ...written, spec: without(written.spec, way) }) !== whole) effective.add(fieldAt(way));
      }
    }
    // A hint changes nothing: it is for the speed of another program.
    const hints = all.has('performanceHints') ? ['performanceHints', 'performanceHints[]'] : [];
    expect([...all.difference(effective)]).toEqual(hints);
  });
});
