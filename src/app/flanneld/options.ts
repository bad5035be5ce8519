/** What flanneld's flags and variables ask for, typed and checked; with a warning for all that has no effect here. */
import { canonicalIp, familyOf, type IpAddress, type IpFamily } from '#base/ip/index.ts';
import { FLAG_NAMES, FLAGS, type FlagName, type FlagRow } from './flags-table.ts';
import { booleanOf, FlagError, type FlagValues, integerOf, readFlags } from './go-flags.ts';
import { compileGoRegex } from './go-regex.ts';

export interface EtcdRegistryOptions {
  readonly type: 'etcd';
  /** http or https, at least one. */
  readonly endpoints: readonly string[];
  readonly prefix: string;
  readonly keyFile?: string;
  readonly certFile?: string;
  readonly caFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly renewMarginSec: number;
}

export interface KubernetesRegistryOptions {
  readonly type: 'kubernetes';
  readonly apiUrl?: string;
  readonly kubeconfigFile?: string;
  /** Ready to be put before a name: ends with a slash or a hyphen. */
  readonly annotationPrefix: string;
  readonly setNodeNetworkUnavailable: boolean;
  readonly netConfFile: string;
  readonly node: { readonly name: string } | { readonly pod: string; readonly namespace: string };
}

export interface FlanneldOptions {
  readonly registry: EtcdRegistryOptions | KubernetesRegistryOptions;
  readonly ifaces: readonly string[];
  readonly ifaceRegexes: readonly RegExp[];
  readonly ifaceCanReach?: IpAddress;
  readonly publicIp?: IpAddress;
  readonly publicIpv6?: IpAddress;
  /** Absent: nothing is masqueraded. */
  readonly masquerade?: { readonly isFullyRandom: boolean };
  readonly forwardRules: boolean;
  /** Between two looks at iptables' FORWARD chain, which tells nobody of changes. */
  readonly forwardResyncSec: number;
  readonly blackholeRoute: boolean;
  readonly subnetFile: string;
  /** Absent: nothing is served. `host` may be empty: all addresses. */
  readonly healthz?: { readonly host: string; readonly port: number };
  readonly logLevel: 'info' | 'debug' | 'trace';
  /** Sentences about what was given and has no effect. */
  readonly warnings: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;
export type FlanneldCall = 'help' | 'version' | FlanneldOptions;

/** What is asked for. Throws FlagError, which names flag and value. */
export function parseFlanneld(args: readonly string[], env: Environment): FlanneldCall {
  const values = readFlags(args, env);
  if (values.isHelp) return 'help';
  const flags = new Flags(values);
  if (flags.is('version')) return 'version';
  const registry = flags.is('kube-subnet-mgr') ? kubernetesOf(flags, env) : etcdOf(flags);
  const canReach = flags.address('iface-can-reach');
  const publicIp = flags.address('public-ip', 4);
  const publicIpv6 = flags.address('public-ipv6', 6);
  const [host, port] = [flags.host('healthz-ip'), flags.number('healthz-port')];
  return {
    registry,
    ifaces: flags.list('iface').filter((text) => text !== ''),
    ifaceRegexes: flags.list('iface-regex').flatMap((text) => (text === '' ? [] : [flags.regex(text)])),
    ...(canReach !== undefined && { ifaceCanReach: canReach }),
    ...(publicIp !== undefined && { publicIp }),
    ...(publicIpv6 !== undefined && { publicIpv6 }),
    ...(flags.is('ip-masq') && {
      masquerade: { isFullyRandom: !flags.is('ip-masq-fully-random-disable') },
    }),
    forwardRules: flags.is('iptables-forward-rules'),
    forwardResyncSec: flags.number('iptables-resync'),
    blackholeRoute: flags.is('ip-blackhole-route'),
    subnetFile: flags.path('subnet-file'),
    ...(port !== 0 && { healthz: { host, port } }),
    logLevel: logLevelOf(flags.number('v')),
    warnings: warningsOf(values, registry.type, env),
  };
}

class Flags {
  private readonly values: FlagValues;

  constructor(values: FlagValues) {
    this.values = values;
  }

  list(name: FlagName): readonly string[] {
    return this.values.given.get(name) ?? [];
  }

  text(name: FlagName): string {
    return this.list(name).at(-1) ?? FLAGS[name].default;
  }

  is(name: FlagName): boolean {
    return booleanOf(this.text(name));
  }

  number(name: FlagName): number {
    return integerOf(this.text(name), FLAGS[name].type) as number;
  }

  path(name: FlagName): string {
    const text = this.text(name);
    if (text === '' || text.includes('\0')) throw this.wrong(name, 'a file name is wanted');
    return text;
  }

  /** Undefined if none is given. */
  address(name: FlagName, family?: IpFamily): IpAddress | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    const address = canonicalIp(text);
    if (address === undefined || (family !== undefined && familyOf(address) !== family)) {
      throw this.wrong(name, `an IP${family === undefined ? '' : `v${family}`} address is wanted`);
    }
    return address;
  }

  host(name: FlagName): string {
    const text = this.text(name);
    const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(text) && !/^[0-9.]+$/.test(text);
    if (text === '' || isName) return text;
    const address = canonicalIp(text.replace(/^\[(.*)\]$/, '$1'));
    if (address === undefined) throw this.wrong(name, 'an IP address or a host name is wanted');
    return address;
  }

  url(name: FlagName, text: string): string {
    if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
      throw this.wrong(name, 'a URL of http or https is wanted', text);
    }
    return text;
  }

  regex(text: string): RegExp {
    const compiled = compileGoRegex(text);
    if (typeof compiled === 'string') throw this.wrong('iface-regex', compiled, text);
    return compiled;
  }

  wrong(name: FlagName, reason: string, text = this.text(name)): FlagError {
    const source = this.values.sources.get(name) ?? `-${name}`;
    return new FlagError(`invalid value "${text}" for ${source}: ${reason}`);
  }
}

function etcdOf(flags: Flags): EtcdRegistryOptions {
  const optional = (name: FlagName) => flags.text(name) || undefined;
  const [keyFile, certFile, caFile] = [
    optional('etcd-keyfile'),
    optional('etcd-certfile'),
    optional('etcd-cafile'),
  ];
  const [username, password] = [optional('etcd-username'), optional('etcd-password')];
  if ((keyFile === undefined) !== (certFile === undefined)) {
    throw flags.wrong(
      keyFile === undefined ? 'etcd-certfile' : 'etcd-keyfile',
      'a key and a certificate go together: give both or none',
    );
  }
  const endpoints = flags.text('etcd-endpoints').split(',');
  return {
    type: 'etcd',
    endpoints: endpoints.map((text) => flags.url('etcd-endpoints', text.trim())),
    prefix: flags.path('etcd-prefix'),
    ...(keyFile !== undefined && { keyFile }),
    ...(certFile !== undefined && { certFile }),
    ...(caFile !== undefined && { caFile }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    renewMarginSec: flags.number('subnet-lease-renew-margin') * 60,
  };
}

function kubernetesOf(flags: Flags, env: Environment): KubernetesRegistryOptions {
  const apiUrl = flags.text('kube-api-url');
  const kubeconfigFile = flags.text('kubeconfig-file');
  return {
    type: 'kubernetes',
    ...(apiUrl !== '' && { apiUrl: flags.url('kube-api-url', apiUrl) }),
    ...(kubeconfigFile !== '' && { kubeconfigFile }),
    annotationPrefix: annotationPrefix(flags),
    setNodeNetworkUnavailable: flags.is('set-node-network-unavailable'),
    netConfFile: flags.path('net-config-path'),
    node: nodeOf(env),
  };
}

/** flannel's rule: a domain with a dot in it, at most one slash, then a beginning that a hyphen ends. */
function annotationPrefix(flags: Flags): string {
  const text = flags.text('kube-annotation-prefix');
  const withSlash = text.includes('/') ? text : `${text}/`;
  const prefix = /[/-]$/.test(withSlash) ? withSlash : `${withSlash}-`;
  if (!/^(?:[a-z0-9_-]+\.)+[a-z0-9_-]+\/(?:[a-z0-9_-]+-)?$/.test(prefix)) {
    throw flags.wrong(
      'kube-annotation-prefix',
      'a domain is wanted, or a domain, one slash and lower-case letters, digits, - and _',
    );
  }
  return prefix;
}

function nodeOf(env: Environment): KubernetesRegistryOptions['node'] {
  const { NODE_NAME: name, POD_NAME: pod, POD_NAMESPACE: namespace } = env;
  if (name) return { name };
  if (pod && namespace) return { pod, namespace };
  throw new FlagError('-kube-subnet-mgr needs NODE_NAME, or POD_NAME and POD_NAMESPACE, in the environment');
}

function logLevelOf(verbosity: number): FlanneldOptions['logLevel'] {
  if (verbosity >= 4) return 'trace';
  return verbosity >= 1 ? 'debug' : 'info';
}

function warningsOf(
  { given, sources, rest }: FlagValues,
  registry: 'etcd' | 'kubernetes',
  env: Environment,
): string[] {
  const warnings: string[] = [];
  for (const name of FLAG_NAMES) {
    if (!given.has(name)) continue;
    const { idle, only }: FlagRow = FLAGS[name];
    if (idle !== undefined) warnings.push(`${sources.get(name)} has no effect: ${idle}`);
    if (only !== undefined && only !== registry) {
      const mode = registry === 'etcd' ? 'without -kube-subnet-mgr' : 'with -kube-subnet-mgr';
      warnings.push(`${sources.get(name)} has no effect ${mode}`);
    }
  }
  if (rest.length > 0) {
    warnings.push(
      `not read, as flanneld does not either: "${rest.join(' ')}": flags end at the first word that is none; a boolean is given as -flag=value`,
    );
  }
  return [...warnings, ...variableWarnings(env)];
}

/** Throws FlagError for a depth that flannel would refuse. */
function variableWarnings(env: Environment): string[] {
  const warnings: string[] = [];
  const depth = env['EVENT_QUEUE_DEPTH'];
  if (depth) {
    if (!/^[+-]?\d+$/.test(depth)) {
      throw new FlagError(`invalid value "${depth}" of EVENT_QUEUE_DEPTH: a number is wanted`);
    }
    warnings.push('EVENT_QUEUE_DEPTH has no effect: no queue of events can overflow');
  }
  if (env['CONT_WHEN_CACHE_NOT_READY']) {
    warnings.push(
      'CONT_WHEN_CACHE_NOT_READY has no effect: this node always goes on with what it knows until all is known',
    );
  }
  return warnings;
}
