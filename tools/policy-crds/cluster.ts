/** policy.networking.k8s.io, as core/policy/translate reads it: ClusterNetworkPolicy, and the two kinds it came from. */
import {
  choice,
  type Definition,
  DOMAIN,
  integer,
  labelSelector,
  list,
  object,
  oneOf,
  PORT_NAME,
  PORT_PROTOCOLS,
  type Schema,
  text,
} from './words.ts';

const MAX_RULES = 100;
const MAX_PEERS = 100;

const PODS = object(
  'Pods by their labels and those of their namespaces.',
  { namespaceSelector: labelSelector('Their namespaces.'), podSelector: labelSelector('The pods.') },
  { required: ['podSelector'] },
);
const BOTH = { namespaces: labelSelector('All pods of these namespaces.'), pods: PODS };
const SUBJECT = choice('The pods that it is for: namespaces, or pods.', BOTH);
const NODES = { nodes: labelSelector('Nodes, by their labels.') };
const NETWORKS = {
  networks: list(
    'Prefixes.',
    { type: 'string', format: 'cidr', pattern: '/' },
    { minItems: 1, maxItems: 25 },
  ),
};
const DOMAIN_NAMES = {
  domainNames: list('Names, or with *. before them all that end so; for rules that allow.', DOMAIN, {
    minItems: 1,
    maxItems: 25,
  }),
};
const peers = (kinds: Readonly<Record<string, Schema>>): Schema =>
  list('Whom it is about; each of one kind.', choice('A peer.', kinds), { minItems: 1, maxItems: MAX_PEERS });

const PORT_NUMBER = integer('The port.', 1, 65_535);
const RANGE_FIELDS = {
  start: integer('The first port.', 1, 65_535),
  end: integer('The last port.', 1, 65_535),
};
const RANGE_KEYS = { required: ['start', 'end'] };
const NAMED_PORT = text('A port of the pods, by its name.', PORT_NAME);

const withDestinationPort = (name: string): Schema =>
  object(
    `${name}.`,
    {
      destinationPort: choice('A number, or a range.', {
        number: PORT_NUMBER,
        range: object('A range.', RANGE_FIELDS, RANGE_KEYS),
      }),
    },
    { minProperties: 1 },
  );
const PROTOCOLS = {
  protocols: list(
    'Protocols and ports; any if not given.',
    choice('One protocol, or one port.', {
      tcp: withDestinationPort('TCP'),
      udp: withDestinationPort('UDP'),
      sctp: withDestinationPort('SCTP'),
      destinationNamedPort: NAMED_PORT,
    }),
    { minItems: 1, maxItems: 25 },
  ),
};
const PORTS = {
  ports: list(
    'Ports; any if not given.',
    choice('A port, or some.', {
      portNumber: object(
        'By number.',
        { protocol: oneOf('TCP if not given.', PORT_PROTOCOLS), port: PORT_NUMBER },
        { required: ['port'] },
      ),
      portRange: object(
        'By number.',
        { protocol: oneOf('TCP if not given.', PORT_PROTOCOLS), ...RANGE_FIELDS },
        RANGE_KEYS,
      ),
      namedPort: NAMED_PORT,
    }),
    { minItems: 1, maxItems: MAX_PEERS },
  ),
};

/** What differs between the kinds. */
interface Dialect {
  readonly actions: readonly string[];
  readonly outerPeers: Readonly<Record<string, Schema>>;
  readonly ports: Readonly<Record<string, Schema>>;
}

function rules({ actions, outerPeers, ports }: Dialect): Record<string, Schema> {
  const rule = (key: string, kinds: Readonly<Record<string, Schema>>) =>
    object(
      'A rule.',
      {
        name: text('For people.', { maxLength: 100 }),
        action: oneOf('What becomes of a packet that it matches.', actions),
        [key]: peers(kinds),
        ...ports,
      },
      { required: ['action', key] },
    );
  const size = { maxItems: MAX_RULES };
  return {
    ingress: list('For what comes in, asked in this order.', rule('from', BOTH), size),
    egress: list('For what goes out, asked in this order.', rule('to', { ...BOTH, ...outerPeers }), size),
  };
}

const PRIORITY = integer('Less comes first.', 0, 1000);
const ACCEPTED = ['Accepted', '.status.conditions[?(@.type=="Accepted")].status'] as const;
const GROUP = {
  group: 'policy.networking.k8s.io',
  isNamespaced: false,
  needsSpec: true,
  hasConditions: true,
};

export const CLUSTER: readonly Definition[] = [
  {
    ...GROUP,
    version: 'v1alpha2',
    kind: 'ClusterNetworkPolicy',
    plural: 'clusternetworkpolicies',
    shortNames: ['cnp'],
    description: "A policy for pods of all namespaces, before or after those of the namespaces' own.",
    spec: object(
      'What is wanted.',
      {
        tier: oneOf("Admin: before the namespaces' own policies. Baseline: after them.", [
          'Admin',
          'Baseline',
        ]),
        priority: PRIORITY,
        subject: SUBJECT,
        ...rules({
          actions: ['Accept', 'Deny', 'Pass'],
          outerPeers: { ...NODES, ...NETWORKS, ...DOMAIN_NAMES },
          ports: PROTOCOLS,
        }),
      },
      { required: ['tier', 'priority', 'subject'] },
    ),
    columns: [['Tier', 'tier'], ['Priority', 'priority', 'integer'], ACCEPTED],
  },
  {
    ...GROUP,
    version: 'v1alpha1',
    kind: 'AdminNetworkPolicy',
    plural: 'adminnetworkpolicies',
    shortNames: ['anp'],
    description: "A policy for pods of all namespaces, before those of the namespaces' own.",
    spec: object(
      'What is wanted.',
      {
        priority: PRIORITY,
        subject: SUBJECT,
        ...rules({
          actions: ['Allow', 'Deny', 'Pass'],
          outerPeers: { ...NODES, ...NETWORKS, ...DOMAIN_NAMES },
          ports: PORTS,
        }),
      },
      { required: ['priority', 'subject'] },
    ),
    columns: [['Priority', 'priority', 'integer'], ACCEPTED],
  },
  {
    ...GROUP,
    version: 'v1alpha1',
    kind: 'BaselineAdminNetworkPolicy',
    plural: 'baselineadminnetworkpolicies',
    shortNames: ['banp'],
    description:
      "The policy for pods of all namespaces after those of the namespaces' own; there is one, called default.",
    name: { type: 'string', pattern: '^default$' },
    spec: object(
      'What is wanted.',
      {
        subject: SUBJECT,
        ...rules({ actions: ['Allow', 'Deny'], outerPeers: { ...NODES, ...NETWORKS }, ports: PORTS }),
      },
      { required: ['subject'] },
    ),
    columns: [ACCEPTED],
  },
];
