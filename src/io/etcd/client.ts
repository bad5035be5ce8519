/** The port EtcdClient over etcd's JSON gateway (etcd 3.4 or later). Each watch holds a connection of its own. */
import {
  type EtcdCallOptions,
  type EtcdClient,
  EtcdError,
  type WatchBatch,
  type WatchRequest,
} from '#core/lease/etcd/index.ts';
import type { WatchPace } from '#core/store/index.ts';
import { describe, splitLines } from '#io/http/index.ts';
import { etcdFailure, isStaleToken } from './errors.ts';
import type { EtcdOptions } from './options.ts';
import { EtcdTransport, type EtcdTransportOptions } from './transport.ts';
import {
  rangeAnswer,
  revisionOf,
  txnAnswer,
  type WireLease,
  type WireRange,
  type WireTxn,
  type WireWatch,
  watchEvents,
  wireRange,
  wireRangeRequest,
  wireTxn,
} from './wire.ts';

const WATCH = '/v3/watch';

/** Disposal ends all calls and watches. */
export interface EtcdConnection extends EtcdClient, Disposable {}

/** Throws EtcdOptionsError; connects when something is asked. */
export function connectEtcd(etcd: EtcdOptions, options: EtcdTransportOptions): EtcdConnection {
  const transport = new EtcdTransport(etcd, options);
  const ask = async <T>(path: string, body: object, call?: EtcdCallOptions, isRead = false): Promise<T> =>
    (await transport.json({ path, body, isRead, signal: call?.signal })) as T;
  return {
    range: async (request, call) =>
      rangeAnswer(await ask<WireRange>('/v3/kv/range', wireRangeRequest(request), call, true)),
    txn: async (txn, call) => txnAnswer(await ask<WireTxn>('/v3/kv/txn', wireTxn(txn), call)),
    grant: async (ttlSec, call) => {
      // What a lost answer leaves behind ends by itself: it may as well be asked for again elsewhere.
      const answer = await ask<WireLease>('/v3/lease/grant', { TTL: String(ttlSec) }, call, true);
      if (answer.error) throw etcdFailure(undefined, answer.error, '/v3/lease/grant');
      return { lease: answer.ID ?? '0', ttlSec: Number(answer.TTL ?? 0) };
    },
    keepAlive: async (lease, call) => {
      const path = '/v3/lease/keepalive';
      const { result } = await ask<{ result?: WireLease }>(path, { ID: lease }, call, true);
      const ttlSec = Number(result?.TTL ?? 0);
      if (ttlSec > 0) return ttlSec;
      throw new EtcdError('lease-not-found', `${path}: requested lease ${lease} not found`);
    },
    timeToLive: async (lease, call) =>
      Number((await ask<WireLease>('/v3/lease/timetolive', { ID: lease }, call, true)).TTL ?? 0),
    revoke: async (lease, call) => {
      await ask('/v3/lease/revoke', { ID: lease }, call);
    },
    watch: (request, options) => watchOnce(transport, request, options),
    [Symbol.dispose]: () => transport.close(),
  };
}

async function* watchOnce(
  transport: EtcdTransport,
  request: WatchRequest,
  { signal, collectMs }: WatchPace & { readonly signal: AbortSignal },
): AsyncGenerator<WatchBatch> {
  const { startRevision } = request;
  const create = {
    ...wireRange(request),
    start_revision: String(startRevision),
    // Word that nothing happened moves the place to begin again out of compaction's way.
    progress_notify: true,
    // Large batches come in pieces.
    fragment: true,
  };
  using stream = await transport.stream({
    path: WATCH,
    body: { create_request: create },
    isRead: true,
    signal,
  });
  let nextRevision = startRevision;
  try {
    for await (const line of splitLines(stream.chunks(collectMs))) {
      const batch = readBatch(line, startRevision, nextRevision);
      if (batch === undefined) continue;
      nextRevision = batch.nextRevision;
      yield batch;
    }
  } catch (error) {
    if (isStaleToken(error)) transport.forgetToken();
    throw error;
  }
  signal.throwIfAborted();
  throw new EtcdError('unavailable', `${WATCH}: etcd ended the watch`);
}

/** One line of a watch; undefined for what says nothing. Throws EtcdError where it ends the watch. */
export function readBatch(line: string, startRevision: number, nextRevision: number): WatchBatch | undefined {
  const { result, error } = parseLine(line);
  if (error !== undefined) throw etcdFailure(error.grpc_code ?? error.code, error.message ?? 'failed', WATCH);
  if (result === undefined) return undefined;
  const revision = revisionOf(result);
  if (result.canceled === true) throw canceled(result.cancel_reason, result.compact_revision);
  if (result.created === true) {
    // A watch from a revision etcd has not reached would wait for it in silence: etcd was set back to an earlier state.
    if (startRevision > revision + 1)
      throw new EtcdError(
        'future',
        `${WATCH}: etcd is at revision ${revision}, and was at ${startRevision - 1}`,
      );
    return { events: [], nextRevision };
  }
  const events = watchEvents(result);
  const last = events.at(-1);
  if (last === undefined) return { events, nextRevision: Math.max(nextRevision, revision + 1) };
  // While a watch catches up, the header is ahead of the events; the rest of a piece has the same revision.
  const at = last.type === 'put' ? last.kv.modRevision : last.modRevision;
  return { events, nextRevision: result.fragment === true ? Math.max(nextRevision, at) : at + 1 };
}

function canceled(reason = '', compactRevision?: string): EtcdError {
  const compacted = Number(compactRevision ?? 0);
  if (compacted > 0)
    return new EtcdError('compacted', `${WATCH}: everything before revision ${compacted} is compacted`, {
      compactRevision: compacted,
    });
  return etcdFailure(undefined, `etcd ended the watch: ${reason === '' ? 'no reason given' : reason}`, WATCH);
}

function parseLine(line: string): WireWatch {
  try {
    return JSON.parse(line) as WireWatch;
  } catch (cause) {
    throw new EtcdError('unavailable', `${WATCH}: a line is not JSON: ${describe(cause)}`, { cause });
  }
}
