/** The overlay benchmark: time to program 1,000 and 5,000 remote nodes beside iproute2, and the agent's memory with them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type AgentMemory, measureMemory } from './memory.ts';
import { measureProgramming, type Programming } from './programming.ts';

const ROOT = join(import.meta.dirname, '../..');
const CASES = [
  { nodes: 1000, rounds: 7 },
  { nodes: 5000, rounds: 3 },
] as const;

export async function benchOverlay(json: boolean): Promise<void> {
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-'));
  // Beside the addon, which the bundle looks for in its own folder.
  const program = join(ROOT, 'dist', 'bench-overlay.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'measured.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    mainFields: ['module', 'main'],
    external: ['*.node'],
    logLevel: 'error',
  });
  try {
    const rows: { flannel: Programming; all: Programming; memory: AgentMemory }[] = [];
    for (const { nodes, rounds } of CASES) {
      say(`${nodes} nodes: programming, ${rounds} rounds …`);
      const common = { nodes, rounds, program, folder };
      const flannel = measureProgramming({ ...common, content: 'flannel' });
      const all = measureProgramming({ ...common, content: 'all' });
      say(`${nodes} nodes: memory of an agent …`);
      rows.push({ flannel, all, memory: await measureMemory(nodes, join(ROOT, 'dist/poplin.mjs'), folder) });
    }
    process.stdout.write(json ? `${JSON.stringify({ cases: rows.map(jsonCase) })}\n` : table(rows));
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(program, { force: true });
  }
}

type Row = { readonly flannel: Programming; readonly all: Programming; readonly memory: AgentMemory };

const ratio = ({ poplinUs, peerUs }: Programming) => Math.round((poplinUs / peerUs) * 100) / 100;
const tenth = (value: number) => Math.round(value * 10) / 10;

function jsonCase({ flannel, all, memory }: Row) {
  return {
    nodes: flannel.nodes,
    ratio: ratio(flannel),
    usPerNode: tenth(flannel.poplinUs),
    rssMb: memory.rssMb,
    peerUsPerNode: tenth(flannel.peerUs),
    all: { ratio: ratio(all), usPerNode: tenth(all.poplinUs), peerUsPerNode: tenth(all.peerUs) },
    peakMb: memory.peakMb,
    readyMs: memory.readyMs,
  };
}

function table(rows: readonly Row[]): string {
  const lines = rows.flatMap(({ flannel, all, memory }) => [
    `${flannel.nodes} remote nodes`,
    ...[
      ['route, neighbour, forwarding entry', flannel, 'ip and bridge'] as const,
      ['all that Poplin programs', all, 'ip, bridge, nft'] as const,
    ].flatMap(([title, each, peer]) => [
      `  ${title}: ratio ${ratio(each)}`,
      `    poplin           ${bar(each.poplinUs, each.peerUs)} ${tenth(each.poplinUs)} µs a node`,
      `    ${peer.padEnd(16)} ${bar(each.peerUs, each.peerUs)} ${tenth(each.peerUs)} µs a node`,
    ]),
    `  agent: ${memory.rssMb} MB resident, ${memory.peakMb} MB at most, ready after ${memory.readyMs} ms`,
    '',
  ]);
  return lines.join('\n');
}

function bar(value: number, whole: number): string {
  return '█'.repeat(Math.max(1, Math.round((40 * value) / whole))).padEnd(40);
}
