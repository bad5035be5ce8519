/**
 * The CNI benchmark: ADD and DEL of whole chains as a runtime sees them, beside Debian's reference plugins, in turns on this machine.
 * `lean` is bridge with host-local, `full` has ipMasq and a host port by portmap behind it, dual stack both.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from '../options.ts';
import { type CniFigures, jsonOf, type Pair, type ScaleFigures, tableOf } from './report.ts';
import { type Chain, Side, type SideName } from './side.ts';

interface Sizes {
  readonly pods: number;
  readonly rounds: number;
  readonly callers: number;
  readonly podsOfEachCaller: number;
  /** Attached at once on one node. */
  readonly many: number;
}

const USUAL: Sizes = { pods: 50, rounds: 3, callers: 8, podsOfEachCaller: 20, many: 1000 };
const QUICK: Sizes = { pods: 5, rounds: 1, callers: 2, podsOfEachCaller: 3, many: 60 };

const NETWORK = 'bench';

function chainOf(side: Side, full: boolean): Chain {
  const common = { cniVersion: '1.0.0', name: NETWORK };
  const bridge = {
    ...common,
    type: 'bridge',
    isGateway: true,
    ...(full && { ipMasq: true }),
    ipam: {
      type: 'host-local',
      dataDir: side.dataDir,
      ranges: [[{ subnet: '10.88.0.0/16' }], [{ subnet: 'fd88::/64' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    },
  };
  return full ? [bridge, { ...common, type: 'portmap', capabilities: { portMappings: true } }] : [bridge];
}

const portOf = (at: number) => ({
  portMappings: [{ hostPort: 20_000 + at, containerPort: 80, protocol: 'tcp' }],
});

const PARTS: Readonly<Record<string, (folder: string, sizes: Sizes) => Promise<CniFigures>>> = {
  lean: async (folder, sizes) => ({ lean: await sequential(folder, sizes, false) }),
  full: async (folder, sizes) => ({ full: await sequential(folder, sizes, true) }),
  callers: async (folder, sizes) => ({
    concurrent: {
      lean: await concurrent(folder, sizes, false),
      full: await concurrent(folder, sizes, true),
    },
  }),
  scale: async (folder, sizes) => ({ scale: await scale('poplin', folder, sizes) }),
  // Many minutes: each of its calls walks over all rules of all pods.
  'scale-reference': async (folder, sizes) => ({ scaleReference: await scale('reference', folder, sizes) }),
};

const USUAL_PARTS = ['lean', 'full', 'callers', 'scale'];

/**
 * Prints the table, or with `json` one line; progress goes to standard error. `only` names some of the parts above; throws a RangeError
 * for another name.
 */
export async function benchCni({ json, quick, only = USUAL_PARTS }: BenchOptions): Promise<void> {
  const sizes = quick ? QUICK : USUAL;
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-cni-'));
  try {
    const figures: CniFigures = {};
    for (const name of only) {
      const part = PARTS[name];
      if (part === undefined)
        throw new RangeError(`--only: no part "${name}": there are ${Object.keys(PARTS).join(', ')}`);
      Object.assign(figures, await part(folder, sizes));
    }
    process.stdout.write(json ? `${JSON.stringify(jsonOf(figures))}\n` : tableOf(figures));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of ADD and DEL, medians over all pods; the sides take turns. */
async function sequential(folder: string, sizes: Sizes, full: boolean): Promise<{ add: Pair; del: Pair }> {
  const times: Record<SideName, { add: number[]; del: number[] }> = {
    poplin: { add: [], del: [] },
    reference: { add: [], del: [] },
  };
  await using poplin = await Side.open('poplin', folder);
  await using reference = await Side.open('reference', folder);
  for (let round = 0; round < sizes.rounds; round++) {
    for (const side of [poplin, reference]) {
      say(`${full ? 'full' : 'lean'} chain, ${side.name}, round ${round + 1} of ${sizes.rounds}`);
      const chain = chainOf(side, full);
      const pods = side.makePods(sizes.pods, portOf);
      times[side.name].add.push(...(await side.call('ADD', chain, pods)));
      side.check(pods);
      times[side.name].del.push(...(await side.call('DEL', chain, pods)));
      await side.checkEmpty(NETWORK);
      side.removePods(pods);
    }
  }
  return { add: pairOf(times, 'add'), del: pairOf(times, 'del') };
}

/** ADDs a second with several callers at once; medians of the rounds. */
async function concurrent(folder: string, sizes: Sizes, full: boolean): Promise<Pair> {
  const rates: Record<SideName, number[]> = { poplin: [], reference: [] };
  await using poplin = await Side.open('poplin', folder);
  await using reference = await Side.open('reference', folder);
  for (let round = 0; round < sizes.rounds; round++) {
    for (const side of [poplin, reference]) {
      say(
        `${sizes.callers} callers, ${full ? 'full' : 'lean'} chain, ${side.name}, round ${round + 1} of ${sizes.rounds}`,
      );
      const chain = chainOf(side, full);
      const pods = side.makePods(sizes.callers * sizes.podsOfEachCaller, portOf);
      const shares = Array.from({ length: sizes.callers }, (_, at) =>
        pods.filter((_pod, place) => place % sizes.callers === at),
      );
      const started = performance.now();
      await Promise.all(shares.map((share) => side.call('ADD', chain, share)));
      rates[side.name].push((pods.length / (performance.now() - started)) * 1000);
      side.check(pods);
      await Promise.all(shares.map((share) => side.call('DEL', chain, share)));
      await side.checkEmpty(NETWORK);
      side.removePods(pods);
    }
  }
  return { poplin: median(rates.poplin), reference: median(rates.reference) };
}

/** The last ADDs on a node that is full beside the first: milliseconds around the fiftieth and the last pod. */
async function scale(name: SideName, folder: string, sizes: Sizes): Promise<ScaleFigures> {
  await using side = await Side.open(name, folder);
  const chain = chainOf(side, true);
  say(`${sizes.many} pods on one node, ${name}`);
  const pods = side.makePods(sizes.many, portOf);
  const times = (await side.call('ADD', chain, pods)).map((us) => us / 1000);
  const near = (at: number) => median(times.slice(Math.max(0, at - 20), at));
  side.check(pods.slice(-3));
  const rssMb = await side.rssMb();
  const del = (await side.call('DEL', chain, pods)).map((us) => us / 1000);
  await side.checkEmpty(NETWORK);
  return { pods: sizes.many, fiftieth: near(50), last: near(sizes.many), del: median(del), rssMb };
}

function pairOf(times: Record<SideName, { add: number[]; del: number[] }>, command: 'add' | 'del'): Pair {
  return {
    poplin: median(times.poplin[command]) / 1000,
    reference: median(times.reference[command]) / 1000,
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
