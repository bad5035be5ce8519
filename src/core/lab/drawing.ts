/** A lab as a tree for people: router, subnets, nodes, pods, each with its addresses, and the overlay that joins the nodes. */
import { vxlanLinkName } from '#core/overlay/index.ts';
import { addressesOf, hostsOf, type LabNode, ROUTER_HOST, type Topology } from './model.ts';
import { netConfOf, networkFamilies } from './topology.ts';

export interface DrawnLab {
  readonly topology: Topology;
  /** By node: its pod subnets. */
  readonly leases: ReadonlyMap<string, readonly string[]>;
  /** By pod: its addresses. */
  readonly podAddresses: ReadonlyMap<string, readonly string[]>;
  /** By node: what to say of it. */
  readonly notes?: ReadonlyMap<string, string>;
}

interface Branch {
  readonly cells: readonly string[];
  readonly branches: readonly Branch[];
  /** True for the node's end of the overlay. */
  readonly joined?: boolean;
}

interface Line {
  readonly text: string;
  readonly joined: boolean;
}

const ATTACHED = { poplin: 'routed veth', bridge: 'bridge cni0' } as const;
/** How far the overlay's rail stands from the longest line. */
const RAIL_GAP = 3;

/** Lines of text; columns of one level stand under each other. */
export function drawLab(lab: DrawnLab): string {
  const { topology } = lab;
  const router = topology.subnets.flatMap((subnet) => addressesOf(hostsOf(subnet, ROUTER_HOST)));
  const branches = topology.subnets.map(
    (subnet): Branch => ({
      cells: [subnet.name, ...addressesOf(subnet)],
      branches: topology.nodes
        .filter((node) => node.subnet === subnet.name)
        .map((node) => nodeBranch(lab, node)),
    }),
  );
  const lines = drawBranches(branches, '', columnWidths(branches));
  const isJoined = topology.nodes.length > 1;
  return [
    `router  ${router.join('  ')}`,
    ...(isJoined ? withRail(lines) : lines.map(({ text }) => text)),
    ...(isJoined ? ['', legend(topology)] : []),
  ].join('\n');
}

function nodeBranch({ topology, leases, podAddresses, notes }: DrawnLab, node: LabNode): Branch {
  const note = notes?.get(node.name);
  return {
    cells: [node.name, ...addressesOf(node), ...(note === undefined ? [] : [note])],
    branches: [
      { cells: [overlayLink(topology), ...(leases.get(node.name) ?? [])], branches: [], joined: true },
      ...topology.pods
        .filter((pod) => pod.node === node.name)
        .map((pod) => ({
          cells: [pod.name, ...(podAddresses.get(pod.name) ?? []), ATTACHED[pod.network]],
          branches: [],
        })),
    ],
  };
}

/** The overlay's link in a node; that of IPv4, where there are two. */
function overlayLink(topology: Topology): string {
  const { backend } = netConfOf(topology);
  const [family] = networkFamilies(topology);
  return backend.type === 'vxlan' && family !== undefined ? vxlanLinkName(family, backend.vni) : backend.type;
}

function legend(topology: Topology): string {
  const { backend } = netConfOf(topology);
  if (backend.type !== 'vxlan') return `══ ${backend.type} joins the nodes`;
  const links = networkFamilies(topology).map(
    (family) => `${vxlanLinkName(family, backend.vni)} for IPv${family}`,
  );
  return `══ VXLAN joins the nodes: ${links.join(', ')}, UDP port ${backend.port}`;
}

function drawBranches(
  branches: readonly Branch[],
  indent: string,
  widths: readonly (readonly number[])[],
): Line[] {
  const [own = [], ...deeper] = widths;
  return branches.flatMap(({ cells, branches: inner, joined = false }, at) => {
    const isLast = at === branches.length - 1;
    const line = cells.map((cell, column) => cell.padEnd(own[column] ?? 0)).join('  ');
    return [
      { text: `${indent}${isLast ? '└─ ' : '├─ '}${line}`.trimEnd(), joined },
      ...drawBranches(inner, `${indent}${isLast ? '   ' : '│  '}`, deeper),
    ];
  });
}

/** The widths of the columns of each level. */
function columnWidths(branches: readonly Branch[]): number[][] {
  if (branches.length === 0) return [];
  const widths: number[] = [];
  for (const { cells } of branches) {
    for (const [column, cell] of cells.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return [widths, ...columnWidths(branches.flatMap((branch) => branch.branches))];
}

/** A double line down the right side, from the first joined line to the last. */
function withRail(lines: readonly Line[]): string[] {
  const rail = Math.max(...lines.map(({ text }) => text.length)) + RAIL_GAP;
  const first = lines.findIndex(({ joined }) => joined);
  const last = lines.findLastIndex(({ joined }) => joined);
  return lines.map(({ text, joined }, at) => {
    if (at < first || at > last) return text;
    if (!joined) return `${text.padEnd(rail)}║`;
    const corner = at === first ? '╗' : at === last ? '╝' : '╣';
    return `${text}  ${'═'.repeat(rail - text.length - 2)}${corner}`;
  });
}
