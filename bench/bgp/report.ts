/** What the BGP benchmark found, for people and for programs. */
import { ROUTERS, type Router } from './routers.ts';

export interface Cost {
  /** From the first route sent to the last one told to a peer that was there from the start. */
  readonly seconds: number;
  /** Processor time of the router meanwhile, in user and kernel space: waits for other processes are not in it. */
  readonly cpuSeconds: number;
  /** From the start of another peer's session to its last route. */
  readonly againSeconds: number;
  /** Resident, when all was told. */
  readonly residentMb: number;
  /** Of that, what is the router's alone: the rest are pages of its program's files. */
  readonly anonymousMb: number;
}

export interface Case {
  readonly name: string;
  readonly costs: Readonly<Record<Router, Cost>>;
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

export function jsonOf(cases: readonly Case[]): object {
  const cost = ({ seconds, cpuSeconds, againSeconds, residentMb, anonymousMb }: Cost) => ({
    s: rounded(seconds),
    cpuS: rounded(cpuSeconds),
    mb: Math.round(residentMb),
    anonymousMb: Math.round(anonymousMb),
    againS: rounded(againSeconds),
  });
  return {
    cases: cases.map(({ name, costs }) => ({
      name,
      ...Object.fromEntries(ROUTERS.map((router) => [router, cost(costs[router])])),
    })),
  };
}

export function tableOf(cases: readonly Case[]): string {
  const head = ['', 'router', 'converged s', 'CPU s', 'again s', 'MB', 'anonymous', 'of GoBGP: s', 'MB'];
  const rows = cases.flatMap(({ name, costs }) =>
    ROUTERS.map((router, at) => {
      const { seconds, cpuSeconds, againSeconds, residentMb, anonymousMb } = costs[router];
      return [
        at === 0 ? name : '',
        router,
        seconds.toFixed(2),
        cpuSeconds.toFixed(2),
        againSeconds.toFixed(2),
        residentMb.toFixed(0),
        anonymousMb.toFixed(0),
        (seconds / costs.gobgp.seconds).toFixed(2),
        (residentMb / costs.gobgp.residentMb).toFixed(2),
      ];
    }),
  );
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows]
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
