/** What the CNI benchmark found, for people and for programs. */

/** One figure of each side. */
export interface Pair {
  readonly poplin: number;
  readonly reference: number;
}

/** Milliseconds. */
interface ChainFigures {
  readonly add: Pair;
  readonly del: Pair;
}

/** One side's, with many pods on one node. */
export interface ScaleFigures {
  readonly pods: number;
  /** Milliseconds of an ADD. */
  readonly fiftieth: number;
  readonly last: number;
  /** Milliseconds of a DEL, from full to empty. */
  readonly del: number;
  /** Of the agent with all pods, MiB; 0 where there is none. */
  readonly rssMb: number;
}

/** Of the parts that were measured. */
export interface CniFigures {
  readonly lean?: ChainFigures;
  readonly full?: ChainFigures;
  /** ADDs a second. */
  readonly concurrent?: { readonly lean: Pair; readonly full: Pair };
  readonly scale?: ScaleFigures;
  readonly scaleReference?: ScaleFigures;
}

const BAR_WIDTH = 40;

/** Ratios, Poplin's share of the reference's time; for callers at once how many times its ADDs a second; the figures behind them. */
export function jsonOf({ lean, full, concurrent, scale, scaleReference }: CniFigures): object {
  return {
    ...(lean && { lean: shares(lean) }),
    ...(full && { full: shares(full) }),
    ...(concurrent && { concurrent: { add: share(concurrent.lean), full: share(concurrent.full) } }),
    ...(scale && { scale: rounded(scale.last / scale.fiftieth) }),
    ms: { ...(lean && { lean: milliseconds(lean) }), ...(full && { full: milliseconds(full) }) },
    ...(concurrent && {
      addsPerSecond: { lean: figures(concurrent.lean), full: figures(concurrent.full) },
    }),
    ...(scale && { many: many(scale) }),
    ...(scaleReference && { manyOfReference: many(scaleReference) }),
  };
}

/** The same with bars: the longest is the larger figure. */
export function tableOf({ lean, full, concurrent, scale, scaleReference }: CniFigures): string {
  return [
    ...(lean ? chain('bridge, host-local', lean) : []),
    ...(full ? chain('bridge with ipMasq, host-local, portmap with one port', full) : []),
    ...(concurrent
      ? [
          '8 callers at once',
          ...bars('lean', concurrent.lean, 'ADDs a second'),
          ...bars('full', concurrent.full, 'ADDs a second'),
        ]
      : []),
    ...(scale ? manyPods('poplin', scale) : []),
    ...(scaleReference ? manyPods('reference', scaleReference) : []),
    '',
  ].join('\n');
}

function chain(title: string, { add, del }: ChainFigures): string[] {
  return [title, ...bars('ADD', add, 'ms'), ...bars('DEL', del, 'ms')];
}

function manyPods(name: string, { pods, fiftieth, last, del, rssMb }: ScaleFigures): string[] {
  return [
    `${pods} pods on one node, the full chain, ${name}`,
    `  ADD ${rounded(fiftieth)} ms at the fiftieth, ${rounded(last)} ms at the last: ratio ${rounded(last / fiftieth)}`,
    `  DEL ${rounded(del)} ms${rssMb > 0 ? `; the agent has ${rssMb} MB` : ''}`,
  ];
}

function bars(title: string, pair: Pair, unit: string): string[] {
  const longest = Math.max(pair.poplin, pair.reference);
  const line = (name: string, value: number) => {
    const bar = '█'.repeat(Math.max(1, Math.round((BAR_WIDTH * value) / longest))).padEnd(BAR_WIDTH);
    return `    ${name.padEnd(10)} ${bar} ${rounded(value)} ${unit}`;
  };
  return [`  ${title}: ratio ${share(pair)}`, line('poplin', pair.poplin), line('reference', pair.reference)];
}

const shares = ({ add, del }: ChainFigures) => ({ add: share(add), del: share(del) });
const milliseconds = ({ add, del }: ChainFigures) => ({ add: figures(add), del: figures(del) });
const many = ({ pods, fiftieth, last, del, rssMb }: ScaleFigures) => ({
  pods,
  fiftiethMs: rounded(fiftieth),
  lastMs: rounded(last),
  delMs: rounded(del),
  agentRssMb: rssMb,
});
const share = ({ poplin, reference }: Pair) => rounded(poplin / reference);
const figures = ({ poplin, reference }: Pair) => ({ poplin: rounded(poplin), reference: rounded(reference) });
const rounded = (value: number) => Math.round(value * 1000) / 1000;
