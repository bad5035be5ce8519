/** A lab as a tree for people: router, subnets, nodes, pods, each with its addresses. */
import type { Topology } from './topology.ts';

export interface DrawnLab {
  readonly topology: Topology;
  /** By node: its pod subnets. */
  readonly leases: ReadonlyMap<string, readonly string[]>;
  /** By pod: its addresses. */
  readonly podAddresses: ReadonlyMap<string, readonly string[]>;
}

interface Branch {
  readonly cells: readonly string[];
  readonly branches: readonly Branch[];
}

const ATTACHED = { poplin: 'routed veth', bridge: 'bridge cni0' } as const;

/** Lines of text; columns of one level stand under each other. */
export function drawLab({ topology, leases, podAddresses }: DrawnLab): string {
  const branches = topology.subnets.map(
    (subnet): Branch => ({
      cells: [subnet.name, subnet.ipv4, subnet.ipv6],
      branches: topology.nodes
        .filter((node) => node.subnet === subnet.name)
        .map((node) => ({
          cells: [node.name, node.ipv4, node.ipv6, `pods in ${(leases.get(node.name) ?? []).join(' ')}`],
          branches: topology.pods
            .filter((pod) => pod.node === node.name)
            .map((pod) => ({
              cells: [pod.name, ...(podAddresses.get(pod.name) ?? []), ATTACHED[pod.network]],
              branches: [],
            })),
        })),
    }),
  );
  return ['router', ...drawBranches(branches, '')].join('\n');
}

function drawBranches(branches: readonly Branch[], indent: string): string[] {
  const widths = columnWidths(branches);
  return branches.flatMap(({ cells, branches: inner }, at) => {
    const isLast = at === branches.length - 1;
    const line = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    return [
      `${indent}${isLast ? '└─ ' : '├─ '}${line}`.trimEnd(),
      ...drawBranches(inner, `${indent}${isLast ? '   ' : '│  '}`),
    ];
  });
}

function columnWidths(branches: readonly Branch[]): number[] {
  const widths: number[] = [];
  for (const { cells } of branches) {
    for (const [column, cell] of cells.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return widths;
}
