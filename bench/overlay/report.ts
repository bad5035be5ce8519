/** What the overlay benchmark found, for people and for programs. */
import type { AgentMemory } from './memory.ts';
import type { Programming } from './programming.ts';

export interface Row {
  readonly nodes: number;
  readonly flannel: Programming;
  readonly all: Programming;
  readonly memory: AgentMemory;
  readonly dualStack: AgentMemory;
}

const BAR_WIDTH = 40;

/**
 * One object for each size; `ratio`, `usPerNode` and `rssMb` are the figures that have aims. `ratio` is against the tools with the very
 * same content, `flannelRatio` against the tools with routes as flannel has them. `floorUsPerNode` is what the kernel takes for the
 * messages of rtnetlink alone.
 */
export function jsonOf(rows: readonly Row[]): object {
  return {
    cases: rows.map(({ nodes, flannel, all, memory, dualStack }) => ({
      nodes,
      ...figures(flannel),
      rssMb: memory.rssMb,
      all: figures(all),
      peakMb: memory.peakMb,
      readyMs: memory.readyMs,
      dualStackRssMb: dualStack.rssMb,
      churn: memory.churn,
    })),
  };
}

function figures(each: Programming): object {
  return {
    ratio: hundredths(each.ratio),
    flannelRatio: hundredths(each.plainRatio),
    cpuRatio: hundredths(each.cpuRatio),
    usPerNode: tenths(each.poplinUs),
    floorUsPerNode: tenths(each.floorUs),
    peerUsPerNode: tenths(each.peerUs),
    flannelPeerUsPerNode: tenths(each.plainPeerUs),
    cpuUsPerNode: tenths(each.poplinCpuUs),
    peerCpuUsPerNode: tenths(each.peerCpuUs),
    firstUsPerNode: tenths(each.firstUs),
  };
}

/** The same with bars: the longest is the slower side. */
export function tableOf(rows: readonly Row[]): string {
  return rows
    .map((row) =>
      [
        `${row.nodes} remote nodes`,
        ...comparison('route, neighbour, forwarding entry', 'ip, bridge', row.flannel),
        ...comparison('all that Poplin programs', 'ip, bridge, nft', row.all),
        memoryLine('agent, IPv4', row.memory),
        memoryLine('agent, dual stack', row.dualStack),
        '',
      ].join('\n'),
    )
    .join('\n');
}

function comparison(title: string, peer: string, each: Programming): string[] {
  const slower = Math.max(each.poplinUs, each.firstUs, each.peerUs, each.plainPeerUs);
  const line = (name: string, us: number) => {
    const bar = '█'.repeat(Math.max(1, Math.round((BAR_WIDTH * us) / slower))).padEnd(BAR_WIDTH);
    return `    ${name.padEnd(16)} ${bar} ${tenths(us)} µs a node`;
  };
  return [
    `  ${title}: ratio ${hundredths(each.ratio)}, of CPU time ${hundredths(each.cpuRatio)}; ` +
      `without scopes ${hundredths(each.plainRatio)}`,
    line('poplin', each.poplinUs),
    line('poplin, first', each.firstUs),
    line('messages alone', each.floorUs),
    line(peer, each.peerUs),
    line('without scopes', each.plainPeerUs),
  ];
}

function memoryLine(name: string, { rssMb, peakMb, readyMs, churn }: AgentMemory): string {
  const { changesPerSecond, cpuPercent, wholePasses } = churn;
  return (
    `  ${name}: ${rssMb} MB resident, ${peakMb} MB at most, ready after ${readyMs} ms; ` +
    `${changesPerSecond} changed leases a second cost ${cpuPercent} % of a core and ${wholePasses} whole passes`
  );
}

const hundredths = (value: number) => Math.round(value * 100) / 100;
const tenths = (value: number) => Math.round(value * 10) / 10;
