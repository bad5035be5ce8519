/** `poplin status`: asks this node's agent, and prints what it says. */
import { Command } from 'commander';
import { FIRST_NETWORK, HostNetworks } from './host-networks.ts';
import { type AgentPaths, agentPaths } from './paths.ts';
import { type AgentStatus, fetchStatus } from './status.ts';

export function statusCommand(): Command {
  return new Command('status')
    .description("Ask this node's agent how it is.")
    .option('--root-dir <dir>', "the agent's --root-dir", '/')
    .option('--network <name>', 'of several networks of this host: which one', FIRST_NETWORK)
    .option('--json', 'one JSON object')
    .addHelpText('after', '\nExit status: 0 ready, 1 not ready, 2 no agent.')
    .action(async (flags: { rootDir: string; network: string; json?: boolean }) => {
      const { statusSocket } = pathsOfNetwork(flags.rootDir, flags.network);
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

/** The files of a network's agent: those of the first one, where the host has no other of this name. */
export function pathsOfNetwork(root: string, network: string): AgentPaths {
  const { networks } = agentPaths(root);
  const claim = new HostNetworks(networks).list().find(({ name }) => name === network);
  if (claim === undefined)
    return agentPaths(root, undefined, network === FIRST_NETWORK ? undefined : network);
  return agentPaths(root, claim.subnetFile, claim.number === 0 ? undefined : network);
}

/** The status as lines for people. */
export function describeStatus(status: AgentStatus): string {
  const rows: readonly (readonly [string, string])[] = [
    ['node', `${status.node} (pid ${status.pid}, ${status.memoryMb} MB)`],
    ...(status.network === FIRST_NETWORK ? [] : [['network', status.network] as const]),
    ['ready', status.ready ? 'yes' : 'no'],
    ...(status.cniOnly
      ? [['mode', 'CNI alone (--cni-only): no store, no lease, no overlay'] as const]
      : clusterRows(status)),
    ...policyRows(status.policy),
    ...bgpRows(status.bgp),
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

function clusterRows({ lease, store, underlay }: AgentStatus): readonly (readonly [string, string])[] {
  const subnets = [lease.ipv4, lease.ipv6].filter((subnet) => subnet !== null);
  const rows: [string, string][] = [
    ['lease', subnets.join('  ') || 'none'],
    ['store', store],
  ];
  if (underlay != null) {
    const { link, ipv4, ipv6, reason } = underlay;
    const addresses = [ipv4, ipv6].filter((each) => each !== undefined);
    rows.push(['underlay', `${link} ${addresses.join(' ')}: ${reason}`]);
  }
  return rows;
}

function policyRows(policy: AgentStatus['policy']): readonly (readonly [string, string])[] {
  if (policy == null) return [];
  const { known, policies, endpoints, unknownPods, cutFlows, names } = policy;
  const source = {
    api: 'from the API server',
    disk: 'as last known: the API server is away',
    nothing: 'not known yet',
  };
  return [
    ['policy', `${policies} policies for ${endpoints} pods, ${source[known]}; ${cutFlows} flows cut`],
    ...(names === undefined || names.known + names.lost === 0
      ? []
      : [['policy', `${names.known} names known from answers; ${names.lost} answers lost`] as const]),
    ...unknownPods.map((key) => ['policy', `${key} is not known to the API server: nothing passes`] as const),
  ];
}

function bgpRows(bgp: AgentStatus['bgp']): readonly (readonly [string, string])[] {
  if (bgp == null) return [];
  const { asn, routerId, port, routes, neighbors, isRestarting } = bgp;
  const up = neighbors.filter(({ isUp }) => isUp).length;
  const who = asn === undefined ? 'this node is not known yet' : `AS ${asn}, ${routerId}, port ${port}`;
  const waiting = isRestarting ? '; those of before the restart stay until all peers have told theirs' : '';
  return [
    ['bgp', `${who}: ${up} of ${neighbors.length} sessions, ${routes} routes in the kernel${waiting}`],
    ...neighbors.map((each) => {
      const { key, address, asn: peerAsn, isUp, phase, bfd, families, lastReason } = each;
      const counts = families.map(({ family, learned, told }) => `IPv${family} ${learned} in, ${told} out`);
      const state = isUp
        ? `up, ${counts.join(', ')}`
        : `${phase}${lastReason === undefined ? '' : `: ${lastReason}`}`;
      const watched = bfd === undefined ? '' : `, bfd ${bfd}`;
      return ['bgp', `${key}: ${address} AS ${peerAsn ?? 'any'} ${state}${watched}`] as const;
    }),
  ];
}
