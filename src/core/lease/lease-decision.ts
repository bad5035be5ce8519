/**
 * What one list of the store means for one family of one node: which lease it holds, what to rewrite, create, give
 * back or reclaim, and what it has lost. Pure judgement; the order of calls and the retries are the acquirer's.
 */
import { type IpPrefix, prefixesOverlap } from '#base/ip/index.ts';
import type { LeaseState, StoredLease } from './acquirer-types.ts';
import { chooseSubnet, isOutOfSubnets, type OutOfSubnetsError, validateSubnet } from './allocator.ts';
import { type FamilyKey, familyOfKey, isExpired, type LeaseRecord, poolOf } from './model.ts';
import type { NetConfFamily } from './net-conf.ts';

type Config = LeaseState['config'];

/** The list as one family of one node sees it, and what the node knows besides. */
export interface FamilyView {
  readonly config: Config;
  readonly key: FamilyKey;
  readonly nowMs: number;
  readonly random: number;
  readonly attempt: number;
  /** Rewrite the lease even if nothing in it changes. */
  readonly rewrite: boolean;
  /** Leases that are this node's, and reservations it may claim. */
  readonly own: readonly StoredLease[];
  readonly others: readonly StoredLease[];
  /** Subnets that malformed objects occupy, or that the store refused. */
  readonly blocked: readonly IpPrefix[];
  readonly using: IpPrefix | undefined;
  readonly wanted: IpPrefix | undefined;
  /** Created by this node and not confirmed yet. */
  readonly created: IpPrefix | undefined;
}

export interface FamilyDecision {
  /** This node's lease; with `write` it is to be replaced by that record. */
  readonly held?: StoredLease;
  readonly write?: LeaseRecord;
  readonly create?: LeaseRecord;
  /** Leases to delete: this node's surplus, or others' that are over and stand in the way. */
  readonly deletes: readonly StoredLease[];
  /** The subnet in use is gone, and why. */
  readonly lost?: string;
  /** A lease of this node gave way to another's that overlaps it. */
  readonly yielded: readonly IpPrefix[];
  readonly outOfSubnets?: OutOfSubnetsError;
}

/** True if the lease is this node's: name and UID both agree. */
export function isOwn(record: LeaseRecord, config: Config): boolean {
  return record.node === config.node && record.ownerUid === config.ownerUid;
}

/** True for a reservation of this node's name that no other machine of that name uses. */
export function isClaimable(record: LeaseRecord, config: Config, nowMs: number): boolean {
  if (!record.reserved || record.node !== config.node) return false;
  return record.ownerUid === '' || isExpired({ ...record, reserved: false }, nowMs, config.clockSkewSec);
}

/** The moment a lease is to be renewed. */
export function renewAtMs(record: LeaseRecord, config: Config): number {
  return record.renewedAtMs + (record.durationSec - config.renewMarginSec) * 1000;
}

/** Judges a list for one family. */
export function decideFamily(view: FamilyView): FamilyDecision {
  const pool = poolOf(view.config.netConf, view.key);
  const unfit = new Map<StoredLease, string>();
  const yielded: IpPrefix[] = [];
  for (const lease of view.own) {
    const reason = validateSubnet(pool, lease.record.subnet);
    const rival = reason === undefined ? victor(lease, view) : undefined;
    if (rival !== undefined) yielded.push(lease.record.subnet);
    if (reason !== undefined) unfit.set(lease, reason);
    else if (rival !== undefined)
      unfit.set(lease, `${rival.record.subnet} of node ${rival.record.node} overlaps it`);
  }
  const [held, ...surplus] = view.own
    .filter((lease) => !unfit.has(lease))
    .sort((a, b) => rank(a, view) - rank(b, view));
  // A reservation is an operator's word: this machine does not delete it.
  const deletes = [...surplus, ...unfit.keys()].filter((lease) => !lease.record.reserved);
  const base = { deletes, yielded };
  if (held !== undefined) {
    const lost =
      view.using !== undefined && view.using !== held.record.subnet ? lostText(view, unfit) : undefined;
    const record = refreshed(held, view);
    return { ...base, held, ...(record ? { write: record } : {}), ...(lost === undefined ? {} : { lost }) };
  }
  const kept = [...unfit.keys()].filter((lease) => lease.record.reserved).map((lease) => lease.record.subnet);
  return acquire(view, pool, base, [...view.blocked, ...kept], unfit);
}

function acquire(
  view: FamilyView,
  pool: NetConfFamily,
  base: Pick<FamilyDecision, 'deletes' | 'yielded'>,
  blocked: readonly IpPrefix[],
  unfit: ReadonlyMap<StoredLease, string>,
): FamilyDecision {
  const gaveWay = [...unfit.keys()].some((lease) => lease.record.subnet === view.using);
  const want = gaveWay ? undefined : (view.using ?? view.wanted);
  if (want !== undefined && validateSubnet(pool, want) === undefined && !overlapsAny(want, blocked)) {
    const holders = view.others.filter((other) => prefixesOverlap(other.record.subnet, want));
    if (holders.length === 0) return { ...base, create: newRecord(want, view) };
    if (holders.every((holder) => isOver(holder, view)))
      return { ...base, deletes: [...base.deletes, ...holders] };
  }
  const lost = view.using === undefined ? {} : { lost: lostText(view, unfit) };
  const query = { network: pool, reserved: blocked, attempt: view.attempt, random: () => view.random };
  try {
    const { subnet } = chooseSubnet({ ...query, taken: view.others.map((other) => other.record.subnet) });
    return { ...base, ...lost, create: newRecord(subnet, view) };
  } catch (error) {
    if (!isOutOfSubnets(error)) throw error;
  }
  try {
    const live = view.others.filter((other) => !isOver(other, view));
    const { subnet } = chooseSubnet({ ...query, taken: live.map((other) => other.record.subnet) });
    const inTheWay = view.others.filter((other) => prefixesOverlap(other.record.subnet, subnet));
    return { ...base, ...lost, deletes: [...base.deletes, ...inTheWay] };
  } catch (error) {
    if (isOutOfSubnets(error)) return { ...base, ...lost, outOfSubnets: error };
    throw error;
  }
}

// The lease in use stays; else a reservation is preferred, else the wanted subnet, else the lowest.
function rank(lease: StoredLease, view: FamilyView): number {
  const { subnet, reserved } = lease.record;
  if (subnet === view.using) return 0;
  if (reserved) return 1;
  return subnet === view.wanted ? 2 : 3;
}

/** The lease of another node to which this node's lease must give way, if any. */
function victor(lease: StoredLease, view: FamilyView): StoredLease | undefined {
  const rivals = view.others.filter((other) => prefixesOverlap(other.record.subnet, lease.record.subnet));
  const { subnet } = lease.record;
  const isNewcomer = view.created === subnet || (subnet !== view.using && subnet !== view.wanted);
  // Whoever comes later and sees the other yields: of two newcomers at least one sees the other.
  if (isNewcomer) return rivals[0];
  const live = rivals.filter((rival) => !isOver(rival, view));
  if (isExpired(lease.record, view.nowMs)) return live[0];
  return live.find((rival) => isSenior(rival, lease));
}

function isSenior(a: StoredLease, b: StoredLease): boolean {
  // The store's own clock decides where it can; it counts whole seconds.
  const born = (lease: StoredLease) => lease.object.metadata.creationTimestamp ?? '';
  if (born(a) !== born(b)) return born(a) < born(b);
  if (a.record.acquiredAtMs !== b.record.acquiredAtMs) return a.record.acquiredAtMs < b.record.acquiredAtMs;
  return a.name < b.name;
}

/** True if another node's lease is over and may be reclaimed. */
function isOver(other: StoredLease, view: FamilyView): boolean {
  return isExpired(other.record, view.nowMs, view.config.clockSkewSec);
}

function overlapsAny(subnet: IpPrefix, prefixes: readonly IpPrefix[]): boolean {
  return prefixes.some((prefix) => prefixesOverlap(prefix, subnet));
}

function lostText(view: FamilyView, unfit: ReadonlyMap<StoredLease, string>): string {
  for (const [lease, reason] of unfit) {
    if (lease.record.subnet === view.using) return `subnet ${view.using} is given up: ${reason}`;
  }
  const holder = view.others.find(
    (other) => view.using !== undefined && prefixesOverlap(other.record.subnet, view.using),
  );
  if (holder !== undefined)
    return `subnet ${view.using} was given to node ${holder.record.node} (lease ${holder.name}) while this node was away`;
  return `subnet ${view.using} cannot be leased any more`;
}

function newRecord(subnet: IpPrefix, view: FamilyView): LeaseRecord {
  const { config, key, nowMs } = view;
  return {
    family: familyOfKey(key),
    subnet,
    node: config.node,
    ownerUid: config.ownerUid,
    backendType: config.offer.backendType,
    ...config.offer[key],
    acquiredAtMs: nowMs,
    renewedAtMs: nowMs,
    durationSec: config.durationSec,
    reserved: false,
  };
}

/** The record to write, or undefined if the lease can stand as it is. */
function refreshed(lease: StoredLease, view: FamilyView): LeaseRecord | undefined {
  const { record } = lease;
  const { config, nowMs } = view;
  const next: LeaseRecord = {
    ...newRecord(record.subnet, view),
    acquiredAtMs: record.acquiredAtMs === 0 ? nowMs : record.acquiredAtMs,
    reserved: record.reserved,
  };
  const isDue = nowMs >= renewAtMs(record, config);
  // A renewal from the future comes of a clock that was wrong: it would keep the lease from being renewed.
  const isAhead = record.renewedAtMs > nowMs + config.clockSkewSec * 1000;
  const same = sameOffer(record, next) && record.durationSec === next.durationSec && isOwn(record, config);
  return isDue || isAhead || !same || view.rewrite ? next : undefined;
}

function sameOffer(a: LeaseRecord, b: LeaseRecord): boolean {
  return (
    a.backendType === b.backendType &&
    a.publicIp === b.publicIp &&
    JSON.stringify(a.backendData) === JSON.stringify(b.backendData)
  );
}
