/**
 * A range of keys, followed: all of it, then each change, across lost connections and compaction. Whoever follows keeps what was
 * told while etcd is away.
 */
import { Backoff, type BackoffOptions } from '#base/backoff.ts';
import { type Clock, delay, type Random } from '#base/clock.ts';
import {
  type EtcdClient,
  EtcdError,
  type EtcdKeyValue,
  type EtcdRange,
  isOutOfHistory,
  listRange,
  type WatchBatch,
} from '#core/lease/etcd/index.ts';
import type { WatchPace } from '#core/store/index.ts';

export interface EtcdFollower {
  /** Everything there is: first of all, and whenever changes may have been missed. */
  sync(kvs: readonly EtcdKeyValue[]): void;
  upsert(kv: EtcdKeyValue): void;
  remove(key: string, modRevision: number): void;
  /** etcd went away, or came back; told on each change, the first time in either direction. */
  connection(state: 'up' | 'down', cause?: Error): void;
}

export interface EtcdFollowOptions extends WatchPace {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** 0.5 s to 30 s if absent. */
  readonly backoff?: BackoffOptions;
  readonly pageKeys?: number;
}

const DEFAULT_BACKOFF: BackoffOptions = { initialMs: 500, maxMs: 30_000, factor: 2, jitter: 0.5 };
/** A watch that lived this long was a success, even without events. */
const HEALTHY_WATCH_MS = 5_000;

/** Resolves when the signal aborts; rejects with what the follower throws. */
export async function followEtcd(
  client: EtcdClient,
  range: EtcdRange,
  options: EtcdFollowOptions,
  follower: EtcdFollower,
): Promise<void> {
  const { clock, random, signal, collectMs = 0 } = options;
  const backoff = new Backoff(options.backoff ?? DEFAULT_BACKOFF, random);
  let state: 'up' | 'down' | undefined;
  /** Where to begin again; undefined: list first. */
  let nextRevision: number | undefined;
  const tell = (next: 'up' | 'down', cause?: Error) => {
    if (state === next) return;
    state = next;
    follower.connection(next, cause);
  };
  while (!signal.aborted) {
    const startedAtMs = clock.now();
    let failure: EtcdError;
    const isListing = nextRevision === undefined;
    try {
      if (nextRevision === undefined) {
        const listing = await listRange(client, range, options);
        follower.sync(listing.kvs);
        nextRevision = listing.revision + 1;
        tell('up');
      }
      const request = { ...range, startRevision: nextRevision };
      for await (const batch of client.watch(request, { signal, collectMs })) {
        tell('up');
        deliver(batch, follower);
        nextRevision = batch.nextRevision;
        if (batch.events.length > 0) backoff.reset();
      }
      failure = new EtcdError('unavailable', 'the watch ended');
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof EtcdError)) throw error;
      failure = error;
    }
    if (clock.now() - startedAtMs >= HEALTHY_WATCH_MS) backoff.reset();
    if (isOutOfHistory(failure)) {
      nextRevision = undefined;
      // It is there again, however long it was away: list at once. One that says so of what it has just listed is asked less and less often.
      if (!isListing) {
        backoff.reset();
        continue;
      }
    } else tell('down', failure);
    await delay(clock, backoff.next(), signal).catch(() => undefined);
  }
}

function deliver({ events }: WatchBatch, follower: EtcdFollower): void {
  for (const event of events) {
    if (event.type === 'put') follower.upsert(event.kv);
    else follower.remove(event.key, event.modRevision);
  }
}
