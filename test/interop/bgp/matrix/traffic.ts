/** Pings of both families that go on while something is broken, and how many were not answered. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { vi } from 'vitest';
import type { BgpLan } from '../lan.ts';
import { WAIT } from './ours.ts';

/** Not what says that there is no way. */
const ANSWER = /bytes from .*seq=(\d+) /g;

export class Pings implements Disposable {
  readonly #children: readonly ChildProcess[];
  readonly #outputs: string[] = [];

  /** From a node's first address of each family to other addresses. */
  constructor(lan: BgpLan, node: string, pairs: readonly (readonly [from: string, to: string])[]) {
    const { path } = lan.node(node).namespace;
    this.#children = pairs.map(([from, to], at) => {
      this.#outputs.push('');
      const args = [`--net=${path}`, 'ping', '-n', '-i', '0.02', '-I', from, to];
      const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'pipe'] });
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          this.#outputs[at] += text;
        });
      return child;
    });
  }

  /** Waits for so many more answers from each. */
  async answers(count: number): Promise<void> {
    const goals = this.#outputs.map((output) => answersIn(output) + count);
    await vi.waitFor(() => {
      if (this.#outputs.some((output, at) => answersIn(output) < (goals[at] ?? 0)))
        throw new Error(`no answers: ${this.#outputs.map((output) => output.slice(-300)).join('\n')}`);
    }, WAIT);
  }

  /** Ends them; of each how many were lost between the first and the last that was answered. */
  async lost(): Promise<readonly number[]> {
    for (const child of this.#children) {
      const closed = once(child, 'close');
      child.kill('SIGINT');
      await closed;
    }
    return this.#outputs.map((output) => {
      const answered = new Set([...output.matchAll(ANSWER)].map(([, sequence]) => Number(sequence)));
      return Math.max(...answered) - Math.min(...answered) + 1 - answered.size;
    });
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

function answersIn(output: string): number {
  return output.match(ANSWER)?.length ?? 0;
}
