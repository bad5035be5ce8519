/** The port's requests and answers in the gateway's JSON: keys and values in base64, 64-bit numbers as text, zeros left out. */
import type {
  EtcdCompare,
  EtcdEvent,
  EtcdKeyValue,
  EtcdOp,
  EtcdRange,
  EtcdTxn,
  RangeAnswer,
  RangeRequest,
  TxnAnswer,
} from '#core/lease/etcd/index.ts';

interface WireHeader {
  readonly revision?: string;
}

interface WireKeyValue {
  readonly key?: string;
  readonly value?: string;
  readonly create_revision?: string;
  readonly mod_revision?: string;
  readonly lease?: string;
}

export interface WireRange {
  readonly header?: WireHeader;
  readonly kvs?: readonly WireKeyValue[];
  readonly more?: boolean;
}

export interface WireTxn {
  readonly header?: WireHeader;
  readonly succeeded?: boolean;
  readonly responses?: ReadonlyArray<{ readonly response_range?: WireRange }>;
}

export interface WireWatch {
  readonly result?: {
    readonly header?: WireHeader;
    readonly created?: boolean;
    readonly canceled?: boolean;
    readonly cancel_reason?: string;
    readonly compact_revision?: string;
    readonly fragment?: boolean;
    readonly events?: ReadonlyArray<{ readonly type?: string; readonly kv?: WireKeyValue }>;
  };
  readonly error?: { readonly grpc_code?: number; readonly code?: number; readonly message?: string };
}

export interface WireLease {
  readonly ID?: string;
  readonly TTL?: string;
  readonly error?: string;
}

export function revisionOf(answer: { readonly header?: WireHeader }): number {
  return Number(answer.header?.revision ?? 0);
}

export function wireRange({ key, end }: EtcdRange): object {
  return { key: encode(key), ...(end === undefined ? {} : { range_end: encode(end) }) };
}

export function wireRangeRequest(request: RangeRequest): object {
  const { limit, revision, minCreateRevision, sortBy } = request;
  return {
    ...wireRange(request),
    ...(limit === undefined ? {} : { limit: String(limit) }),
    ...(revision === undefined ? {} : { revision: String(revision) }),
    ...(minCreateRevision === undefined ? {} : { min_create_revision: String(minCreateRevision) }),
    ...(sortBy === undefined ? {} : { sort_target: 'CREATE', sort_order: 'ASCEND' }),
  };
}

export function wireTxn({ compare, success, failure }: EtcdTxn): object {
  return { compare: compare.map(wireCompare), success: success.map(wireOp), failure: failure.map(wireOp) };
}

function wireCompare(compare: EtcdCompare): object {
  const range = wireRange(compare);
  if (compare.target === 'lease') return { ...range, target: 'LEASE', result: 'EQUAL', lease: compare.lease };
  const name = compare.target === 'create' ? 'create_revision' : 'mod_revision';
  return {
    ...range,
    target: compare.target.toUpperCase(),
    result: compare.is === 'equal' ? 'EQUAL' : 'LESS',
    [name]: String(compare.revision),
  };
}

function wireOp(op: EtcdOp): object {
  if (op.type === 'range') return { request_range: wireRangeRequest(op) };
  if (op.type === 'delete') return { request_delete_range: wireRange(op) };
  const { key, value, lease = '0' } = op;
  return { request_put: { key: encode(key), value: encode(value), lease } };
}

export function rangeAnswer(wire: WireRange): RangeAnswer {
  return { revision: revisionOf(wire), kvs: (wire.kvs ?? []).map(keyValue), more: wire.more === true };
}

export function txnAnswer(wire: WireTxn): TxnAnswer {
  const ranges = (wire.responses ?? []).flatMap(({ response_range }) =>
    response_range === undefined ? [] : [rangeAnswer(response_range)],
  );
  return { succeeded: wire.succeeded === true, revision: revisionOf(wire), ranges };
}

export function watchEvents(wire: NonNullable<WireWatch['result']>): readonly EtcdEvent[] {
  return (wire.events ?? []).map(({ type, kv = {} }) => {
    const stored = keyValue(kv);
    if (type !== 'DELETE') return { type: 'put', kv: stored };
    return { type: 'delete', key: stored.key, modRevision: stored.modRevision };
  });
}

function keyValue(wire: WireKeyValue): EtcdKeyValue {
  return {
    key: decode(wire.key),
    value: decode(wire.value),
    createRevision: Number(wire.create_revision ?? 0),
    modRevision: Number(wire.mod_revision ?? 0),
    lease: wire.lease ?? '0',
  };
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(text: string | undefined): string {
  return Buffer.from(text ?? '', 'base64').toString('utf8');
}
