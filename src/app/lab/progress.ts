/** Steps on a terminal or in a file, one line each, with the seconds a step took where that was more than one. */
import type { Writable } from 'node:stream';

const WORTH_TELLING_MS = 1000;

export class Progress {
  private readonly out: Writable;
  private begun: number | undefined;

  constructor(out: Writable) {
    this.out = out;
  }

  /** Ends the step before, and begins one; its line stays open until it ends. */
  step(text: string): void {
    this.end();
    this.out.write(`▸ ${text}`);
    this.begun = performance.now();
  }

  /** Ends the last step; harmless if repeated. */
  end(): void {
    if (this.begun === undefined) return;
    const elapsedMs = performance.now() - this.begun;
    this.begun = undefined;
    this.out.write(elapsedMs < WORTH_TELLING_MS ? '\n' : `  ${(elapsedMs / 1000).toFixed(1)} s\n`);
  }
}
