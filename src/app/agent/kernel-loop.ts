/**
 * Keeps one namespace's kernel as the desired state wants it: after a change of the wish, after a change by anyone else, and in
 * full now and then. The cost of a pass is that of what changed. A pass that finds nothing to do says nothing.
 */

import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import { createReconciler, type Reconciler } from '#base/work-queue.ts';
import {
  DesiredState,
  describeOp,
  type Kernel,
  type KernelObject,
  keyOf,
  type OpFailure,
  type Owner,
  plan,
} from '#core/kernel/index.ts';

/** A full comparison so often, should a notification ever have been missed: as flannel's iptables-resync, but gentler. */
const RESYNC_MS = 60_000;
/** Names of operations a log line carries at most. */
const LOGGED_OPS = 8;

export interface KernelLoopOptions {
  readonly kernel: Kernel;
  readonly owners: readonly Owner[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What the loop has done, for `poplin status`. */
export interface KernelLoopStatus {
  /** Operations the first full pass planned: 0 after a restart that found all in place. */
  readonly firstPassOps: number | undefined;
  readonly passes: number;
  readonly ops: number;
  readonly failures: readonly string[];
  readonly conflicts: readonly string[];
}

export class KernelLoop implements AsyncDisposable {
  readonly desired = new DesiredState();
  private readonly kernel: Kernel;
  private readonly owners: readonly Owner[];
  private readonly logger: Logger;
  private readonly runner: Reconciler;
  private readonly subscription: Disposable;
  private readonly dirty = new Set<string>();
  private wholePass = true;
  private firstPassOps: number | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private passes = 0;
  private ops = 0;
  private failures: readonly string[] = [];
  private conflicts: readonly string[] = [];

  constructor({ kernel, owners, clock, random, logger }: KernelLoopOptions) {
    this.kernel = kernel;
    this.owners = owners;
    this.logger = logger;
    this.runner = createReconciler({
      clock,
      random,
      maxIntervalMs: RESYNC_MS,
      backoff: { initialMs: 50, maxMs: 10_000 },
      run: (signal, reasons) => this.pass(signal, reasons),
      onError: (error, failures, retryInMs) => {
        if (failures === 1) this.logger.warn({ err: error, retryInMs }, 'kernel pass failed');
      },
    });
    this.subscription = kernel.watch({
      changed: (keys) => {
        if (this.firstPassOps === undefined) return;
        for (const key of keys) this.dirty.add(key);
        this.runner.trigger('kernel');
      },
      resynced: () => {
        this.wholePass = true;
        this.runner.trigger('lost notifications');
      },
    });
  }

  /** Asks for a pass after parts of `desired` were set. Nothing is touched before the first call. */
  trigger(): void {
    this.runner.trigger('wish');
  }

  /** Sets a part of the wish without touching the kernel: for what is there already, or is about to be taken away. */
  want(part: string, objects: readonly KernelObject[]): void {
    this.desired.set(part, objects);
  }

  /**
   * Sets a part of the wish and carries it out at once, before any pass that is due; returns what failed. For callers that
   * answer for their part themselves, as a CNI ADD does.
   */
  async ensure(part: string, objects: readonly KernelObject[]): Promise<readonly OpFailure[]> {
    const before = this.desired.keysOf(part);
    this.desired.set(part, objects);
    const only = new Set([...before, ...objects.map(keyOf)]);
    this.trackSysctls(only);
    return this.exclusively(async () => (await this.reconcile(only)).failures);
  }

  /** Resolves when the kernel is as wished, as far as it can be. */
  settled(): Promise<void> {
    return this.runner.settled();
  }

  status(): KernelLoopStatus {
    const { firstPassOps, passes, ops, failures, conflicts } = this;
    return { firstPassOps, passes, ops, failures, conflicts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.subscription[Symbol.dispose]();
    await this.runner.stop();
  }

  private async pass(signal: AbortSignal, reasons: ReadonlySet<string>): Promise<void> {
    const whole = this.wholePass || reasons.has('resync');
    this.wholePass = false;
    const only = this.desired.takeDirty();
    for (const key of this.dirty) only.add(key);
    this.dirty.clear();
    this.trackSysctls(whole ? this.desired.state.keys() : only);
    try {
      const { planned, failures } = await this.exclusively(() =>
        this.reconcile(whole ? undefined : only, signal),
      );
      this.firstPassOps ??= planned;
      if (failures.length > 0) throw new KernelPassError(failures);
    } catch (error) {
      this.wholePass = true; // what was taken is not known to be done
      throw error;
    }
  }

  /** Plans and applies; between the two nobody else may. */
  private async reconcile(
    only: ReadonlySet<string> | undefined,
    signal?: AbortSignal,
  ): Promise<{ planned: number; failures: readonly OpFailure[] }> {
    const { ops, conflicts } = plan(this.desired.state, this.kernel.state(), {
      owners: this.owners,
      ...(only !== undefined && { only }),
    });
    this.passes++;
    this.ops += ops.length;
    if (only === undefined) this.noteConflicts(conflicts.map((conflict) => conflict.message));
    if (ops.length === 0) {
      this.failures = [];
      return { planned: 0, failures: [] };
    }
    const { failures } = await this.kernel.apply(ops, signal);
    this.failures = failures.map((failure) => failure.message);
    const shown = ops.slice(0, LOGGED_OPS).map(describeOp);
    this.logger.info({ ops: ops.length, failed: failures.length, first: shown }, 'kernel changed');
    return { planned: ops.length, failures };
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const run = this.queue.then(work);
    this.queue = run.catch(() => undefined);
    return run;
  }

  private noteConflicts(messages: readonly string[]): void {
    for (const message of messages) {
      if (!this.conflicts.includes(message))
        this.logger.warn({ conflict: message }, 'foreign object in the way');
    }
    this.conflicts = messages;
  }

  private trackSysctls(keys: Iterable<string>): void {
    const paths: string[] = [];
    for (const key of keys) if (key.startsWith('sysctl ')) paths.push(key.slice('sysctl '.length));
    if (paths.length > 0) this.kernel.trackSysctls(paths);
  }
}

class KernelPassError extends Error {
  override readonly name = 'KernelPassError';
  constructor(failures: readonly OpFailure[]) {
    super(failures.map((failure) => failure.message).join('; '));
  }
}
