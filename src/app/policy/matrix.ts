/** `poplin policy matrix`: who reaches whom, drawn as a table. */
import { Command, Option } from 'commander';
import { type Matrix, matrix, type Probe } from '#core/policy/index.ts';
import { parseProbe, policyCommand, print, probeText, type SharedFlags, withCluster } from './shared.ts';

interface MatrixFlags extends SharedFlags {
  readonly port: readonly string[];
  readonly by: 'pod' | 'namespace' | 'label';
  readonly label?: readonly string[];
  readonly namespace?: string;
}

export function matrixCommand(): Command {
  return policyCommand('matrix')
    .description('Show who reaches whom.')
    .option('--port <port...>', 'ports to ask about: PORT, PORT/udp, icmp', ['80'])
    .addOption(
      new Option('--by <what>', 'what makes a row').choices(['pod', 'namespace', 'label']).default('pod'),
    )
    .option('--label <key...>', 'with --by label: the labels whose values make a row')
    .option('-n, --namespace <name>', 'pods of this namespace only')
    .addHelpText(
      'after',
      `
Examples:
  poplin policy matrix --by namespace --port 443 53/udp
  poplin policy matrix -n shop --from manifests/
  poplin policy matrix --by label --label app tier --json

● all of it is allowed, ○ nothing is, ◐ some. Rows are sources, columns destinations.
Exit status: 0, 2 no such file or cluster.`,
    )
    .action((flags: MatrixFlags) =>
      withCluster('matrix', flags, ({ graph }) => {
        const ports = flags.port.map(parseProbe);
        const pods = [...graph.members.entries.values()].flatMap(({ member }) =>
          flags.namespace === undefined || member.namespace === flags.namespace ? [member.key] : [],
        );
        const groupBy = flags.by === 'label' ? { labels: flags.label ?? ['app'] } : flags.by;
        const found = matrix(graph, { ports, groupBy, pods: new Set(pods) });
        print(
          flags.json,
          jsonOf(found),
          ports.map((port, index) => drawMatrix(found, port, index)).join('\n'),
        );
      }),
    );
}

function jsonOf({ groups, ports, cells }: Matrix) {
  return cells.map(({ source, destination, port, allowed, denied }) => ({
    source: groups[source]?.name,
    destination: groups[destination]?.name,
    port: probeText(ports[port] as Probe),
    allowed,
    denied,
  }));
}

/** One table for each port: rows and columns have numbers, as names are long. */
export function drawMatrix({ groups, cells }: Matrix, port: Probe, index: number): string {
  const nameWidth = Math.max(0, ...groups.map(({ name }) => shortName(name).length));
  const numberWidth = String(groups.length).length;
  const head =
    ' '.repeat(nameWidth + numberWidth + 2) +
    groups.map((_, at) => String(at + 1).padStart(numberWidth + 1)).join('');
  const marks = new Map(
    cells
      .filter((cell) => cell.port === index)
      .map((cell) => [cell.source * groups.length + cell.destination, markOf(cell)]),
  );
  const rows = groups.map(({ name }, source) => {
    const row = groups.map((_, destination) =>
      (marks.get(source * groups.length + destination) ?? ' ').padStart(numberWidth + 1),
    );
    return `${String(source + 1).padStart(numberWidth)} ${shortName(name).padEnd(nameWidth)} ${row.join('')}`.trimEnd();
  });
  return `${[`port ${probeText(port)}: rows to columns`, head.trimEnd(), ...rows].join('\n')}\n`;
}

function markOf({ allowed, denied }: Matrix['cells'][number]): string {
  if (allowed + denied === 0) return '·';
  if (denied === 0) return '●';
  return allowed === 0 ? '○' : '◐';
}

const shortName = (name: string): string => name.replace(/^pod /, '');
