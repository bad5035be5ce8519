/** What the kernel loop has changed, for the log: the first change at once, what follows within a second in one line. */
import type { Logger } from 'pino';
import type { Clock } from '#base/clock.ts';
import { describeOp, type KernelOp, type OpFailure } from '#core/kernel/index.ts';

const COLLECT_MS = 1000;
/** Names of operations a log line carries at most. */
const LOGGED_OPS = 8;

export class ChangeLog implements Disposable {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #counts = { add: 0, replace: 0, remove: 0 };
  #pause: Disposable | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** How many of each at info, and single ones at debug, at once: there may be many a second. */
  changed(ops: readonly KernelOp[], failures: readonly OpFailure[]): void {
    for (const { verb } of ops) this.#counts[verb]++;
    for (const { op } of failures) this.#counts[op.verb]--;
    if (this.#pause === undefined) this.#tell();
    if (this.#logger.isLevelEnabled('debug'))
      this.#logger.debug({ first: ops.slice(0, LOGGED_OPS).map(describeOp) }, 'kernel operations');
  }

  /** Tells what has not been told yet. */
  [Symbol.dispose](): void {
    this.#pause?.[Symbol.dispose]();
    this.#tell();
    this.#pause?.[Symbol.dispose]();
  }

  #tell(): void {
    this.#pause = undefined;
    const { add: added, replace: replaced, remove: removed } = this.#counts;
    const ops = added + replaced + removed;
    if (ops === 0) return;
    this.#counts = { add: 0, replace: 0, remove: 0 };
    this.#logger.info({ ops, added, replaced, removed }, 'kernel changed');
    this.#pause = this.#clock.setTimeout(COLLECT_MS, () => this.#tell());
  }
}
