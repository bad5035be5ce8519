/**
 * A working model of etcd behind the port EtcdClient, in memory: revisions, transactions, leases that end by the clock it is given,
 * watches, compaction, and what goes wrong: outages, answers that are lost, clients that are cut off.
 */
import type { Clock } from '#base/clock.ts';
import {
  type EtcdCallOptions,
  type EtcdClient,
  EtcdError,
  type EtcdEvent,
  type EtcdOp,
  type EtcdRange,
  type EtcdTxn,
  type RangeAnswer,
  type TxnAnswer,
  type WatchBatch,
  type WatchRequest,
} from '#core/lease/etcd/index.ts';
import { inRange, keyOf, Mvcc, revisionOf } from './mvcc.ts';

interface FakeLease {
  readonly ttlSec: number;
  endsAtMs: number;
  timer: Disposable;
}

interface FakeWatch {
  readonly range: EtcdRange;
  readonly queue: WatchBatch[];
  ended: Error | undefined;
  wake: (() => void) | undefined;
}

export class FakeEtcd {
  readonly #clock: Clock;
  readonly #mvcc = new Mvcc();
  readonly #leases = new Map<string, FakeLease>();
  readonly #watches = new Set<FakeWatch>();
  #nextLease = 7_587_000_000_000_000_001n;
  #down = false;
  #lostAnswers = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get revision(): number {
    return this.#mvcc.revision;
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  /** Leases that live. */
  get leases(): readonly string[] {
    return [...this.#leases.keys()];
  }

  /** Every key with its value, by name. */
  entries(): ReadonlyArray<readonly [key: string, value: string, lease: string]> {
    return this.#mvcc
      .select({ key: '', end: '\u{10ffff}' })
      .map(({ key, value, lease }) => [key, value, lease]);
  }

  /** As an operator does by hand: whatever is there is written over. */
  put(key: string, value: string, lease = '0'): void {
    this.#apply([{ type: 'put', key, value, lease }]);
  }

  delete(key: string): void {
    this.#apply([{ type: 'delete', key }]);
  }

  /** Forgets the history up to now. */
  compact(): void {
    this.#mvcc.compact(this.#mvcc.revision);
  }

  /** Calls fail, and watches end, until it is up again. Leases go on running out. */
  outage(state: 'down' | 'up'): void {
    this.#down = state === 'down';
    if (this.#down) this.endWatches();
  }

  endWatches(): void {
    for (const watch of this.#watches) {
      watch.ended = new EtcdError('unavailable', 'the connection is lost');
      watch.wake?.();
    }
  }

  /** So many of the next calls are carried out, and their answers lost. */
  loseAnswers(count: number): void {
    this.#lostAnswers = count;
  }

  /** `reachable` cuts off this client alone. */
  client(reachable: () => boolean = () => true): EtcdClient {
    const call = async <T>(options: EtcdCallOptions | undefined, work: () => T): Promise<T> => {
      options?.signal?.throwIfAborted();
      await Promise.resolve();
      if (this.#down || !reachable()) throw new EtcdError('unavailable', 'no endpoint answers');
      const answer = work();
      if (this.#lostAnswers > 0) {
        this.#lostAnswers--;
        throw new EtcdError('unavailable', 'no answer', { mayBeDone: true });
      }
      options?.signal?.throwIfAborted();
      return answer;
    };
    return {
      range: (request, options) => call(options, () => this.#mvcc.range(request)),
      txn: (txn, options) => call(options, () => this.#txn(txn)),
      grant: (ttlSec, options) => call(options, () => this.#grant(ttlSec)),
      keepAlive: (lease, options) =>
        call(options, () => this.#arm(lease, this.#leaseOf(lease).ttlSec).ttlSec),
      timeToLive: (lease, options) =>
        call(options, () => {
          const found = this.#leases.get(lease);
          return found === undefined ? -1 : Math.floor((found.endsAtMs - this.#clock.now()) / 1000);
        }),
      revoke: (lease, options) =>
        call(options, () => {
          this.#leaseOf(lease);
          this.#end(lease);
        }),
      watch: (request, { signal }) => this.#watch(request, signal, reachable),
    };
  }

  #txn({ compare, success, failure }: EtcdTxn): TxnAnswer {
    const succeeded = compare.every((one) => this.#mvcc.holds(one));
    const ranges = this.#apply(succeeded ? success : failure);
    return { succeeded, revision: this.#mvcc.revision, ranges };
  }

  #apply(ops: readonly EtcdOp[]): RangeAnswer[] {
    for (const op of ops) if (op.type === 'put' && (op.lease ?? '0') !== '0') this.#leaseOf(op.lease ?? '');
    const puts = ops.flatMap((op) => (op.type === 'put' ? [op.key] : []));
    if (ops.some((op) => op.type === 'delete' && puts.some((key) => inRange(op, key))))
      throw new EtcdError('refused', 'duplicate key given in txn request');
    const revision = this.#mvcc.revision + 1;
    const events: EtcdEvent[] = [];
    const ranges: RangeAnswer[] = [];
    for (const op of ops) {
      if (op.type === 'range') ranges.push(this.#mvcc.range(op));
      else if (op.type === 'put') events.push(this.#mvcc.put(op.key, op.value, op.lease ?? '0', revision));
      else for (const { key } of this.#mvcc.select(op)) events.push(this.#mvcc.delete(key, revision));
    }
    this.#commit(events, revision);
    return ranges;
  }

  #commit(events: readonly EtcdEvent[], revision: number): void {
    if (events.length === 0) return;
    this.#mvcc.commit(events, revision);
    for (const watch of this.#watches) {
      const seen = events.filter((event) => inRange(watch.range, keyOf(event)));
      if (seen.length > 0) push(watch, { events: seen, nextRevision: revision + 1 });
    }
  }

  #grant(ttlSec: number): { lease: string; ttlSec: number } {
    const lease = String(this.#nextLease++);
    this.#arm(lease, ttlSec);
    return { lease, ttlSec };
  }

  #arm(lease: string, ttlSec: number): FakeLease {
    this.#leases.get(lease)?.timer[Symbol.dispose]();
    const timer = this.#clock.setTimeout(ttlSec * 1000, () => this.#end(lease));
    const armed = { ttlSec, endsAtMs: this.#clock.now() + ttlSec * 1000, timer };
    this.#leases.set(lease, armed);
    return armed;
  }

  #leaseOf(lease: string): FakeLease {
    const found = this.#leases.get(lease);
    if (found === undefined) throw new EtcdError('lease-not-found', `requested lease ${lease} not found`);
    return found;
  }

  #end(lease: string): void {
    this.#leases.get(lease)?.timer[Symbol.dispose]();
    this.#leases.delete(lease);
    const keys = this.entries().flatMap(([key, , of]) => (of === lease ? [key] : []));
    this.#apply(keys.map((key) => ({ type: 'delete', key })));
  }

  async *#watch(
    request: WatchRequest,
    signal: AbortSignal,
    reachable: () => boolean,
  ): AsyncGenerator<WatchBatch> {
    signal.throwIfAborted();
    if (this.#down || !reachable()) throw new EtcdError('unavailable', 'no endpoint answers');
    const { startRevision } = request;
    if (startRevision > this.#mvcc.revision + 1)
      throw new EtcdError('future', `revision ${startRevision} is yet to come`);
    const watch: FakeWatch = { range: request, queue: [], ended: undefined, wake: undefined };
    push(watch, { events: [], nextRevision: startRevision });
    const past = this.#mvcc.since(request, startRevision);
    for (const event of past) push(watch, { events: [event], nextRevision: revisionOf(event) + 1 });
    this.#watches.add(watch);
    const abort = () => {
      watch.ended = signal.reason as Error;
      watch.wake?.();
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      for (;;) {
        const batch = watch.queue.shift();
        if (batch !== undefined) yield batch;
        else if (watch.ended !== undefined) throw watch.ended;
        else
          await new Promise<void>((resolve) => {
            watch.wake = resolve;
          });
      }
    } finally {
      this.#watches.delete(watch);
      signal.removeEventListener('abort', abort);
    }
  }
}

function push(watch: FakeWatch, batch: WatchBatch): void {
  watch.queue.push(batch);
  watch.wake?.();
}
