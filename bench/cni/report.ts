/** What the CNI benchmark found, for people and for programs. */

/** One figure of each side. */
export interface Pair {
  readonly poplin: number;
  readonly reference: number;
}

export interface CniFigures {
  /** Milliseconds. */
  readonly lean: { readonly add: Pair; readonly del: Pair };
  readonly full: { readonly add: Pair; readonly del: Pair };
  /** ADDs a second. */
  readonly concurrent: { readonly lean: Pair; readonly full: Pair };
  readonly scale: {
    readonly pods: number;
    /** Milliseconds of an ADD. */
    readonly fiftieth: number;
    readonly last: number;
    /** Milliseconds of a DEL, from full to empty. */
    readonly del: number;
    /** Of the agent with all pods, MiB. */
    readonly rssMb: number;
  };
}

const BAR_WIDTH = 40;

/** Ratios, Poplin's share of the reference's time; for callers at once how many times its ADDs a second; the figures behind them. */
export function jsonOf({ lean, full, concurrent, scale }: CniFigures): object {
  return {
    lean: { add: share(lean.add), del: share(lean.del) },
    full: { add: share(full.add), del: share(full.del) },
    concurrent: { add: share(concurrent.lean), full: share(concurrent.full) },
    scale: rounded(scale.last / scale.fiftieth),
    ms: {
      lean: { add: figures(lean.add), del: figures(lean.del) },
      full: { add: figures(full.add), del: figures(full.del) },
    },
    addsPerSecond: { lean: figures(concurrent.lean), full: figures(concurrent.full) },
    many: {
      pods: scale.pods,
      fiftiethMs: rounded(scale.fiftieth),
      lastMs: rounded(scale.last),
      delMs: rounded(scale.del),
      agentRssMb: scale.rssMb,
    },
  };
}

/** The same with bars: the longest is the larger figure. */
export function tableOf({ lean, full, concurrent, scale }: CniFigures): string {
  return [
    'bridge, host-local',
    ...bars('ADD', lean.add, 'ms'),
    ...bars('DEL', lean.del, 'ms'),
    'bridge with ipMasq, host-local, portmap with one port',
    ...bars('ADD', full.add, 'ms'),
    ...bars('DEL', full.del, 'ms'),
    '8 callers at once',
    ...bars('lean', concurrent.lean, 'ADDs a second'),
    ...bars('full', concurrent.full, 'ADDs a second'),
    `${scale.pods} pods on one node, the full chain`,
    `  ADD ${rounded(scale.fiftieth)} ms at the fiftieth, ${rounded(scale.last)} ms at the last: ratio ${rounded(scale.last / scale.fiftieth)}`,
    `  DEL ${rounded(scale.del)} ms; the agent has ${scale.rssMb} MB`,
    '',
  ].join('\n');
}

function bars(title: string, pair: Pair, unit: string): string[] {
  const longest = Math.max(pair.poplin, pair.reference);
  const line = (name: string, value: number) => {
    const bar = '█'.repeat(Math.max(1, Math.round((BAR_WIDTH * value) / longest))).padEnd(BAR_WIDTH);
    return `    ${name.padEnd(10)} ${bar} ${rounded(value)} ${unit}`;
  };
  return [`  ${title}: ratio ${share(pair)}`, line('poplin', pair.poplin), line('reference', pair.reference)];
}

const share = ({ poplin, reference }: Pair) => rounded(poplin / reference);
const figures = ({ poplin, reference }: Pair) => ({ poplin: rounded(poplin), reference: rounded(reference) });
const rounded = (value: number) => Math.round(value * 1000) / 1000;
