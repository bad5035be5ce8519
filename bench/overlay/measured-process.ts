/** The other end of measured.ts: starts the bundled program and gives it orders, one at a time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { Answer, Order } from './measured.ts';

export class MeasuredProcess implements AsyncDisposable {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string, undefined>;

  constructor(program: string) {
    this.child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines: Interface = createInterface({ input: this.child.stdout as NodeJS.ReadableStream });
    this.lines = lines[Symbol.asyncIterator]() as AsyncIterator<string, undefined>;
  }

  /** What the order took. Rejects with what went wrong. */
  async give(order: Order): Promise<Answer> {
    this.child.stdin?.write(`${JSON.stringify(order)}\n`);
    const line = await this.lines.next();
    if (line.done === true) throw new Error('the measured process ended');
    const answer = JSON.parse(line.value) as Answer;
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.stdin?.end();
    await gone;
  }
}
