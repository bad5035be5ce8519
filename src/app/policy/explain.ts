/** `poplin policy explain`: what becomes of a flow, and which tier and rule says so, in both directions. */
import type { Command } from 'commander';
import { evaluate, evaluateStaged } from '#core/policy/index.ts';
import { flowsBetween, parseEnd, parseTarget } from './ends.ts';
import { describeVerdict } from './explain-text.ts';
import { EXIT, policyCommand, print, type SharedFlags, withCluster } from './shared.ts';

export function explainCommand(): Command {
  return policyCommand('explain')
    .description('Say whether a flow is allowed, and which policies decide.')
    .argument('<source>', 'NAMESPACE/POD or an address')
    .argument(
      '<destination>',
      'NAMESPACE/POD:PORT/PROTOCOL or ADDRESS:PORT/PROTOCOL; /icmp in place of the port for a ping',
    )
    .option('--staged', 'as if the staged policies were enforced')
    .addHelpText(
      'after',
      `
Examples:
  poplin policy explain shop/web shop/db:5432
  poplin policy explain shop/web '[2001:db8::7]:443/tcp' --json
  poplin policy explain 192.0.2.7 shop/web:http/tcp --from manifests/

Exit status: 0 allowed, 1 denied (in one family at least), 2 no such pod, file or cluster.`,
    )
    .action((source: string, destination: string, flags: SharedFlags & { staged?: boolean }) =>
      withCluster('explain', flags, ({ graph }) => {
        const [from, target] = [parseEnd(source, graph), parseTarget(destination, graph)];
        const judge = flags.staged === true ? evaluateStaged : evaluate;
        const flows = flowsBetween(from, target).map((flow) => ({ flow, verdict: judge(graph, flow) }));
        const text = flows.map(({ flow, verdict }) =>
          describeVerdict(from.text, target.end.text, flow, verdict),
        );
        print(flags.json, flows, text.join('\n'));
        if (flows.some(({ verdict }) => verdict.action === 'deny')) process.exitCode = EXIT.no;
      }),
    );
}
