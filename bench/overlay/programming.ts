/**
 * Programming N nodes: Poplin beside `ip -batch`, `bridge -batch` (and `nft -f`), in turns, each time in a fresh namespace that holds
 * the overlay's base. Afterwards the namespaces must list the same, line for line; where the tools gave the routes no scope, but for it.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { batchFiles, type Content, listings, type RouteStyle } from './content.ts';
import { MeasuredProcess } from './measured-process.ts';

export interface Programming {
  readonly nodes: number;
  readonly content: Content;
  /** Medians, microseconds for each node. */
  readonly poplinUs: number;
  /** The tools with the very same content. */
  readonly peerUs: number;
  /** The tools with routes as flannel has them. */
  readonly plainPeerUs: number;
  /** User and system time of Poplin's process, and of the tools with the same content, microseconds for each node. */
  readonly poplinCpuUs: number;
  readonly peerCpuUs: number;
  /** Sending Poplin's messages of rtnetlink and nothing else: the kernel's own time, microseconds for each node. */
  readonly floorUs: number;
  /** Medians of the ratios of each round: what else the machine does weighs on both sides of it. */
  readonly ratio: number;
  readonly plainRatio: number;
  readonly cpuRatio: number;
  /** Poplin's first round in its process, microseconds for each node: before anything is compiled. */
  readonly firstUs: number;
}

export interface ProgrammingOptions {
  readonly nodes: number;
  readonly content: Content;
  /** Rounds that count. */
  readonly rounds: number;
  /** Before them the process programs so many nodes each, which does not count. */
  readonly warmUps: readonly number[];
  /** The bundled measured.ts. */
  readonly program: string;
  /** For command files and namespaces. */
  readonly folder: string;
}

/** The kernel takes a removed namespace apart in the background, and holds up whoever configures another. */
const QUIET_MS = 200;
/** How often the tools are started with nothing to do. */
const STARTS = 9;

/** Microseconds. */
interface Time {
  readonly us: number;
  /** User and system time. */
  readonly cpuUs: number;
}

interface Round extends Time {
  readonly listed: readonly string[];
}

type Work = (netns: string) => Promise<Time> | Time;

/** Throws if a side does not hold in the end what it should. */
export async function measureProgramming(options: ProgrammingOptions): Promise<Programming> {
  const { nodes, content, rounds, warmUps, program } = options;
  await using measured = new MeasuredProcess(program);
  const ours = (count: number, raw = false) =>
    inFreshNamespace(measured, options, (netns) => measured.give({ netns, nodes: count, content, raw }));
  const letter = writeFiles(options, 'letter');
  const plain = writeFiles(options, 'plain');
  const theirs = (commands: readonly Command[], start: Time) =>
    inFreshNamespace(measured, options, (netns) => timePeer(netns, commands, start));
  const first = await ours(nodes);
  for (const count of warmUps) await ours(count);
  const start = await timeStart(measured, options, letter);
  const found: Found[] = [];
  for (let round = 0; round < rounds; round++) {
    const [poplin, peer, plainPeer] = [
      await ours(nodes),
      await theirs(letter, start),
      await theirs(plain, start),
    ];
    checkAlike(poplin.listed, peer.listed, nodes);
    checkAlike(poplin.listed.map(withoutScope).sort(), plainPeer.listed, nodes);
    found.push({ poplin, peer, plainPeer, floor: await ours(nodes, true) });
  }
  return { nodes, content, ...mediansOf(found, nodes), firstUs: first.us / nodes };
}

/** One round of each side. */
interface Found {
  readonly poplin: Time;
  readonly peer: Time;
  readonly plainPeer: Time;
  readonly floor: Time;
}

function mediansOf(
  found: readonly Found[],
  nodes: number,
): Omit<Programming, 'nodes' | 'content' | 'firstUs'> {
  const of = (value: (round: Found) => number) => median(found.map(value));
  return {
    poplinUs: of(({ poplin }) => poplin.us) / nodes,
    peerUs: of(({ peer }) => peer.us) / nodes,
    plainPeerUs: of(({ plainPeer }) => plainPeer.us) / nodes,
    poplinCpuUs: of(({ poplin }) => poplin.cpuUs) / nodes,
    peerCpuUs: of(({ peer }) => peer.cpuUs) / nodes,
    floorUs: of(({ floor }) => floor.us) / nodes,
    ratio: of(({ poplin, peer }) => poplin.us / peer.us),
    plainRatio: of(({ poplin, plainPeer }) => poplin.us / plainPeer.us),
    cpuRatio: of(({ poplin, peer }) => poplin.cpuUs / peer.cpuUs),
  };
}

/** A tool, its option and its command file; and what to run to see how long it takes to start. */
interface Command {
  readonly run: readonly [tool: string, option: string, file: string];
  readonly start: readonly [tool: string, option: string, file: string];
}

function writeFiles({ nodes, content, folder }: ProgrammingOptions, style: RouteStyle): Command[] {
  const nothing = join(folder, 'nothing');
  writeFileSync(nothing, '');
  const files = Object.entries(batchFiles(nodes, content, style)).filter(([, text]) => text !== '');
  return files.map(([tool, text]) => {
    const file = join(folder, `${style}.${tool}`);
    writeFileSync(file, text);
    const option = tool === 'nft' ? '-f' : '-batch';
    return { run: [tool, option, file], start: [tool, option, nothing] };
  });
}

/** The tools as an operator would run them, one process each; what they take to start is taken off. */
function timePeer(netns: string, commands: readonly Command[], start: Time): Time {
  const run = timeAll(netns, commands, ({ run: command }) => command);
  return { us: run.us - start.us, cpuUs: run.cpuUs - start.cpuUs };
}

/** What the tools take to start with nothing to do: the median of several, for a single one is as long as hundreds of nodes. */
async function timeStart(
  measured: MeasuredProcess,
  options: ProgrammingOptions,
  commands: readonly Command[],
): Promise<Time> {
  const times = await withNamespace(measured, options, (netns) =>
    Array.from({ length: STARTS }, () => timeAll(netns, commands, ({ start }) => start)),
  );
  return { us: median(times.map(({ us }) => us)), cpuUs: median(times.map(({ cpuUs }) => cpuUs)) };
}

function timeAll(
  netns: string,
  commands: readonly Command[],
  of: (each: Command) => readonly string[],
): Time {
  const sum = { us: 0, cpuUs: 0 };
  for (const each of commands) {
    const started = performance.now();
    const cpuS = inNamespace(netns, 'bash', '-c', CPU_TIME, ...of(each));
    sum.us += (performance.now() - started) * 1000;
    for (const seconds of cpuS.trim().split(' ')) sum.cpuUs += Number(seconds) * 1e6;
  }
  return sum;
}

/** Runs its arguments and prints their user and system seconds. */
const CPU_TIME = 'TIMEFORMAT="%3U %3S"; { time "$0" "$@" >&2; } 2>&1';

/** What the work took, and what is there afterwards. */
async function inFreshNamespace(
  measured: MeasuredProcess,
  options: ProgrammingOptions,
  work: Work,
): Promise<Round> {
  return withNamespace(measured, options, async (netns) => {
    const time = await work(netns);
    const listed = listings(options.content).flatMap((each) => linesOf(inNamespace(netns, ...each)));
    return { ...time, listed: listed.sort() };
  });
}

async function withNamespace<T>(
  measured: MeasuredProcess,
  { folder, nodes }: ProgrammingOptions,
  work: (netns: string) => Promise<T> | T,
): Promise<T> {
  const netns = join(folder, 'netns');
  createNamespace(netns).close();
  try {
    await measured.give({ netns });
    await sleep(QUIET_MS + nodes / 5);
    return await work(netns);
  } finally {
    removeNamespace(netns);
  }
}

/** Lines in any order; nft's lists of elements broken up. */
function linesOf(listing: string): string[] {
  return listing
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

const withoutScope = (line: string) => line.replace(/ scope \d+/, '');

function checkAlike(ours: readonly string[], theirs: readonly string[], nodes: number): void {
  if (ours.length < 3 * nodes) throw new Error(`poplin left ${ours.length} lines for ${nodes} nodes`);
  const at = ours.findIndex((line, place) => line !== theirs[place]);
  if (at < 0 && ours.length === theirs.length) return;
  throw new Error(
    `the two sides differ: ${ours.length} lines and ${theirs.length}; ` +
      `"${ours[at] ?? ''}" beside "${theirs[at] ?? ''}"`,
  );
}

function inNamespace(netns: string, ...command: readonly string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, ...command], { encoding: 'utf8', maxBuffer: 2 ** 26 });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
