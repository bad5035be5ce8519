/** Ctrl-C and its kin as an AbortSignal, so that what was begun is undone instead of the process ending there and then. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export class Interrupt implements Disposable {
  private readonly controller = new AbortController();
  private received: (typeof SIGNALS)[number] | undefined;
  private readonly listener = (name: (typeof SIGNALS)[number]) => {
    this.received ??= name;
    this.controller.abort();
  };

  constructor() {
    for (const name of SIGNALS) process.on(name, this.listener);
    // After SIGHUP the terminal is gone: what cannot be said must not end the clean-up.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** What a shell reports of a process that a signal ended: 130 after Ctrl-C. */
  get exitStatus(): number {
    return 128 + constants.signals[this.received ?? 'SIGINT'];
  }

  /** Resolves at the first of the signals. */
  get promise(): Promise<void> {
    if (this.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => this.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.listener);
  }
}
