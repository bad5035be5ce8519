/** `poplin agent`: runs the agent of this node. `poplin status`: asks it. */
import { Command, Option } from 'commander';
import { type Logger, pino } from 'pino';
import { canonicalIp } from '#base/ip/index.ts';
import type { OffloadMode } from '#core/offload/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore, kubeConfigFor } from '#io/kube/index.ts';
import { runAgent } from './agent.ts';
import { defaultNodeName } from './node-object.ts';
import { agentPaths } from './paths.ts';
import { leaseObjects } from './registries/lease-objects.ts';
import { type AgentStatus, fetchStatus } from './status.ts';

interface AgentFlags {
  readonly nodeName: string;
  readonly kubeconfig?: string;
  readonly netConf?: string;
  readonly iface?: string;
  readonly publicIp?: string;
  readonly publicIpv6?: string;
  readonly registerNode: boolean;
  readonly cniOnly: boolean;
  readonly rootDir: string;
  readonly checksumOffload: OffloadMode;
  readonly logLevel: string;
}

export function agentCommand(): Command {
  return new Command('agent')
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
    .addOption(
      new Option('--cni-only', 'serve CNI alone, on a plain container host: no store, no lease, no overlay')
        .conflicts([
          'kubeconfig',
          'netConf',
          'iface',
          'publicIp',
          'publicIpv6',
          'registerNode',
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
  poplin agent --cni-only

The log is JSON lines on standard error. SIGTERM stops the agent and leaves the network as it is.`,
    )
    .action(runAsFlagged);
}

/** Runs until SIGTERM or SIGINT; the exit status is 1 if it could not run. */
async function runAsFlagged(flags: AgentFlags): Promise<void> {
  const logger = pino({ level: flags.logLevel, base: { node: flags.nodeName } }, pino.destination(2));
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  using store = flags.cniOnly ? undefined : openStore(flags, logger);
  const { nodeName, netConf, iface, publicIp, publicIpv6, registerNode, rootDir, checksumOffload } = flags;
  try {
    await runAgent(
      {
        node: nodeName,
        checksumOffload,
        root: rootDir,
        logger,
        ...(store !== undefined && {
          registry: leaseObjects({
            store,
            clock: systemClock,
            random: systemRandom,
            logger,
            registerNode,
            ...(netConf !== undefined && { netConfFile: netConf }),
          }),
        }),
        ...(iface !== undefined && { iface }),
        ...(publicIp !== undefined && { publicIp }),
        ...(publicIpv6 !== undefined && { publicIpv6 }),
      },
      stop.signal,
    );
  } catch (error) {
    if (stop.signal.aborted) return;
    logger.fatal({ err: error }, 'agent cannot run');
    process.exitCode = 1;
  }
}

function openStore({ kubeconfig }: AgentFlags, logger: Logger): ReturnType<typeof createKubeStore> {
  const config = kubeConfigFor(kubeconfig === undefined ? {} : { kubeconfigPath: kubeconfig });
  logger.info({ source: config.source }, 'store');
  return createKubeStore(config, { clock: systemClock, random: systemRandom, logger });
}

export function statusCommand(): Command {
  return new Command('status')
    .description("Ask this node's agent how it is.")
    .option('--root-dir <dir>', "the agent's --root-dir", '/')
    .option('--json', 'one JSON object')
    .addHelpText('after', '\nExit status: 0 ready, 1 not ready, 2 no agent.')
    .action(async (flags: { rootDir: string; json?: boolean }) => {
      const { statusSocket } = agentPaths(flags.rootDir);
      let status: AgentStatus;
      try {
        status = await fetchStatus(statusSocket);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        const why =
          code === 'EACCES' ? 'only root may ask it' : 'no agent runs here: start it with "poplin agent"';
        process.stderr.write(`poplin status: ${statusSocket}: ${why} (${code ?? message})\n`);
        process.exitCode = 2;
        return;
      }
      process.stdout.write(flags.json ? `${JSON.stringify(status)}\n` : describeStatus(status));
      process.exitCode = status.ready ? 0 : 1;
    });
}

/** The status as lines for people. */
export function describeStatus(status: AgentStatus): string {
  const rows: readonly (readonly [string, string])[] = [
    ['node', `${status.node} (pid ${status.pid}, ${status.memoryMb} MB)`],
    ['ready', status.ready ? 'yes' : 'no'],
    ...(status.cniOnly
      ? [['mode', 'CNI alone (--cni-only): no store, no lease, no overlay'] as const]
      : clusterRows(status)),
    [
      'kernel',
      `${status.kernel.ops} operations in ${status.kernel.passes} passes, ${status.kernel.failures.length} failing`,
    ],
    ...Object.entries(status.checksumOffload).map(
      ([link, { offload, reason }]) => ['offload', `${link} ${offload ? 'on' : 'off'}: ${reason}`] as const,
    ),
    ...[...status.problems, ...status.kernel.conflicts, ...status.kernel.failures].map(
      (problem) => ['problem', problem] as const,
    ),
  ];
  return rows.map(([name, value]) => `${name.padEnd(9)}${value}\n`).join('');
}

function clusterRows({ lease, store }: AgentStatus): readonly (readonly [string, string])[] {
  const subnets = [lease.ipv4, lease.ipv6].filter((subnet) => subnet !== null);
  return [
    ['lease', subnets.join('  ') || 'none'],
    ['store', store],
  ];
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
