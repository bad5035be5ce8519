/** Pings that go on while something is broken, and what they have noticed of it. */
import { spawn } from 'node:child_process';
import { until } from './agent-world.ts';
import type { BgpPod } from './bgp-world.ts';

const INTERVAL_MS = 10;

export interface Gap {
  readonly sent: number;
  readonly lost: number;
  /** The longest time without an answer, by how many were lost in it. */
  readonly longestMs: number;
  /** When it was over, as Date.now() has it; absent if nothing was lost. */
  readonly overAt?: number;
}

/** Pings between two pods in both directions and families, IPv4 first, while `disturb` does its work. */
export async function underTraffic(a: BgpPod, b: BgpPod, disturb: () => Promise<void>): Promise<Gap[]> {
  const pings = ([4, 6] as const).flatMap((family) => [
    new SteadyPing(a.netns, b[family]),
    new SteadyPing(b.netns, a[family]),
  ]);
  try {
    for (const ping of pings) await ping.answers(20);
    await disturb();
    for (const ping of pings) await ping.answers(50);
    return await Promise.all(pings.map((ping) => ping.stop()));
  } finally {
    for (const ping of pings) ping[Symbol.dispose]();
  }
}

/** A ping every 10 ms until it is stopped. */
export class SteadyPing implements Disposable {
  readonly #child;
  readonly #closed: Promise<unknown>;
  /** By sequence, when it was answered. */
  readonly #answered = new Map<number, number>();
  #rest = '';

  constructor(netns: string, address: string) {
    this.#child = spawn(
      'nsenter',
      [`--net=${netns}`, 'ping', '-D', '-n', '-i', String(INTERVAL_MS / 1000), address],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
  }

  /** Resolves after so many more answers. */
  async answers(count: number): Promise<void> {
    const goal = this.#answered.size + count;
    await until(`${count} answers`, () => this.#answered.size >= goal);
  }

  async stop(): Promise<Gap> {
    this.#child.kill('SIGINT');
    await this.#closed;
    let longest = 0;
    let overAt: number | undefined;
    let before = 0;
    for (const [sequence, at] of [...this.#answered].toSorted(([a], [b]) => a - b)) {
      const missing = sequence - before - 1;
      if (missing > longest) [longest, overAt] = [missing, at];
      before = sequence;
    }
    const lost = before - this.#answered.size;
    return {
      sent: before,
      lost,
      longestMs: longest * INTERVAL_MS,
      ...(overAt === undefined ? {} : { overAt }),
    };
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const [, seconds, sequence] = /^\[(\d+\.\d+)\] \d+ bytes from .* icmp_seq=(\d+) /.exec(line) ?? [];
      if (sequence !== undefined) this.#answered.set(Number(sequence), Number(seconds) * 1000);
    }
  }
}
