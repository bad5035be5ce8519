/**
 * flanneld's flags, one row each: parsing, --help and docs/flanneld.md come from here. Names, types and defaults are flannel's
 * (main.go of flannel 0.28 and klog's three); the words are ours. A row with `idle` is accepted and has no effect, and says so when given.
 */

/** As Go's package flag reads them; `list` may be given again and again. `level` is klog's: a number in decimal. */
export type FlagType = 'string' | 'bool' | 'int' | 'list' | 'level';

export interface FlagRow {
  readonly type: FlagType;
  /** As Go prints it; '' where there is none. */
  readonly default: string;
  readonly meaning: string;
  /** With which registry it means something; absent: with both. */
  readonly only?: 'etcd' | 'kubernetes';
  /** Why it has no effect here. */
  readonly idle?: string;
  /** The values it may have, for numbers. */
  readonly range?: readonly [from: number, to: number];
}

export const FLAGS = {
  'etcd-endpoints': {
    type: 'string',
    default: 'http://127.0.0.1:4001,http://127.0.0.1:2379',
    meaning: 'URLs of etcd, with commas between; the first that answers is used',
    only: 'etcd',
  },
  'etcd-prefix': {
    type: 'string',
    default: '/coreos.com/network',
    meaning: 'where in etcd the configuration and the leases of this network are',
    only: 'etcd',
  },
  'etcd-keyfile': { type: 'string', default: '', meaning: 'PEM file of the client key', only: 'etcd' },
  'etcd-certfile': {
    type: 'string',
    default: '',
    meaning: 'PEM file of the client certificate',
    only: 'etcd',
  },
  'etcd-cafile': {
    type: 'string',
    default: '',
    meaning: 'PEM file of the authorities that may sign etcd’s certificate',
    only: 'etcd',
  },
  'etcd-username': { type: 'string', default: '', meaning: 'user name in etcd', only: 'etcd' },
  'etcd-password': {
    type: 'string',
    default: '',
    meaning: 'its password; others see flags, so better by FLANNELD_ETCD_PASSWORD',
    only: 'etcd',
  },
  'kube-subnet-mgr': {
    type: 'bool',
    default: 'false',
    meaning: 'take subnets from Node objects of Kubernetes instead of leasing them in etcd',
  },
  'kube-api-url': {
    type: 'string',
    default: '',
    meaning: 'URL of the API server, where neither the pod nor a kubeconfig says it',
    only: 'kubernetes',
  },
  'kubeconfig-file': {
    type: 'string',
    default: '',
    meaning: 'kubeconfig to reach the API server with; a pod needs none',
    only: 'kubernetes',
  },
  'kube-annotation-prefix': {
    type: 'string',
    default: 'flannel.alpha.coreos.com',
    meaning: 'how the annotations on Node objects begin: a domain, or a domain, a slash and a beginning',
    only: 'kubernetes',
  },
  'set-node-network-unavailable': {
    type: 'bool',
    default: 'true',
    meaning: 'set the condition NetworkUnavailable of the Node to False once this node is ready',
    only: 'kubernetes',
  },
  'net-config-path': {
    type: 'string',
    default: '/etc/kube-flannel/net-conf.json',
    meaning: 'file of the network configuration; with etcd it is in etcd',
    only: 'kubernetes',
  },
  iface: {
    type: 'list',
    default: '',
    meaning: 'link of the underlay, by its name or one of its addresses; of several the first that fits',
  },
  'iface-regex': {
    type: 'list',
    default: '',
    meaning:
      'the same by an expression, tried on addresses, then on names; looked at where no -iface fits; of several the first that fits',
  },
  'iface-can-reach': {
    type: 'string',
    default: '',
    meaning:
      'the link by which the kernel would reach this address; looked at where no -iface and no -iface-regex fits',
  },
  'public-ip': {
    type: 'string',
    default: '',
    meaning: 'IPv4 address by which other nodes reach this one; else the link’s own',
  },
  'public-ipv6': { type: 'string', default: '', meaning: 'the same for IPv6' },
  'ip-masq': {
    type: 'bool',
    default: 'false',
    meaning:
      'what pods send out of their network gets the node’s address; subnet.env says FLANNEL_IPMASQ=true',
  },
  'ip-masq-fully-random-disable': {
    type: 'bool',
    default: 'false',
    meaning: 'source ports of masqueraded connections as the kernel chooses them, not at random',
  },
  'iptables-forward-rules': {
    type: 'bool',
    default: 'true',
    meaning:
      'let pass what is forwarded from and to the network, in iptables too where the policy of its FORWARD chain is DROP',
  },
  'iptables-resync': {
    type: 'int',
    default: '5',
    meaning:
      'seconds between two looks at iptables’ FORWARD chain; all other rules are put back at once, since the kernel tells of every change',
    range: [1, 86_400],
  },
  'ip-blackhole-route': {
    type: 'bool',
    default: 'false',
    meaning: 'drop what goes to addresses of this node’s subnet that no pod has',
  },
  'subnet-file': {
    type: 'string',
    default: '/run/flannel/subnet.env',
    meaning: 'file that tells other programs the network, the subnet, the MTU and whether -ip-masq is given',
  },
  'subnet-lease-renew-margin': {
    type: 'int',
    default: '60',
    meaning: 'minutes before its end at which a lease is renewed, 1 to 1439',
    only: 'etcd',
    range: [1, 1439],
  },
  'healthz-ip': {
    type: 'string',
    default: '0.0.0.0',
    meaning:
      'address on which /healthz, /readyz and /metrics are served; empty is all addresses of both families',
  },
  'healthz-port': { type: 'int', default: '0', meaning: 'port of the same; 0 is none', range: [0, 65_535] },
  version: { type: 'bool', default: 'false', meaning: 'print the version and exit' },
  v: {
    type: 'level',
    default: '0',
    meaning: 'how much is logged: 0 what matters, 1 to 3 details, from 4 on all there is',
    range: [-(2 ** 31), 2 ** 31 - 1],
  },
  vmodule: {
    type: 'string',
    default: '',
    meaning: 'klog’s levels by source file',
    idle: 'the log has no source files: -v sets the level for all',
  },
  log_backtrace_at: {
    type: 'string',
    default: ':0',
    meaning: 'klog’s stack trace at a line of its source',
    idle: 'errors are logged with their stack',
  },
} as const satisfies Readonly<Record<string, FlagRow>>;

export type FlagName = keyof typeof FLAGS;

export const FLAG_NAMES = Object.keys(FLAGS) as readonly FlagName[];

/** Variables that flanneld reads beside those that stand for flags. */
export const VARIABLES = {
  NODE_NAME:
    'name of this machine’s Node object; without it the pod named by the next two is asked for its node',
  POD_NAME: 'name of the pod flanneld runs in',
  POD_NAMESPACE: 'its namespace',
  EVENT_QUEUE_DEPTH: 'accepted; there is no queue of events that could be too short',
  CONT_WHEN_CACHE_NOT_READY:
    'accepted; whatever is not known yet is waited for while the rest goes on, as with "true"',
} as const;

/** The variable that stands for a flag where it is not given: FLANNELD_IP_MASQ. */
export function variableOf(name: FlagName): string {
  return `FLANNELD_${name.toUpperCase().replaceAll('-', '_')}`;
}
