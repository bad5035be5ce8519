/** The overlay benchmark: time to program 1,000 and 5,000 remote nodes beside iproute2, and the agent's memory with them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundled } from '../bundle.ts';
import type { BenchOptions } from '../options.ts';
import { type AgentMemory, measureMemory } from './memory.ts';
import { measureProgramming, type Programming } from './programming.ts';
import { jsonOf, type Row, tableOf } from './report.ts';

const ROOT = join(import.meta.dirname, '../..');
const USUAL_NODES: readonly number[] = [1000, 5000];
/** Nodes in a warm-up round: enough for V8 to have compiled what it will. */
const WARM_UP_NODES = 5000;
const SETTLE_MS = 8_000;

interface Plan {
  readonly rounds: number;
  readonly warmUps: readonly number[];
  readonly settleMs: number;
}

const QUICK: Plan = { rounds: 1, warmUps: [], settleMs: 0 };

/** Fewer rounds where each is long. */
function planFor(nodes: number): Plan {
  return { rounds: nodes < 3000 ? 9 : 5, warmUps: [WARM_UP_NODES], settleMs: SETTLE_MS };
}

/** Prints the table, or with `json` one line; progress goes to standard error. */
export async function benchOverlay({ json, quick, nodes = USUAL_NODES }: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-'));
  try {
    const measured = await bundled(join(import.meta.dirname, 'measured.ts'));
    const rows: Row[] = [];
    for (const count of nodes)
      rows.push(await measure(count, quick ? QUICK : planFor(count), measured, folder));
    process.stdout.write(json ? `${JSON.stringify(jsonOf(rows))}\n` : tableOf(rows));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(nodes: number, plan: Plan, measured: string, folder: string): Promise<Row> {
  const { rounds, warmUps, settleMs } = plan;
  const programming = (content: Programming['content']): Promise<Programming> => {
    say(`${nodes} nodes, ${content}: ${rounds} rounds`);
    return measureProgramming({ nodes, content, rounds, warmUps, program: measured, folder });
  };
  const memory = (families: readonly (4 | 6)[]): Promise<AgentMemory> => {
    say(`${nodes} nodes, agent with ${families.map((family) => `IPv${family}`).join(' and ')}`);
    return measureMemory({ nodes, families, settleMs, program: join(ROOT, 'dist/poplin.mjs'), folder });
  };
  return {
    nodes,
    flannel: await programming('flannel'),
    all: await programming('all'),
    memory: await memory([4]),
    dualStack: await memory([4, 6]),
  };
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
