/**
 * The policy benchmark: 10,000 pods, 250 of them local, and 2,000 policies; the time until they are in the kernel, what one change takes,
 * memory, and what packets pay for it, beside iptables rules with the same meaning and none at all, in turns on this machine.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { bundled } from '../bundle.ts';
import type { BenchOptions } from '../options.ts';
import { type Sizes, USUAL_SIZES } from './content.ts';
import { loadIptables } from './iptables.ts';
import type { Measured } from './measured.ts';
import { Traffic } from './packets.ts';
import { Place } from './place.ts';
import { jsonOf, type PolicyFigures, tableOf } from './report.ts';

/** Without policies: `bare` tracks connections, as the NAT of any cluster makes a node do, `untracked` does not even that. */
const SIDES = ['untracked', 'bare', 'poplin', 'iptables'] as const;
type Side = (typeof SIDES)[number];

interface Amount {
  /** Turns of each side. */
  readonly rounds: number;
  readonly mebibytes: number;
  readonly connectionsMs: number;
  readonly changes: number;
}
/** Many short turns: one differs from the next by a tenth and more, whatever rules there are, and what slows the machine for some seconds meets all. */
const USUAL: Amount = { rounds: 100, mebibytes: 192, connectionsMs: 200, changes: 1000 };
const QUICK: Amount = { rounds: 2, mebibytes: 192, connectionsMs: 200, changes: 50 };
/** Before the first turn, so that programs are compiled and windows are open. */
const WARM_UP_MIB = 1024;
const WARM_UP_MS = 1500;
/** Rounds from one line of progress to the next. */
const TOLD_ROUNDS = 20;

/** Prints the table, or with `json` one line; progress goes to standard error. */
export async function benchPolicy({ json, quick }: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-policy-'));
  try {
    const program = await bundled(join(import.meta.dirname, 'measured.ts'));
    const figures = await measure(folder, program, USUAL_SIZES, quick ? QUICK : USUAL);
    process.stdout.write(json ? `${JSON.stringify(jsonOf(figures))}\n` : tableOf(figures));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  folder: string,
  program: string,
  sizes: Sizes,
  amount: Amount,
): Promise<PolicyFigures> {
  await using resources = new AsyncDisposableStack();
  const places = Object.fromEntries(
    SIDES.map((side) => [side, resources.use(new Place(folder, side, sizes))]),
  ) as Record<Side, Place>;
  places.bare.track();
  loadIptables(places.iptables.node, sizes);
  progress('policies');
  const agent = resources.use(new Agent(program, places.poplin.node, sizes, amount.changes));
  const { startMs, changesMs, rssMb } = await agent.measured();
  const traffic = {} as Record<Side, Traffic>;
  for (const side of SIDES) traffic[side] = resources.use(await Traffic.start(places[side], sizes));
  for (const side of SIDES) await traffic[side].mbit(WARM_UP_MIB);
  const mbit = await inTurns('throughput', amount.rounds, (side) => traffic[side].mbit(amount.mebibytes));
  for (const side of SIDES) await traffic[side].serveConnections();
  for (const side of SIDES) await traffic[side].connections(WARM_UP_MS);
  const rate = await inTurns('connections', amount.rounds, (side) =>
    traffic[side].connections(amount.connectionsMs),
  );
  const at = (share: number): number => changesMs[Math.floor((changesMs.length - 1) * share)] ?? 0;
  return {
    startMs,
    changeP50Ms: at(0.5),
    changeP99Ms: at(0.99),
    rssMb,
    throughput: ratio(mbit, 'poplin'),
    connRate: ratio(rate, 'poplin'),
    iptables: { throughput: ratio(mbit, 'iptables'), connRate: ratio(rate, 'iptables') },
    untracked: { throughput: ratio(mbit, 'untracked'), connRate: ratio(rate, 'untracked') },
    bare: { mbit: median(mbit.bare), connectionsPerSec: median(rate.bare) },
  };
}

/** Each side once in each round, so that what else the machine does meets all of them. */
async function inTurns(
  what: string,
  rounds: number,
  one: (side: Side) => Promise<number>,
): Promise<Record<Side, number[]>> {
  const found: Record<Side, number[]> = { untracked: [], bare: [], poplin: [], iptables: [] };
  for (let round = 0; round < rounds; round++) {
    if (round % TOLD_ROUNDS === 0) progress(`${what}, round ${round + 1} of ${rounds}`);
    const turn = round % SIDES.length;
    for (const side of [...SIDES.slice(turn), ...SIDES.slice(0, turn)]) found[side].push(await one(side));
  }
  return found;
}

/** The median of the ratios of the rounds. */
function ratio(found: Record<Side, number[]>, side: Side): number {
  return median(found[side].map((value, round) => value / (found.bare[round] as number)));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

function progress(text: string): void {
  process.stderr.write(`policy: ${text}\n`);
}

/** The measured process. */
class Agent implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(program: string, netns: string, sizes: Sizes, changes: number) {
    const args = [program, netns, JSON.stringify(sizes), String(changes)];
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  async measured(): Promise<Measured> {
    for await (const line of createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }))
      return JSON.parse(line) as Measured;
    throw new Error('the measured process ended');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await gone;
  }
}
