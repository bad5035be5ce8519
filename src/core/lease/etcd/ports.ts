/**
 * What leases in etcd need of etcd's v3 API. Keys and values are UTF-8 text, revisions are numbers (etcd counts them one by one),
 * lease identifiers are decimal text, for they use all of their 64 bits. io/etcd speaks it over the JSON gateway; testing/fake-etcd
 * is a model in memory.
 */
import type { WatchPace } from '#core/store/index.ts';

/** A key as it stands in etcd. */
export interface EtcdKeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  /** `0`: the key has no lease and stays until it is deleted. */
  readonly lease: string;
}

/** The keys from `key` up to `end`, without it; `key` alone where there is no end. */
export interface EtcdRange {
  readonly key: string;
  readonly end?: string;
}

export interface RangeRequest extends EtcdRange {
  /** At most so many keys. */
  readonly limit?: number;
  /** As things stood then; now if absent. */
  readonly revision?: number;
  /** Keys created at this revision or later. */
  readonly minCreateRevision?: number;
  /** By name if absent. */
  readonly sortBy?: 'create';
}

export interface RangeAnswer {
  /** Of the whole store, when it was read. */
  readonly revision: number;
  readonly kvs: readonly EtcdKeyValue[];
  /** There are more keys than the limit. */
  readonly more: boolean;
}

/** What must hold, for every key of a range; a range without keys counts as one key of revision 0 without a lease. */
export type EtcdCompare = EtcdRange &
  (
    | { readonly target: 'create' | 'mod'; readonly is: 'equal' | 'less'; readonly revision: number }
    | { readonly target: 'lease'; readonly lease: string }
  );

export type EtcdOp =
  /** `lease` absent or `0`: the key gets no lease, whatever it had. */
  | { readonly type: 'put'; readonly key: string; readonly value: string; readonly lease?: string }
  | ({ readonly type: 'delete' } & EtcdRange)
  | ({ readonly type: 'range' } & RangeRequest);

export interface EtcdTxn {
  readonly compare: readonly EtcdCompare[];
  readonly success: readonly EtcdOp[];
  readonly failure: readonly EtcdOp[];
}

export interface TxnAnswer {
  readonly succeeded: boolean;
  /** Of the store after it. */
  readonly revision: number;
  /** What the range operations of the branch that ran found, in their order. */
  readonly ranges: readonly RangeAnswer[];
}

export interface LeaseGrant {
  readonly lease: string;
  /** What etcd gave, in seconds: it may be more than was asked for. */
  readonly ttlSec: number;
}

export interface WatchRequest extends EtcdRange {
  /** The first revision to be told of. */
  readonly startRevision: number;
}

export type EtcdEvent =
  | { readonly type: 'put'; readonly kv: EtcdKeyValue }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number };

/** Changes as they happened, or word that there was none; first of all, once the watch stands, one without events. */
export interface WatchBatch {
  readonly events: readonly EtcdEvent[];
  /** Everything before this revision has been told: where to begin again. */
  readonly nextRevision: number;
}

export interface EtcdCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Every call throws EtcdError, or the signal's reason. */
export interface EtcdClient {
  range(request: RangeRequest, options?: EtcdCallOptions): Promise<RangeAnswer>;
  txn(txn: EtcdTxn, options?: EtcdCallOptions): Promise<TxnAnswer>;
  grant(ttlSec: number, options?: EtcdCallOptions): Promise<LeaseGrant>;
  /** Starts a lease's time anew; its length in seconds. */
  keepAlive(lease: string, options?: EtcdCallOptions): Promise<number>;
  /** Seconds a lease has left. */
  timeToLive(lease: string, options?: EtcdCallOptions): Promise<number>;
  /** Ends a lease, and all keys that have it. */
  revoke(lease: string, options?: EtcdCallOptions): Promise<void>;
  /** Until the signal aborts, or with an error; never simply ends. */
  watch(
    request: WatchRequest,
    options: WatchPace & { readonly signal: AbortSignal },
  ): AsyncIterable<WatchBatch>;
}

export type EtcdFailure =
  /** No endpoint answered, or none that could do it. */
  | 'unavailable'
  /** The revision asked for is compacted away: list again. */
  | 'compacted'
  /** etcd has no such revision yet: it was set back to an earlier state. List again. */
  | 'future'
  | 'lease-not-found'
  /** The credentials, or what they allow. */
  | 'denied'
  /** etcd understood and does not want to. */
  | 'refused';

export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  readonly failure: EtcdFailure;
  /** The call may have been carried out, or yet be. */
  readonly mayBeDone: boolean;
  /** With `compacted`: the first revision that is still there, where etcd said it. */
  readonly compactRevision: number | undefined;

  constructor(
    failure: EtcdFailure,
    message: string,
    options: { mayBeDone?: boolean; compactRevision?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.failure = failure;
    this.mayBeDone = options.mayBeDone ?? false;
    this.compactRevision = options.compactRevision;
  }
}

export const isEtcdError = (error: unknown): error is EtcdError => error instanceof EtcdError;
/** What was asked is of a revision that etcd does not have: everything is to be listed again. */
export const isOutOfHistory = (error: unknown): error is EtcdError =>
  isEtcdError(error) && (error.failure === 'compacted' || error.failure === 'future');
