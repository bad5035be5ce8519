/** Programming N nodes: Poplin beside `ip -batch`, `bridge -batch` (and `nft -f`), in turns, each time in a fresh namespace. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { batchFiles, type Content, expectedCounts } from './content.ts';

export interface Programming {
  readonly nodes: number;
  readonly content: Content;
  /** Medians, microseconds for each node. */
  readonly poplinUs: number;
  readonly peerUs: number;
}

export interface ProgrammingOptions {
  readonly nodes: number;
  readonly content: Content;
  readonly rounds: number;
  /** The bundled measured.ts. */
  readonly program: string;
  /** For command files and namespaces. */
  readonly folder: string;
}

/** Throws if a side does not hold in the end what it should. The first round warms up and does not count. */
export function measureProgramming(options: ProgrammingOptions): Programming {
  const { nodes, content, rounds, program, folder } = options;
  const files = batchFiles(nodes, content);
  for (const [tool, text] of Object.entries(files)) writeFileSync(join(folder, tool), text);
  const poplin: number[] = [];
  const peer: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const ours = inFreshNamespace(options, (netns) => {
      const output = execFileSync(process.execPath, [program, netns, 'program', String(nodes), content], {
        encoding: 'utf8',
      });
      return (JSON.parse(output) as { us: number }).us;
    });
    const theirs = inFreshNamespace(options, (netns) => timePeer(netns, folder, files.nft !== ''));
    if (round > 0) {
      poplin.push(ours / nodes);
      peer.push(theirs / nodes);
    }
  }
  return { nodes, content, poplinUs: median(poplin), peerUs: median(peer) };
}

/** The tools as an operator would run them: one process each. */
function timePeer(netns: string, folder: string, withNft: boolean): number {
  const started = performance.now();
  inNamespace(netns, 'ip', '-batch', join(folder, 'ip'));
  inNamespace(netns, 'bridge', '-batch', join(folder, 'bridge'));
  if (withNft) inNamespace(netns, 'nft', '-f', join(folder, 'nft'));
  return (performance.now() - started) * 1000;
}

function inFreshNamespace(
  { program, folder, nodes, content }: ProgrammingOptions,
  work: (netns: string) => number,
): number {
  const netns = join(folder, 'netns');
  createNamespace(netns).close();
  try {
    execFileSync(process.execPath, [program, netns, 'base']);
    const result = work(netns);
    for (const [command, count] of Object.entries(expectedCounts(nodes, content))) {
      const found = inNamespace(netns, ...(command.split(' ') as [string, ...string[]]))
        .trim()
        .split('\n').length;
      if (found !== count) throw new Error(`"${command}" lists ${found} lines, not ${count}`);
    }
    return result;
  } finally {
    removeNamespace(netns);
  }
}

function inNamespace(netns: string, command: string, ...args: string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, command, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
