/** `poplin policy explain`: what becomes of a flow, and which tier and rule says so, in both directions. */
import type { Command } from 'commander';
import { evaluate, evaluateStaged, unnamedRules } from '#core/policy/index.ts';
import { flowsBetween, parseEnd, parseTarget } from './ends.ts';
import { describeVerdict } from './explain-text.ts';
import { loadNames, unnamedText } from './names.ts';
import { EXIT, policyCommand, print, type SharedFlags, withCluster } from './shared.ts';

interface ExplainFlags extends SharedFlags {
  readonly staged?: boolean;
  readonly names?: string;
}

export function explainCommand(): Command {
  return policyCommand('explain')
    .description('Say whether a flow is allowed, and which policies decide.')
    .argument('<source>', 'NAMESPACE/POD or an address')
    .argument(
      '<destination>',
      'NAMESPACE/POD:PORT/PROTOCOL or ADDRESS:PORT/PROTOCOL; /icmp in place of the port for a ping',
    )
    .option('--staged', 'as if the staged policies were enforced')
    .option('--names <file>', 'what names stand for; by default what the agent of this host has seen')
    .addHelpText(
      'after',
      `
Examples:
  poplin policy explain shop/web shop/db:5432
  poplin policy explain shop/web '[2001:db8::7]:443/tcp' --json
  poplin policy explain 192.0.2.7 shop/web:http/tcp --from manifests/

Exit status: 0 allowed, 1 denied (in one family at least), 2 no such pod, file or cluster.`,
    )
    .action((source: string, destination: string, flags: ExplainFlags) =>
      withCluster('explain', flags, ({ graph }) => {
        const isNamed = loadNames(graph, flags);
        const [from, target] = [parseEnd(source, graph), parseTarget(destination, graph)];
        const isStaged = flags.staged === true;
        const flows = flowsBetween(from, target).map((flow) => {
          const unnamed = unnamedRules(graph, flow, { view: isStaged ? 'staged' : 'enforced' });
          const verdict = (isStaged ? evaluateStaged : evaluate)(graph, flow);
          return { flow, verdict, ...(unnamed.length > 0 && { unnamed }) };
        });
        const text = flows.map(
          ({ flow, verdict, unnamed = [] }) =>
            describeVerdict(from.text, target.end.text, flow, verdict) + unnamedText(unnamed, isNamed),
        );
        print(flags.json, flows, text.join('\n'));
        if (flows.some(({ verdict }) => verdict.action === 'deny')) process.exitCode = EXIT.no;
      }),
    );
}
