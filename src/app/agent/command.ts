/** `poplin agent`: runs the agent of this node. `poplin status`: asks it. */
import { Command, Option } from 'commander';
import { type Logger, pino } from 'pino';
import { canonicalIp, hostPrefixOf, type IpPrefix, networkOf, parsePrefix } from '#base/ip/index.ts';
import { DEFAULT_ETCD_PREFIX } from '#core/lease/etcd/index.ts';
import type { OffloadMode } from '#core/offload/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore, kubeConfigFor } from '#io/kube/index.ts';
import { runAgent } from './agent.ts';
import { FIRST_NETWORK } from './host-networks.ts';
import { defaultNodeName } from './node-object.ts';
import type { PolicyChoice } from './options.ts';
import { agentPaths, wireguardKeyFile } from './paths.ts';
import { readyNotice } from './ready-notice.ts';
import { etcdSource } from './registries/etcd-source.ts';
import { kubeNodesRegistry } from './registries/kube-nodes.ts';
import { leaseObjects } from './registries/lease-objects.ts';
import { NetworkStore } from './registries/network-store.ts';
import type { RegistrySource } from './registries/source.ts';

/** Where kube-flannel's ConfigMap is mounted. */
const FLANNEL_NET_CONF = '/etc/kube-flannel/net-conf.json';
/** As flannel's -iptables-resync. */
const FORWARD_RESYNC_SEC = 5;

interface AgentFlags {
  readonly nodeName: string;
  readonly network: string;
  readonly kubeconfig?: string;
  readonly netConf?: string;
  readonly iface?: string;
  readonly publicIp?: string;
  readonly publicIpv6?: string;
  readonly registerNode: boolean;
  readonly nodePodCidrs: boolean;
  readonly etcdEndpoints?: readonly string[];
  readonly etcdPrefix: string;
  readonly etcdCafile?: string;
  readonly etcdCertfile?: string;
  readonly etcdKeyfile?: string;
  readonly etcdUsername?: string;
  readonly ipMasq: boolean;
  readonly forwardRules: boolean;
  readonly blackholeRoute: boolean;
  readonly policies: boolean;
  readonly cutFlows: boolean;
  readonly dnsTrustedServers?: readonly IpPrefix[];
  readonly dnsExtraTtl?: number;
  readonly bgp?: boolean;
  readonly subnetFile?: string;
  readonly healthzIp: string;
  readonly healthzPort: number;
  readonly cniOnly: boolean;
  readonly rootDir: string;
  readonly checksumOffload: OffloadMode;
  readonly logLevel: string;
}

export function agentCommand(): Command {
  return withHealth(withBgp(withPolicies(withRegistries(new Command('agent')))))
    .description('Run the agent of this node: lease, overlay, CNI.')
    .option(
      '--node-name <name>',
      'name of the Node object of this machine (NODE_NAME)',
      defaultNodeName(process.env),
    )
    .option('--kubeconfig <file>', 'API server to use; else KUBECONFIG, the service account, ~/.kube/config')
    .option('--net-conf <file>', "flannel's net-conf.json; else ConfigMap poplin-system/poplin-config")
    .option('--iface <name|address>', 'link of the underlay; else that of the default route')
    .option('--public-ip <address>', 'IPv4 address other nodes reach this one by', address(4))
    .option('--public-ipv6 <address>', 'IPv6 address other nodes reach this one by', address(6))
    .option('--register-node', 'make and update the Node object, where no kubelet does', false)
    .option('--ip-masq', 'masquerade what pods send out of the network', false)
    .option('--no-forward-rules', 'leave it to others to accept forwarded packets of the network')
    .option('--blackhole-route', "drop what goes to addresses of this node's subnet that no pod has", false)
    .option('--subnet-file <file>', 'where subnet.env is written, instead of /run/flannel/subnet.env')
    .addOption(
      new Option('--cni-only', 'serve CNI alone, on a plain container host: no store, no lease, no overlay')
        .conflicts([
          'network',
          'kubeconfig',
          'netConf',
          'iface',
          'publicIp',
          'publicIpv6',
          'registerNode',
          'nodePodCidrs',
          'etcdEndpoints',
          'ipMasq',
          'blackholeRoute',
          'bgp',
          'subnetFile',
          'checksumOffload',
        ])
        .default(false),
    )
    .option('--root-dir <dir>', 'prefix of all files the agent keeps', '/')
    .addOption(
      new Option('--checksum-offload <mode>', 'of the VXLAN devices; auto tries out whether it works')
        .choices(['auto', 'on', 'off'])
        .default('auto'),
    )
    .option('--log-level <level>', 'trace, debug, info, warn, error', 'info')
    .addHelpText(
      'after',
      `
Examples:
  poplin agent --kubeconfig /etc/poplin/kubeconfig
  poplin agent --net-conf /etc/kube-flannel/net-conf.json --iface eth1 --register-node
  poplin agent --etcd-endpoints https://10.0.0.1:2379,https://10.0.0.2:2379 --etcd-cafile /etc/poplin/etcd-ca.pem
  poplin agent --cni-only

The log is JSON lines on standard error. SIGTERM stops the agent and leaves the network as it is.`,
    )
    .action(runAsFlagged);
}

function withPolicies(command: Command): Command {
  return command
    .option('--no-policies', 'leave it to others to carry out network policies')
    .option('--no-cut-flows', 'let flows that a new policy forbids go on until they end by themselves')
    .option(
      '--dns-trusted-servers <addresses>',
      'whose answers say what domainNames of policies stand for; else whoever pods ask',
      servers,
    )
    .option(
      '--dns-extra-ttl <seconds>',
      'how much longer than its answer says an address of a name counts',
      seconds,
    );
}

function withBgp(command: Command): Command {
  return command
    .option(
      '--bgp',
      "speak BGP whatever the API server has; else if it has Calico's BGPConfiguration or BGPPeer",
    )
    .option('--no-bgp', 'leave BGP to others');
}

function withHealth(command: Command): Command {
  return command
    .option('--healthz-ip <address>', 'where health and metrics are served', '0.0.0.0')
    .option('--healthz-port <port>', 'port of /healthz, /readyz and /metrics; 0: none', port, 0);
}

function withRegistries(command: Command): Command {
  return command
    .option(
      '--network <name>',
      'of several networks of this host: which one; each has an agent',
      FIRST_NETWORK,
    )
    .addOption(
      new Option(
        '--node-pod-cidrs',
        "subnets are the Node objects' podCIDRs, as with flannel's -kube-subnet-mgr",
      )
        .conflicts('registerNode')
        .default(false),
    )
    .addOption(
      new Option('--etcd-endpoints <urls>', 'leases in etcd, as flannel keeps them, instead of an API server')
        .argParser((text: string) => text.split(','))
        .conflicts(['kubeconfig', 'netConf', 'registerNode', 'nodePodCidrs']),
    )
    .option('--etcd-prefix <key>', 'where in etcd the network is', DEFAULT_ETCD_PREFIX)
    .option('--etcd-cafile <file>', 'certificates that etcd is checked by')
    .option('--etcd-certfile <file>', 'certificate to show to etcd')
    .option('--etcd-keyfile <file>', 'key of that certificate')
    .option('--etcd-username <name>', 'who to be in etcd; the password is read from ETCD_PASSWORD');
}

/** Runs until SIGTERM or SIGINT; the exit status is 1 if it could not run. */
async function runAsFlagged(flags: AgentFlags): Promise<void> {
  const logger = pino({ level: flags.logLevel, base: { node: flags.nodeName } }, pino.destination(2));
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  const { nodeName, iface, publicIp, publicIpv6, rootDir, checksumOffload, subnetFile } = flags;
  const { ipMasq, forwardRules, blackholeRoute, policies, bgp, healthzIp, healthzPort } = flags;
  try {
    using resources = new DisposableStack();
    const registry = flags.cniOnly ? undefined : openRegistry(flags, logger, resources);
    await runAgent(
      {
        node: nodeName,
        network: { name: flags.network, mayBeFirst: flags.network === FIRST_NETWORK },
        checksumOffload,
        root: rootDir,
        logger,
        rules: {
          ...(ipMasq && { masquerade: { isFullyRandom: true } }),
          forward: forwardRules,
          blackhole: blackholeRoute,
        },
        ...(policies && { policies: policyChoice(flags) }),
        bgp: bgp === undefined ? {} : { isWanted: bgp },
        forwardResyncSec: FORWARD_RESYNC_SEC,
        wireguardKeyFile: wireguardKeyFile(rootDir),
        ...(subnetFile !== undefined && { subnetFile }),
        ...(healthzPort !== 0 && { health: { host: healthzIp, port: healthzPort } }),
        ...(registry !== undefined && { registry }),
        ...(iface !== undefined && { ifaces: [iface] }),
        ...(publicIp !== undefined && { publicIp }),
        ...(publicIpv6 !== undefined && { publicIpv6 }),
        onReady: readyNotice(logger),
      },
      stop.signal,
    );
  } catch (error) {
    if (stop.signal.aborted) return;
    logger.fatal({ err: error }, 'agent cannot run');
    process.exitCode = 1;
  }
}

/** Where leases are, as the flags say. What must be closed goes onto the stack. */
function openRegistry(flags: AgentFlags, logger: Logger, resources: DisposableStack): RegistrySource {
  const world = { clock: systemClock, random: systemRandom, logger };
  const { etcdEndpoints, etcdPrefix, etcdCafile, etcdCertfile, etcdKeyfile, etcdUsername } = flags;
  if (etcdEndpoints !== undefined) {
    const password = process.env['ETCD_PASSWORD'];
    return resources.use(
      etcdSource({
        ...world,
        identityFile: agentPaths(flags.rootDir).identity,
        etcd: {
          endpoints: etcdEndpoints,
          prefix: etcdPrefix,
          ...(etcdCafile !== undefined && { caFile: etcdCafile }),
          ...(etcdCertfile !== undefined && { certFile: etcdCertfile }),
          ...(etcdKeyfile !== undefined && { keyFile: etcdKeyfile }),
          ...(etcdUsername !== undefined && { username: etcdUsername }),
          ...(etcdUsername !== undefined && password !== undefined && { password }),
        },
      }),
    );
  }
  const { kubeconfig, registerNode, netConf } = flags;
  const config = kubeConfigFor(kubeconfig === undefined ? {} : { kubeconfigPath: kubeconfig });
  logger.info({ source: config.source }, 'store');
  const store = resources.use(createKubeStore(config, world));
  if (flags.nodePodCidrs)
    return kubeNodesRegistry({ ...world, store, netConfFile: netConf ?? FLANNEL_NET_CONF });
  return leaseObjects({
    ...world,
    store: flags.network === FIRST_NETWORK ? store : new NetworkStore(store, flags.network),
    registerNode,
    // The Node object tells of one network's subnets.
    publishNode: registerNode && flags.network === FIRST_NETWORK,
    ...(netConf !== undefined && { netConfFile: netConf }),
  });
}

function policyChoice({ cutFlows, dnsTrustedServers, dnsExtraTtl }: AgentFlags): PolicyChoice {
  return {
    cutFlows,
    ...(dnsTrustedServers !== undefined && { nameServers: dnsTrustedServers }),
    ...(dnsExtraTtl !== undefined && { nameExtraSec: dnsExtraTtl }),
  };
}

function servers(text: string): IpPrefix[] {
  return text.split(',').map((part) => {
    const address = canonicalIp(part);
    if (address !== undefined) return hostPrefixOf(address);
    if (parsePrefix(part) === undefined) throw new TypeError(`"${part}" is no address and no net`);
    return networkOf(part);
  });
}

/** A week at most. */
function seconds(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= 604_800) return number;
  throw new TypeError(`"${text}" is no number of seconds from 0 to 604800`);
}

function port(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= 65_535) return number;
  throw new TypeError(`"${text}" is not a port`);
}

function address(family: 4 | 6): (text: string) => string {
  return (text) => {
    const canonical = canonicalIp(text);
    if (canonical === undefined || canonical.includes(':') !== (family === 6)) {
      throw new TypeError(`"${text}" is not an IPv${family} address`);
    }
    return canonical;
  };
}
