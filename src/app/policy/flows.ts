/** `poplin flows`: what policies do with packets on this node, live. */
import { Command, Option } from 'commander';
import { POLICY_LOG_GROUP } from '#core/policy/flows/index.ts';
import type { PolicyCluster } from '#core/policy/index.ts';
import { currentNamespace, readSysctl } from '#io/namespace/index.ts';
import { FollowedCluster } from './flows-cluster.ts';
import { countOf, type FlowFlags, filterOf, portOf, protocolsOf, secondsOf } from './flows-flags.ts';
import { jsonOf, LiveTable } from './flows-text.ts';
import { type FlowSummary, FlowWatch } from './flows-watch.ts';
import { loadCluster, PolicyUsageError, problemLines } from './objects.ts';
import { EXIT } from './shared.ts';

/** Errors that say all: what is wrong with what the user gave, or what the machine lacks. */
const TOLD_IN_ONE_LINE = new Set(['PolicyUsageError', 'KubeconfigError', 'NetlinkError']);

export function flowsCommand(): Command {
  return new Command('flows')
    .description('Show what policies do with the packets of this node, live.')
    .option('--pod <name>', 'flows from or to this pod alone: NAMESPACE/POD, or a name in any namespace')
    .option('-n, --namespace <name>', 'flows from or to pods of this namespace alone')
    .addOption(
      new Option('--verdict <verdict>', 'flows with this verdict alone').choices(['allow', 'deny'] as const),
    )
    .option('--port <port>', 'flows to this port alone', portOf)
    .option('--protocol <protocol>', 'tcp, udp, sctp, icmp (of both families) or a number', protocolsOf)
    .option('--ended', 'show flows when they end, too, with what the kernel counted of them')
    .option('--count <lines>', 'end after so many lines', countOf)
    .option('--for <seconds>', 'end after so many seconds', secondsOf)
    .option('--from <path...>', 'names and policies of files and folders, instead of those of the cluster')
    .option('--kubeconfig <file>', 'API server to ask; else KUBECONFIG, the service account, ~/.kube/config')
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      `
Examples:
  poplin flows                                      all that begins, with the policy that decided
  poplin flows --verdict deny -n shop               what is refused in a namespace
  poplin flows --pod shop/db --port 5432 --for 60   who comes to the database in a minute
  poplin flows --ended --json > flows.jsonl         for other programs, with packets and bytes

It shows flows of pods of the node it runs on, and needs root there, and the node's agent, whose rules tell
what they decide while somebody listens: within a second of the start. A flow is one line when it begins; the
same again within 5 s is one more, with a number. One process can listen at a time. Ctrl-C ends it, with a sum.
Exit status: 0, 2 no such file or cluster, or nothing to listen to.`,
    )
    .action(watchFlows);
}

async function watchFlows(flags: FlowFlags): Promise<void> {
  const stop = new AbortController();
  const end = () => stop.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, end);
  // Whoever read the lines has enough of them; more may be on their way, and fail too.
  process.stdout.on('error', end);
  try {
    if (process.getuid?.() !== 0)
      throw new PolicyUsageError('the log of packets is the kernel’s: only root may listen');
    using source = await openCluster(flags);
    warn(problemLines(source.cluster.problems()));
    await watchCluster(source.cluster, flags, stop);
  } catch (error) {
    if (!TOLD_IN_ONE_LINE.has((error as Error).name)) throw error;
    warn([(error as Error).message]);
    process.exitCode = EXIT.usage;
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, end);
  }
}

async function openCluster({
  from,
  kubeconfig,
}: FlowFlags): Promise<Disposable & { cluster: PolicyCluster }> {
  if (from === undefined) return FollowedCluster.open(kubeconfig, (text) => warn([text]));
  return { cluster: await loadCluster({ file: from }), [Symbol.dispose]: () => {} };
}

async function watchCluster(cluster: PolicyCluster, flags: FlowFlags, stop: AbortController): Promise<void> {
  const startMs = performance.now();
  const timer = flags.for === undefined ? undefined : setTimeout(() => stop.abort(), flags.for * 1000);
  const table = new LiveTable(process.stdout.isTTY && process.env['NO_COLOR'] === undefined);
  const print = (text: string) => process.stdout.write(text);
  const watch = new FlowWatch({
    cluster,
    group: POLICY_LOG_GROUP,
    filter: filterOf(flags),
    isEndedShown: flags.ended === true,
    countMax: flags.count ?? Number.POSITIVE_INFINITY,
    show: (line) => print(flags.json === true ? `${JSON.stringify(jsonOf(line))}\n` : table.row(line)),
    warn: (text) => warn([text]),
  });
  try {
    const summary = await watch.run(stop.signal, () => {
      if (flags.ended === true) warn(countingProblems());
      warn(['listening; Ctrl-C ends']);
      if (flags.json !== true) print(table.header());
    });
    warn([summaryText(summary, performance.now() - startMs)]);
  } finally {
    clearTimeout(timer);
  }
}

/** Beside the lines, which may go to another program. */
function warn(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`poplin flows: ${line}\n`);
}

function countingProblems(): string[] {
  using namespace = currentNamespace();
  return [
    ['nf_conntrack_acct', 'packets and bytes are not counted'],
    ['nf_conntrack_timestamp', 'how long flows last is not noted'],
  ].flatMap(([key, lack]) =>
    readSysctl(namespace, `net/netfilter/${key}`) === '1' ? [] : [`${lack}: sysctl net.netfilter.${key}=1`],
  );
}

function summaryText(
  { allowed, denied, other, ended, lines, lost }: FlowSummary,
  durationMs: number,
): string {
  const parts = [
    `${lines} lines in ${(durationMs / 1000).toFixed(1)} s`,
    `${allowed} packets allowed`,
    `${denied} denied`,
    ...(other > 0 ? [`${other} logged on their way`] : []),
    ...(ended > 0 ? [`${ended} flows ended`] : []),
    `${lost} lost`,
  ];
  return parts.join(', ');
}
