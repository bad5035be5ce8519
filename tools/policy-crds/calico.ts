/** projectcalico.org/v3, as core/policy/translate reads it: for clusters that do not have these kinds from Calico itself. */
import {
  type Definition,
  DIRECTIONS,
  DOMAIN,
  flag,
  integer,
  labelSelector,
  list,
  object,
  oneOf,
  PORT_PROTOCOLS,
  type Schema,
  text,
  textMap,
} from './words.ts';

/** An address, or a prefix: whether it is a sound one is for the agent to say. */
const NET: Schema = { type: 'string', pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?$' };
const PREFIX: Schema = { type: 'string', pattern: '^[0-9a-fA-F:.]+/[0-9]{1,3}$' };
const PROTOCOL: Schema = {
  description: 'TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite, or a number.',
  'x-kubernetes-int-or-string': true,
  minimum: 1,
  maximum: 255,
  pattern:
    '^([Tt][Cc][Pp]|[Uu][Dd][Pp]|[Ss][Cc][Tt][Pp]|[Ii][Cc][Mm][Pp]([Vv]6)?|[Uu][Dd][Pp][Ll][Ii][Tt][Ee]|[0-9]{1,3})$',
};
const PORT: Schema = {
  'x-kubernetes-int-or-string': true,
  minimum: 0,
  maximum: 65_535,
  maxLength: 128,
  // A name has a letter: "80-90" is a range that somebody has misspelt.
  pattern: '^([0-9]{1,5}(:[0-9]{1,5})?|[a-zA-Z0-9_.-]*[a-zA-Z][a-zA-Z0-9_.-]*)$',
};
const ports = (what: string): Schema => list(`${what}: numbers, ranges such as "80:90", names.`, PORT);

const END_FIELDS: Readonly<Record<string, Schema>> = {
  nets: list('Addresses and prefixes.', NET),
  notNets: list('Addresses and prefixes that are not meant.', NET),
  selector: text("Endpoints and sets by their labels, in Calico's language."),
  notSelector: text('Endpoints and sets that are not meant.'),
  namespaceSelector: text('By the labels of their namespaces; global() is what is in none.'),
  ports: ports('Ports'),
  notPorts: ports('Ports that are not meant'),
  serviceAccounts: object('Pods by their service accounts.', {
    names: list('By name.', { type: 'string' }),
    selector: text('By the labels of the account.'),
  }),
  services: object(
    'What is behind a service; of the source of ingress and the destination of egress.',
    { name: text('The service.', { minLength: 1 }), namespace: text("Where it is, if not in the policy's.") },
    { required: ['name'] },
  ),
};
/** A preserved key that must be empty: dropped in silence it would make the rule one about all requests. */
const NO_HTTP: Schema = {
  type: 'object',
  description: 'Not supported: Poplin looks at packets, not at requests.',
  maxProperties: 0,
  'x-kubernetes-preserve-unknown-fields': true,
};
const ICMP_FIELDS = {
  type: integer('The type of the message.', 0, 254),
  code: integer('Its code; needs type.', 0, 255),
};

const RULE = object(
  'A rule: what a packet must be like, and what becomes of it.',
  {
    action: oneOf('Pass: the next tier decides. Log: the next rule does.', ['Allow', 'Deny', 'Log', 'Pass']),
    ipVersion: { type: 'integer', description: 'IPv4 or IPv6 only.', enum: [4, 6] },
    protocol: PROTOCOL,
    notProtocol: PROTOCOL,
    icmp: object('Messages of ICMP; needs ICMP or ICMPv6 as protocol.', ICMP_FIELDS),
    notICMP: object('Messages of ICMP that are not meant.', ICMP_FIELDS),
    source: object('Whom the packet is from.', END_FIELDS),
    destination: object('Whom it is for.', {
      ...END_FIELDS,
      domains: list('Names, or with *. before them all that end so; of egress that allows.', DOMAIN),
      http: NO_HTTP,
    }),
    http: NO_HTTP,
    metadata: object('For people.', { annotations: textMap('The annotation name is shown in answers.') }),
  },
  { required: ['action'] },
);

const RULES = {
  ingress: list('For what comes in, asked in this order.', RULE),
  egress: list('For what goes out, asked in this order.', RULE),
};
const POLICY = {
  tier: text('The tier it is of; default if not given.'),
  order: { type: 'number', description: 'Less comes first; without one it comes last.' },
  selector: text('Endpoints that it is for.'),
  serviceAccountSelector: text('Pods that it is for, by the labels of their service accounts.'),
  types: list(
    'Directions it counts in; if not given, those that it has rules for, and ingress if it has none.',
    { type: 'string', enum: DIRECTIONS },
  ),
  performanceHints: list('Without meaning for Poplin.', {
    type: 'string',
    enum: ['AssumeNeededOnEveryNode'],
  }),
  ...RULES,
};
const GLOBAL_POLICY = {
  ...POLICY,
  namespaceSelector: text('Pods that it is for, by the labels of their namespaces.'),
  doNotTrack: flag('Before connections are tracked, for host endpoints; needs applyOnForward.'),
  preDNAT: flag(
    'Before addresses are translated, for host endpoints; needs applyOnForward, and ingress only.',
  ),
  applyOnForward: flag('For what a host forwards, too.'),
};
const STAGED = { stagedAction: oneOf('What is to become of it.', ['Set', 'Delete', 'Learn', 'Ignore']) };

/** The spec of Kubernetes' own NetworkPolicy. */
const KUBERNETES_PORTS = list(
  'Ports; all if none are given.',
  object('Of a protocol all, one, or some.', {
    protocol: oneOf('TCP if not given.', PORT_PROTOCOLS),
    port: {
      description: 'A number, or the name of a port.',
      'x-kubernetes-int-or-string': true,
      minimum: 1,
      maximum: 65_535,
    },
    endPort: integer('The last of a range that port begins.', 1, 65_535),
  }),
);
const KUBERNETES_PEERS = list(
  'Whom it is about; anybody if none are given.',
  object(
    'Selectors, or a block of addresses.',
    {
      podSelector: labelSelector('Pods.'),
      namespaceSelector: labelSelector('Namespaces they are in.'),
      ipBlock: object(
        'Addresses.',
        { cidr: { ...PREFIX }, except: list('Those in it that are not meant.', PREFIX) },
        { required: ['cidr'] },
      ),
    },
    { minProperties: 1 },
  ),
);
const KUBERNETES_POLICY = {
  podSelector: labelSelector('Pods that it is for.'),
  policyTypes: list('Directions it counts in.', { type: 'string', enum: DIRECTIONS }),
  ingress: list('What may come in.', object('A rule.', { from: KUBERNETES_PEERS, ports: KUBERNETES_PORTS })),
  egress: list('What may go out.', object('A rule.', { to: KUBERNETES_PEERS, ports: KUBERNETES_PORTS })),
};

const HOST_PORT = object(
  'A port that has a name.',
  {
    name: text('By which policies know it.', { minLength: 1 }),
    protocol: { ...PROTOCOL, description: 'TCP, UDP or SCTP.' },
    port: integer('Its number.', 1, 65_535),
  },
  { required: ['name', 'protocol', 'port'] },
);

const calico = (
  definition: Pick<Definition, 'kind' | 'plural' | 'isNamespaced' | 'description' | 'columns'> & {
    readonly spec: Readonly<Record<string, Schema>>;
    readonly shortNames?: readonly string[];
    readonly required?: Schema;
  },
): Definition => {
  const { spec, required, ...rest } = definition;
  return {
    group: 'projectcalico.org',
    version: 'v3',
    needsSpec: required !== undefined,
    hasConditions: false,
    ...rest,
    spec: object('What is wanted.', spec, required),
  };
};
const POLICY_COLUMNS: Definition['columns'] = [
  ['Tier', 'tier'],
  ['Order', 'order', 'number'],
  ['Selector', 'selector'],
];
const STAGED_COLUMNS: Definition['columns'] = [['Action', 'stagedAction'], ...POLICY_COLUMNS];

export const CALICO: readonly Definition[] = [
  calico({
    kind: 'Tier',
    plural: 'tiers',
    isNamespaced: false,
    description: 'Policies that are asked before others, or after them.',
    spec: {
      order: { type: 'number', description: 'Less comes first; without one it comes last.' },
      defaultAction: oneOf('What becomes of packets that no policy of it decides.', ['Deny', 'Pass']),
    },
    columns: [
      ['Order', 'order', 'number'],
      ['Default', 'defaultAction'],
    ],
  }),
  calico({
    kind: 'NetworkPolicy',
    plural: 'networkpolicies',
    isNamespaced: true,
    description: 'A policy for pods of its namespace.',
    spec: POLICY,
    columns: POLICY_COLUMNS,
  }),
  calico({
    kind: 'GlobalNetworkPolicy',
    plural: 'globalnetworkpolicies',
    shortNames: ['gnp'],
    isNamespaced: false,
    description: 'A policy for pods of all namespaces, and for host endpoints.',
    spec: GLOBAL_POLICY,
    columns: POLICY_COLUMNS,
  }),
  calico({
    kind: 'StagedNetworkPolicy',
    plural: 'stagednetworkpolicies',
    isNamespaced: true,
    description: 'A NetworkPolicy that is looked at before it counts.',
    spec: { ...STAGED, ...POLICY },
    columns: STAGED_COLUMNS,
  }),
  calico({
    kind: 'StagedGlobalNetworkPolicy',
    plural: 'stagedglobalnetworkpolicies',
    isNamespaced: false,
    description: 'A GlobalNetworkPolicy that is looked at before it counts.',
    spec: { ...STAGED, ...GLOBAL_POLICY },
    columns: STAGED_COLUMNS,
  }),
  calico({
    kind: 'StagedKubernetesNetworkPolicy',
    plural: 'stagedkubernetesnetworkpolicies',
    isNamespaced: true,
    description: "One of Kubernetes' own NetworkPolicies that is looked at before it counts.",
    spec: { ...STAGED, ...KUBERNETES_POLICY },
    columns: [['Action', 'stagedAction']],
  }),
  calico({
    kind: 'NetworkSet',
    plural: 'networksets',
    isNamespaced: true,
    description: 'Addresses that policies of its namespace know by its labels.',
    spec: { nets: list('Addresses and prefixes.', NET) },
    columns: [['Nets', 'nets']],
  }),
  calico({
    kind: 'GlobalNetworkSet',
    plural: 'globalnetworksets',
    isNamespaced: false,
    description: 'Addresses that policies know by its labels.',
    spec: { nets: list('Addresses and prefixes.', NET) },
    columns: [['Nets', 'nets']],
  }),
  calico({
    kind: 'HostEndpoint',
    plural: 'hostendpoints',
    shortNames: ['hep'],
    isNamespaced: false,
    description:
      'An interface of a node, or all of them, that policies are for. Its labels are those of its metadata.',
    spec: {
      node: text('The node.', { minLength: 1 }),
      interfaceName: text('The interface, or * for all.', { pattern: '^[^\\s/:]{0,15}$' }),
      expectedIPs: list('Its addresses.', { type: 'string', pattern: '^[0-9a-fA-F:.]+$' }),
      profiles: list('Profiles that it has rules and labels from.', { type: 'string' }),
      ports: list('Ports that policies know by name.', HOST_PORT),
    },
    required: {
      required: ['node'],
      anyOf: [{ required: ['interfaceName'] }, { required: ['expectedIPs'] }],
    },
    columns: [
      ['Node', 'node'],
      ['Interface', 'interfaceName'],
      ['Addresses', 'expectedIPs'],
    ],
  }),
  calico({
    kind: 'Profile',
    plural: 'profiles',
    isNamespaced: false,
    description: 'Rules and labels for host endpoints that name it.',
    spec: { labelsToApply: textMap('Labels that they have from it.'), ...RULES },
    columns: [],
  }),
];
