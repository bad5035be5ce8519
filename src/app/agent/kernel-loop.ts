/**
 * Keeps one namespace's kernel as the desired state wants it: after a change of the wish, after a change by anyone else, and in
 * full now and then. The cost of a pass is that of what changed, and what fails is tried again by itself: it holds up nothing else.
 * The first change is carried out at once, what follows within moments together: a transaction of nf_tables alone costs a millisecond.
 * Until start() nothing is removed: a wish that is not complete yet would take away what an earlier run left at work.
 * The links of pods are neither made nor removed by a pass: ADD does the one, by ensure(), DEL the other, by operations.
 */

import type { Logger } from 'pino';
import { Backoff } from '#base/backoff.ts';
import type { Clock, Random } from '#base/clock.ts';
import { createReconciler, type Reconciler } from '#base/work-queue.ts';
import {
  type Amendment,
  DesiredState,
  isAttached,
  isPodLink,
  type Kernel,
  type KernelObject,
  keyOf,
  type OpFailure,
  type Owner,
  type PlanOptions,
  plan,
} from '#core/kernel/index.ts';
import { ChangeLog } from './change-log.ts';

/** A full comparison so often, should a notification ever have been missed: as flannel's iptables-resync, but gentler. */
const RESYNC_MS = 60_000;
/** The least time between two passes that nobody waits for. */
const COLLECT_MS = 200;
const BACKOFF = { initialMs: 50, maxMs: 10_000 } as const;
/** Texts of failures a log line carries at most. */
const LOGGED_FAILURES = 8;
/** What the kernel says of an object that is not there (any more). */
const GONE = new Set(['ENOENT', 'ENODEV', 'ESRCH', 'EADDRNOTAVAIL', 'ENXIO']);

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
  /** Of those, over everything there is: at the start, once a minute, and after lost notifications. */
  readonly wholePasses: number;
  readonly ops: number;
  /** How long the last pass took, with its operations. */
  readonly lastPassMs: number | undefined;
  /** What the kernel refuses, each in its own words. */
  readonly failures: readonly string[];
  /** Foreign objects that stand where ours should be. */
  readonly conflicts: readonly string[];
}

/** What a pass may not do to attachments of pods. */
const PASS: Pick<PlanOptions, 'keep' | 'leave'> = { keep: isAttached, leave: isPodLink };

interface Waiter {
  readonly part: string;
  readonly resolve: () => void;
}

export class KernelLoop implements AsyncDisposable {
  readonly desired = new DesiredState();
  private readonly options: KernelLoopOptions;
  private owners: readonly Owner[];
  private readonly subscription: Disposable;
  private runner: Reconciler | undefined;
  /** Keys that somebody else changed. */
  private readonly dirty = new Set<string>();
  private wholePass = true;
  private comparedAtMs = 0;
  private queue: Promise<unknown> = Promise.resolve();
  /** By key, what failed when it was last tried. */
  private readonly failures = new Map<string, string>();
  private readonly conflicts = new Map<string, string>();
  private readonly retries: Backoff;
  private readonly changes: ChangeLog;
  private retry: Disposable | undefined;
  private resync: Disposable | undefined;
  private waiters: readonly Waiter[] = [];
  private firstPassOps: number | undefined;
  private passes = 0;
  private wholePasses = 0;
  private ops = 0;
  private lastPassMs: number | undefined;

  constructor(options: KernelLoopOptions) {
    this.options = options;
    this.owners = options.owners;
    this.retries = new Backoff(BACKOFF, options.random);
    this.changes = new ChangeLog(options.clock, options.logger);
    this.subscription = options.kernel.watch({
      changed: (keys) => {
        if (this.runner === undefined) return; // the first pass looks at everything
        for (const key of keys) this.dirty.add(key);
        this.runner.trigger('kernel');
      },
      resynced: () => {
        this.wholePass = true;
        this.runner?.trigger('lost notifications');
      },
    });
  }

  /** The wish is complete: from now on the kernel is made and kept as wished. Further calls are triggers. */
  start(): void {
    const { clock, random, logger } = this.options;
    this.runner ??= createReconciler({
      clock,
      random,
      backoff: BACKOFF,
      minIntervalMs: COLLECT_MS,
      run: (signal, reasons) => this.pass(signal, reasons),
      onError: (error, failures, retryInMs) => {
        if (failures === 1) logger.error({ err: error, retryInMs }, 'kernel pass broke off');
      },
    });
    this.trigger();
  }

  /** From now on the wish speaks for this owner's objects too: what it does not want is removed. */
  own(owner: Owner): void {
    if (this.owners.includes(owner)) return;
    this.owners = [...this.owners, owner];
    this.wholePass = true;
    this.trigger();
  }

  /** Asks for a pass after parts of `desired` were set; nothing before start(). */
  trigger(): void {
    this.runner?.trigger('wish');
  }

  /** Sets a part of the wish without touching the kernel: for what is there already, or is about to be taken away. */
  want(part: string, objects: readonly KernelObject[]): void {
    this.desired.set(part, objects);
  }

  /**
   * Sets a part of the wish and carries it out at once, before any pass that is due and also before start(); returns what
   * failed. For callers that answer for their part themselves, as a CNI ADD does.
   */
  async ensure(part: string, objects: readonly KernelObject[]): Promise<readonly OpFailure[]> {
    const before = this.desired.keysOf(part);
    this.desired.set(part, objects);
    const only = new Set([...before, ...objects.map(keyOf)]);
    return (await this.exclusively(() => this.reconcile(only, { keep: isAttached }))).failures;
  }

  /** Amends a part and carries that out at once, as ensure() does; the cost is that of the amendment. Returns what failed. */
  async amend(part: string, amendment: Amendment): Promise<readonly OpFailure[]> {
    this.desired.amend(part, amendment);
    const only = new Set([...amendment.removed, ...amendment.put.map(keyOf)]);
    return (await this.exclusively(() => this.reconcile(only, { keep: isAttached }))).failures;
  }

  /** Asks for a pass now; resolves at the end of the first one that finds all of a part in the kernel, whatever else fails. */
  inPlace(part: string): Promise<void> {
    this.runner?.triggerUrgently('wish');
    return new Promise((resolve) => {
      this.waiters = [...this.waiters, { part, resolve }];
    });
  }

  status(): KernelLoopStatus {
    const { firstPassOps, passes, wholePasses, ops, lastPassMs } = this;
    return {
      firstPassOps,
      passes,
      wholePasses,
      ops,
      lastPassMs,
      failures: [...new Set(this.failures.values())],
      conflicts: [...this.conflicts.values()],
    };
  }

  /** Leaves the kernel as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.subscription[Symbol.dispose]();
    this.retry?.[Symbol.dispose]();
    this.resync?.[Symbol.dispose]();
    await this.runner?.stop();
    await this.queue;
    this.retry?.[Symbol.dispose]();
    this.resync?.[Symbol.dispose]();
    this.changes[Symbol.dispose]();
  }

  private async pass(signal: AbortSignal, reasons: ReadonlySet<string>): Promise<void> {
    // Also where other passes leave the runner no quiet time for a resync of its own.
    const nowMs = this.options.clock.now();
    const whole = this.wholePass || nowMs - this.comparedAtMs >= RESYNC_MS;
    this.wholePass = false;
    if (whole) {
      this.wholePasses++;
      this.compareAgainAfter(nowMs);
    }
    const only = this.takeKeys(whole, reasons);
    try {
      const { planned } = await this.exclusively(() => this.reconcile(only, PASS, signal));
      this.firstPassOps ??= planned;
      this.lastPassMs = this.options.clock.now() - nowMs;
    } catch (error) {
      this.wholePass = true; // what was taken is not known to be done
      throw error;
    }
    this.wakeWaiters();
  }

  /** What there is to look at since the last pass; undefined for all. */
  private takeKeys(whole: boolean, reasons: ReadonlySet<string>): Set<string> | undefined {
    if (whole) {
      this.desired.settle();
      this.dirty.clear();
      return undefined;
    }
    const only = this.desired.takeDirty();
    for (const key of this.dirty) only.add(key);
    this.dirty.clear();
    if (reasons.has('retry')) for (const key of this.failures.keys()) only.add(key);
    return only;
  }

  /** The next whole comparison is due a minute after this one, whatever passes there are between. */
  private compareAgainAfter(nowMs: number): void {
    this.comparedAtMs = nowMs;
    this.resync?.[Symbol.dispose]();
    this.resync = this.options.clock.setTimeout(RESYNC_MS, () => this.runner?.trigger('resync'));
  }

  /** Plans and applies; between the two nobody else may. */
  private async reconcile(
    only: ReadonlySet<string> | undefined,
    limits: Pick<PlanOptions, 'keep' | 'leave'>,
    signal?: AbortSignal,
  ): Promise<{ planned: number; failures: readonly OpFailure[] }> {
    const { owners } = this;
    const { kernel, logger } = this.options;
    this.trackSysctls(only ?? this.desired.state.keys());
    if (only === undefined) kernel.refresh();
    const { ops, conflicts } = plan(this.desired.state, kernel.state(), {
      owners,
      ...limits,
      ...(only !== undefined && { only }),
    });
    this.passes++;
    this.ops += ops.length;
    const blocked = conflicts.map(({ desired, message }) => [keyOf(desired), message] as const);
    for (const conflict of replaceEntries(this.conflicts, only, blocked))
      logger.warn({ conflict }, 'foreign object in the way');
    const outcome = ops.length === 0 ? { failures: [] } : await kernel.apply(ops, signal);
    const failures = outcome.failures.filter(({ op, code }) => !isGone(op.verb, op.object.kind, code));
    if (ops.length > outcome.failures.length) this.changes.changed(ops, outcome.failures);
    const refused = failures.map(({ op, message }) => [keyOf(op.object), message] as const);
    const news = replaceEntries(this.failures, only, refused);
    if (news.length > 0)
      logger.warn({ failed: news.length, first: news.slice(0, LOGGED_FAILURES) }, 'kernel refused');
    this.scheduleRetry();
    // What was wanted without a trigger, and what changed meanwhile: own changes are not told, so nothing else would lead to a pass.
    if (ops.length > 0 && this.desired.isDirty) this.trigger();
    return { planned: ops.length, failures };
  }

  private scheduleRetry(): void {
    if (this.failures.size === 0) {
      this.retries.reset();
      this.retry?.[Symbol.dispose]();
      this.retry = undefined;
    } else {
      this.retry ??= this.options.clock.setTimeout(this.retries.next(), () => {
        this.retry = undefined;
        this.runner?.triggerUrgently('retry');
      });
    }
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const run = this.queue.then(work);
    this.queue = run.catch(() => undefined);
    return run;
  }

  private wakeWaiters(): void {
    const { owners } = this;
    const { kernel } = this.options;
    this.waiters = this.waiters.filter(({ part, resolve }) => {
      const only = new Set(this.desired.keysOf(part));
      const { ops, conflicts } = plan(this.desired.state, kernel.state(), { owners, only, ...PASS });
      if (ops.length > 0 || conflicts.length > 0) return true;
      resolve();
      return false;
    });
  }

  private trackSysctls(keys: Iterable<string>): void {
    const paths: string[] = [];
    for (const key of keys) {
      // Others' are followed no more once their link is gone.
      if (key.startsWith('sysctl ') && this.desired.state.has(key)) paths.push(key.slice('sysctl '.length));
    }
    if (paths.length > 0) this.options.kernel.trackSysctls(paths);
  }
}

/** What was to be removed is not there: that is all that was wanted. A transaction of nf_tables fails as a whole, and is made anew. */
function isGone(verb: string, kind: string, code: string): boolean {
  return verb === 'remove' && GONE.has(code) && !kind.startsWith('nft-');
}

/** Replaces the texts of the keys looked at (all if undefined) and returns those that are new. */
function replaceEntries(
  texts: Map<string, string>,
  keys: ReadonlySet<string> | undefined,
  found: readonly (readonly [key: string, text: string])[],
): string[] {
  const before = new Set(texts.values());
  if (keys === undefined) texts.clear();
  else for (const key of keys) texts.delete(key);
  for (const [key, text] of found) texts.set(key, text);
  return [...new Set(found.map(([, text]) => text))].filter((text) => !before.has(text));
}
