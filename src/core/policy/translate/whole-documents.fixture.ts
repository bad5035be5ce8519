/** For each kind that people write documents with every field that its API has, such that each of them matters in one. */
import type { Written } from './text.fixture.ts';

const labels = {
  matchLabels: { app: 'web' },
  matchExpressions: [{ key: 'tier', operator: 'In', values: ['a', 'b'] }],
};
const named = (name: string, namespace?: string): object => ({ name, namespace, labels: { zone: 'a' } });

const networkPolicyPorts = [{ protocol: 'UDP', port: 53, endPort: 60 }];
const networkPolicySpec = {
  podSelector: labels,
  policyTypes: ['Ingress', 'Egress'],
  ingress: [
    {
      from: [
        { podSelector: labels, namespaceSelector: labels },
        { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } },
      ],
      ports: networkPolicyPorts,
    },
  ],
  egress: [
    {
      to: [
        { podSelector: labels, namespaceSelector: labels },
        { ipBlock: { cidr: 'fd00::/8', except: ['fd01::/16'] } },
      ],
      ports: networkPolicyPorts,
    },
  ],
};

const pods = { pods: { namespaceSelector: labels, podSelector: labels } };
const clusterPeers = { pods: [{ namespaces: labels }, pods] };
const outerPeers = [{ nodes: labels }, { networks: ['10.0.0.0/8'] }];
const names = { domainNames: ['example.com'] };
const numbered = [
  { tcp: { destinationPort: { number: 80 } } },
  { udp: { destinationPort: { range: { start: 53, end: 54 } } } },
  { sctp: { destinationPort: { number: 9 } } },
];
const clusterSpec = {
  tier: 'Baseline',
  priority: 7,
  subject: pods,
  ingress: [
    { name: 'in', action: 'Deny', from: clusterPeers.pods, protocols: [{ destinationNamedPort: 'http' }] },
  ],
  egress: [
    { name: 'out', action: 'Accept', to: [...clusterPeers.pods, ...outerPeers, names], protocols: numbered },
  ],
};
const adminPorts = [
  { portNumber: { protocol: 'UDP', port: 53 } },
  { portRange: { protocol: 'UDP', start: 100, end: 200 } },
];
const adminSpec = (outer: readonly object[]): object => ({
  subject: pods,
  ingress: [{ name: 'in', action: 'Deny', from: clusterPeers.pods, ports: [{ namedPort: 'http' }] }],
  egress: [{ name: 'out', action: 'Allow', to: [...clusterPeers.pods, ...outer], ports: adminPorts }],
});

const entity = {
  nets: ['10.0.0.0/8'],
  notNets: ['10.1.0.0/16'],
  selector: 'app == "a"',
  notSelector: 'app == "b"',
  namespaceSelector: 'env == "c"',
  ports: ['http', 80, '90:99'],
  notPorts: [95],
  serviceAccounts: { names: ['robot'], selector: 'role == "d"' },
};
const services = { services: { name: 'db', namespace: 'back' } };
const calicoRules = {
  ingress: [
    {
      action: 'Deny',
      ipVersion: 4,
      protocol: 'TCP',
      notProtocol: 'UDP',
      metadata: { annotations: { name: 'in' } },
      source: entity,
      destination: entity,
    },
    { action: 'Log', protocol: 'ICMP', icmp: { type: 8, code: 0 }, notICMP: { type: 3, code: 1 } },
    { action: 'Allow', source: services },
  ],
  egress: [
    { action: 'Pass', destination: services },
    { action: 'Allow', destination: { domains: ['example.com'] } },
  ],
};
const calicoSpec = {
  tier: 'platform',
  order: 10,
  selector: 'app == "web"',
  serviceAccountSelector: 'role == "e"',
  types: ['Ingress', 'Egress'],
  performanceHints: ['AssumeNeededOnEveryNode'],
  ...calicoRules,
};
const globalSpec = { ...calicoSpec, namespaceSelector: 'env == "f"', doNotTrack: true, applyOnForward: true };
/** preDNAT excludes doNotTrack and egress: it is in a document of its own. */
const preDnatSpec = { selector: 'a == "b"', types: ['Ingress'], preDNAT: true, applyOnForward: true };

/** Types say something only where they are not what the rules would say. */
const calicoTypes = { types: ['Egress'] };
const kubernetesTypes = { podSelector: {}, policyTypes: ['Egress'] };

const document = (apiVersion: string, kind: string, metadata: object, spec: object): Written => ({
  apiVersion,
  kind,
  metadata: metadata as Record<string, unknown>,
  spec,
});
const calico = (kind: string, spec: object, namespace?: string): Written =>
  document('projectcalico.org/v3', kind, named('web', namespace), spec);

export const WHOLE_DOCUMENTS: readonly Written[] = [
  document('networking.k8s.io/v1', 'NetworkPolicy', named('web', 'shop'), networkPolicySpec),
  document('networking.k8s.io/v1', 'NetworkPolicy', named('web', 'shop'), kubernetesTypes),
  document('policy.networking.k8s.io/v1alpha2', 'ClusterNetworkPolicy', named('web'), clusterSpec),
  document('policy.networking.k8s.io/v1alpha1', 'AdminNetworkPolicy', named('web'), {
    priority: 7,
    ...adminSpec([...outerPeers, names]),
  }),
  document(
    'policy.networking.k8s.io/v1alpha1',
    'BaselineAdminNetworkPolicy',
    named('default'),
    adminSpec(outerPeers),
  ),
  calico('NetworkPolicy', calicoSpec, 'shop'),
  calico('GlobalNetworkPolicy', globalSpec),
  calico('GlobalNetworkPolicy', preDnatSpec),
  calico('StagedNetworkPolicy', { stagedAction: 'Learn', ...calicoSpec }, 'shop'),
  calico('StagedGlobalNetworkPolicy', { stagedAction: 'Delete', ...globalSpec }),
  calico('StagedGlobalNetworkPolicy', { stagedAction: 'Delete', ...preDnatSpec }),
  calico('StagedKubernetesNetworkPolicy', { stagedAction: 'Ignore', ...networkPolicySpec }, 'shop'),
  ...['NetworkPolicy', 'StagedNetworkPolicy'].map((kind) => calico(kind, calicoTypes, 'shop')),
  ...['GlobalNetworkPolicy', 'StagedGlobalNetworkPolicy'].map((kind) => calico(kind, calicoTypes)),
  calico('StagedKubernetesNetworkPolicy', kubernetesTypes, 'shop'),
  calico('Tier', { order: 10, defaultAction: 'Pass' }),
  calico('NetworkSet', { nets: ['10.0.0.0/8'] }, 'shop'),
  calico('GlobalNetworkSet', { nets: ['10.0.0.0/8'] }),
  calico('HostEndpoint', {
    node: 'node-a',
    interfaceName: 'eth0',
    expectedIPs: ['192.0.2.1'],
    profiles: ['open'],
    ports: [{ name: 'ssh', protocol: 'TCP', port: 22 }],
  }),
  calico('Profile', { ...calicoRules, labelsToApply: { role: 'edge' } }),
];
