/** What the policy benchmark found, for people and for programs. */

/** Of what goes through without policies, on a node that tracks connections. */
export interface PacketShares {
  readonly throughput: number;
  readonly connRate: number;
}

export interface PolicyFigures extends PacketShares {
  /** From the objects of the cluster to all rules in the kernel. */
  readonly startMs: number;
  /** From a pod's label to the kernel. */
  readonly changeP50Ms: number;
  readonly changeP99Ms: number;
  readonly iptables: PacketShares;
  readonly rssMb: number;
  /** Without policies, and without connections being tracked. */
  readonly untracked: PacketShares;
  /** Without policies. */
  readonly bare: { readonly mbit: number; readonly connectionsPerSec: number };
}

const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));

export function jsonOf(figures: PolicyFigures): object {
  const { startMs, changeP99Ms, throughput, connRate, iptables, rssMb } = figures;
  return {
    startMs: Math.round(startMs),
    changeP99Ms: rounded(changeP99Ms, 2),
    throughput: rounded(throughput),
    connRate: rounded(connRate),
    iptables: { throughput: rounded(iptables.throughput), connRate: rounded(iptables.connRate) },
    rssMb: rounded(rssMb, 1),
  };
}

export function tableOf(figures: PolicyFigures): string {
  const { startMs, changeP50Ms, changeP99Ms, throughput, connRate, iptables, rssMb, untracked, bare } =
    figures;
  const rows: readonly (readonly [string, string])[] = [
    ['start to all rules in the kernel', `${Math.round(startMs)} ms`],
    ['one pod’s label to the kernel', `${changeP50Ms.toFixed(1)} ms, p99 ${changeP99Ms.toFixed(1)} ms`],
    ['resident memory', `${rssMb.toFixed(1)} MB`],
    [
      'TCP without policies',
      `${Math.round(bare.mbit)} Mbit/s, ${Math.round(bare.connectionsPerSec)} connections/s`,
    ],
    [
      'and without connections tracked',
      `${untracked.throughput.toFixed(3)} of it, ${untracked.connRate.toFixed(3)} of it`,
    ],
    ['with Poplin’s', `${throughput.toFixed(3)} of it, ${connRate.toFixed(3)} of it`],
    ['with iptables’', `${iptables.throughput.toFixed(3)} of it, ${iptables.connRate.toFixed(3)} of it`],
  ];
  return rows.map(([what, value]) => `${what.padEnd(34)}${value}\n`).join('');
}
