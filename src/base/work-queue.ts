/**
 * A bounded runner for reconcilers. Guarantees:
 * - Never two runs at once; a trigger during a run leads to one more run after it, however many triggers came.
 * - A run that starts after a trigger sees it: no trigger is lost, whatever the run does or throws.
 * - Starts are at least `minIntervalMs` apart; the first trigger after a quiet time starts at once (next microtask), and so does an
 *   urgent one.
 * - A failed run is repeated after backoff; a trigger during the backoff does not shorten it, nor does an urgent one.
 * - A clock that is set back makes no wait longer than it was meant to be.
 * - With `maxIntervalMs`, a run starts at the latest that long after the last one ended, triggers or not.
 * - After stop(), no run starts; stop() aborts the signal of the one that runs and waits for its end.
 */
import { Backoff, type BackoffOptions } from './backoff.ts';
import type { Clock, Random } from './clock.ts';

export interface ReconcilerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** One run; `reasons` are the distinct triggers it answers. May throw; should stop early when the signal aborts. */
  readonly run: (signal: AbortSignal, reasons: ReadonlySet<string>) => Promise<void>;
  /** The least time between the starts of two runs, in milliseconds; 0 if absent. */
  readonly minIntervalMs?: number;
  /** The most time without a run; no limit if absent. Such a run has the reason `resync`. */
  readonly maxIntervalMs?: number;
  /** 100 ms to 30 s if absent. */
  readonly backoff?: BackoffOptions;
  /** Told of each failed run and when it will be repeated. */
  readonly onError?: (error: unknown, failures: number, retryInMs: number) => void;
}

export interface Reconciler extends AsyncDisposable {
  /** Asks for a run; `reason` is handed to it. */
  trigger(reason?: string): void;
  /** The same for somebody who waits: the run starts without regard to `minIntervalMs`, and answers all other triggers too. */
  triggerUrgently(reason?: string): void;
  /** True from a trigger until a run that began after it has succeeded. */
  readonly dirty: boolean;
  /** Resolves when nothing is left to do: no run, no pending trigger, no retry. Also after stop(). */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

const DEFAULT_BACKOFF: BackoffOptions = { initialMs: 100, maxMs: 30_000 };

/** Makes a runner; it does nothing until the first trigger (or until `maxIntervalMs` has passed). */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  return new BoundedReconciler(options);
}

/** Time that has to pass before something is done. */
interface Pause {
  readonly sinceMs: number;
  readonly ms: number;
}

class BoundedReconciler implements Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  #reasons = new Set<string>();
  #timer: Disposable | undefined;
  #current: Promise<void> | undefined;
  #isUrgent = false;
  /** Between the starts of two runs. */
  #interval: Pause;
  /** Before what failed is repeated. */
  #retry: Pause;
  #waiters: Array<() => void> = [];

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff ?? DEFAULT_BACKOFF, options.random);
    this.#interval = { sinceMs: options.clock.now(), ms: 0 };
    this.#retry = this.#interval;
    this.#schedule();
  }

  get dirty(): boolean {
    return this.#reasons.size > 0 || this.#current !== undefined;
  }

  trigger(reason = 'change'): void {
    if (this.#stopping.signal.aborted) return;
    const isAwaited = this.#reasons.size > 0;
    this.#reasons.add(reason);
    // What was scheduled for the first of them answers all that come until then.
    if (!isAwaited) this.#schedule();
  }

  triggerUrgently(reason = 'change'): void {
    if (this.#stopping.signal.aborted) return;
    this.#reasons.add(reason);
    this.#isUrgent = true;
    this.#schedule();
  }

  settled(): Promise<void> {
    if (!this.dirty) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the reconciler is stopping'));
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#reasons.clear();
    await this.#current;
    this.#wakeIfSettled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #schedule(): void {
    if (this.#current !== undefined || this.#stopping.signal.aborted) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const { clock, maxIntervalMs } = this.#options;
    const retryMs = this.#left(this.#retry);
    const wait = this.#isUrgent ? retryMs : Math.max(retryMs, this.#left(this.#interval));
    if (this.#reasons.size > 0) {
      if (wait <= 0) this.#start();
      else this.#timer = clock.setTimeout(wait, () => this.#start());
    } else if (maxIntervalMs !== undefined) {
      this.#timer = clock.setTimeout(Math.max(wait, maxIntervalMs), () => this.trigger('resync'));
    }
  }

  #left({ sinceMs, ms }: Pause): number {
    const passedMs = this.#options.clock.now() - sinceMs;
    return passedMs < 0 ? 0 : ms - passedMs;
  }

  #start(): void {
    this.#timer = undefined;
    const { clock, minIntervalMs = 0 } = this.#options;
    this.#interval = { sinceMs: clock.now(), ms: minIntervalMs };
    this.#current = this.#runOnce().finally(() => {
      this.#current = undefined;
      this.#schedule();
      this.#wakeIfSettled();
    });
  }

  async #runOnce(): Promise<void> {
    await Promise.resolve(); // so that triggers of one synchronous burst share a run
    const signal = this.#stopping.signal;
    if (signal.aborted) return;
    const reasons = this.#reasons;
    this.#reasons = new Set();
    this.#isUrgent = false;
    try {
      await this.#options.run(signal, reasons);
      this.#backoff.reset();
    } catch (error) {
      if (signal.aborted) return;
      for (const reason of reasons) this.#reasons.add(reason);
      const retryInMs = this.#backoff.next();
      this.#retry = { sinceMs: this.#options.clock.now(), ms: retryInMs };
      this.#options.onError?.(error, this.#backoff.failures, retryInMs);
    }
  }

  #wakeIfSettled(): void {
    if (this.dirty) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
