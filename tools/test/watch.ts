/** A line now and then that tells how far the runs are whose output is kept until they end. */
import type { Progress } from './tally.ts';

const PERIOD_MS = 30_000;

/** Tells how far a run is; undefined if it does not know. */
export type ReadProgress = () => Progress | undefined;

export class Watch {
  readonly #write: (line: string) => void;
  readonly #runs = new Map<string, ReadProgress>();

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** Writes a line each half minute until it is disposed of. */
  start(): Disposable {
    const started = performance.now();
    const tell = () =>
      this.#write(`${((performance.now() - started) / 1000).toFixed(0)} s: ${this.line()}\n`);
    const timer = setInterval(tell, PERIOD_MS);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  add(name: string, read: ReadProgress): void {
    this.#runs.set(name, read);
  }

  remove(name: string): void {
    this.#runs.delete(name);
  }

  /** As `kernel 12 of 61 files (cni-nat); vm 1 of 15 files (tunnels)`. */
  line(): string {
    return [...this.#runs].map(([name, read]) => `${name} ${describe(read())}`).join('; ');
  }
}

function describe(progress: Progress | undefined): string {
  if (progress === undefined) return 'starts';
  const { ended, files, running } = progress;
  const names = running.map((path) => path.replace(/^.*\//, '').replace(/\.test\.\w+$/, ''));
  return `${ended} of ${files} files${names.length === 0 ? '' : ` (${names.join(', ')})`}`;
}
