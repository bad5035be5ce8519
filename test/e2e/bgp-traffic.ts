/** Pings that go on while something is broken, and what they have noticed of it. */
import { spawn } from 'node:child_process';
import { until } from './agent-world.ts';

const INTERVAL_MS = 10;

export interface Gap {
  readonly sent: number;
  readonly lost: number;
  /** The longest time without an answer. */
  readonly longestMs: number;
}

/** A ping every 10 ms until it is stopped. */
export class SteadyPing implements Disposable {
  readonly #child;
  readonly #closed: Promise<unknown>;
  readonly #answered = new Set<number>();
  #last = 0;

  constructor(netns: string, address: string) {
    this.#child = spawn(
      'nsenter',
      [`--net=${netns}`, 'ping', '-n', '-i', String(INTERVAL_MS / 1000), address],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      for (const [, sequence] of text.matchAll(/seq=(\d+) /g)) {
        this.#last = Math.max(this.#last, Number(sequence));
        this.#answered.add(Number(sequence));
      }
    });
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
    let before = 0;
    for (const sequence of [...this.#answered].sort((a, b) => a - b)) {
      longest = Math.max(longest, sequence - before - 1);
      before = sequence;
    }
    const lost = this.#last - this.#answered.size;
    return { sent: this.#last, lost, longestMs: longest * INTERVAL_MS };
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
