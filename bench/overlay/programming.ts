/**
 * Programming N nodes: Poplin beside `ip -batch`, `bridge -batch` (and `nft -f`), in turns, each time in a fresh namespace that holds
 * the overlay's base. Afterwards both namespaces must list the same, line for line.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { batchFiles, type Content, listings } from './content.ts';
import { MeasuredProcess } from './measured-process.ts';

export interface Programming {
  readonly nodes: number;
  readonly content: Content;
  /** Medians, microseconds for each node. */
  readonly poplinUs: number;
  readonly peerUs: number;
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

interface Round {
  readonly us: number;
  readonly listed: readonly string[];
}

type Work = (netns: string) => Promise<number> | number;

/** Throws if a side does not hold in the end what it should. */
export async function measureProgramming(options: ProgrammingOptions): Promise<Programming> {
  const { nodes, content, rounds, warmUps, program, folder } = options;
  const files = batchFiles(nodes, content);
  for (const [tool, text] of Object.entries(files)) writeFileSync(join(folder, tool), text);
  writeFileSync(join(folder, 'nothing'), '');
  await using measured = new MeasuredProcess(program);
  const ours = (count: number) =>
    inFreshNamespace(measured, options, (netns) => measured.give({ netns, nodes: count, content }));
  const theirs = () =>
    inFreshNamespace(measured, options, (netns) => timePeer(netns, folder, files.nft !== ''));
  const first = await ours(nodes);
  for (const count of warmUps) await ours(count);
  const poplin: number[] = [];
  const peer: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const [left, right] = [await ours(nodes), await theirs()];
    checkAlike(left, right, nodes);
    poplin.push(left.us / nodes);
    peer.push(right.us / nodes);
  }
  return { nodes, content, poplinUs: median(poplin), peerUs: median(peer), firstUs: first.us / nodes };
}

/** The tools as an operator would run them, one process each; what they take to start is taken off. */
function timePeer(netns: string, folder: string, withNft: boolean): number {
  const run = (name: (tool: string) => string) => {
    const started = performance.now();
    inNamespace(netns, 'ip', '-batch', join(folder, name('ip')));
    inNamespace(netns, 'bridge', '-batch', join(folder, name('bridge')));
    if (withNft) inNamespace(netns, 'nft', '-f', join(folder, name('nft')));
    return performance.now() - started;
  };
  const startMs = run(() => 'nothing');
  return (run((tool) => tool) - startMs) * 1000;
}

async function inFreshNamespace(
  measured: MeasuredProcess,
  { folder, content, nodes }: ProgrammingOptions,
  work: Work,
): Promise<Round> {
  const netns = join(folder, 'netns');
  createNamespace(netns).close();
  try {
    await measured.give({ netns });
    await sleep(QUIET_MS + nodes / 5);
    const us = await work(netns);
    const listed = listings(content).flatMap((command) => linesOf(inNamespace(netns, ...command)));
    return { us, listed: content === 'flannel' ? listed.map(withoutMetric) : listed };
  } finally {
    removeNamespace(netns);
  }
}

/** Lines in any order; nft's lists of elements broken up. */
function linesOf(listing: string): string[] {
  return listing
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .sort();
}

/** flannel's routes have none. */
const withoutMetric = (line: string) => line.replace(/ metric \d+/, '');

function checkAlike(ours: Round, theirs: Round, nodes: number): void {
  if (ours.listed.length < 3 * nodes)
    throw new Error(`poplin left ${ours.listed.length} lines for ${nodes} nodes`);
  const at = ours.listed.findIndex((line, place) => line !== theirs.listed[place]);
  if (at < 0 && ours.listed.length === theirs.listed.length) return;
  throw new Error(
    `the two sides differ: ${ours.listed.length} lines and ${theirs.listed.length}; ` +
      `"${ours.listed[at] ?? ''}" beside "${theirs.listed[at] ?? ''}"`,
  );
}

function inNamespace(netns: string, ...command: readonly string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, ...command], { encoding: 'utf8', maxBuffer: 2 ** 26 });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
