/**
 * What a list of the subnet keys means for this node: which key is its own and whether it can stand, what is to be written or made,
 * what has been lost, and what an operator should see. Pure judgement; calls and retries are the machine's.
 */
import type { IpPrefix } from '#base/ip/index.ts';
import { chooseSubnet, isOutOfSubnets, validateSubnet } from '../allocator.ts';
import { enabledFamilies, FAMILY_KEYS, type FamilyKey, poolOf } from '../model.ts';
import type { NetConf } from '../net-conf.ts';
import { type EtcdProblem, namedProblems, problem } from './census.ts';
import { familyOverlaps, pairsOverlap, pairText, type SubnetPair, subnetKey } from './layout.ts';
import type { EtcdLeaseConfig, LostSubnet, WritePlan } from './machine-types.ts';
import type { EtcdKeyValue } from './ports.ts';
import {
  holderOf,
  isOwnStored,
  isReserved,
  type StoredReading,
  type StoredSubnet,
  valueOfOffer,
} from './stored.ts';
import { writeSubnetValue } from './value.ts';

/** The keys, and what the node knows besides. */
export interface EtcdView {
  readonly config: EtcdLeaseConfig;
  readonly readings: Iterable<StoredReading>;
  readonly random: number;
  /** What the agent was told to use. */
  readonly using: SubnetPair;
  /** What to ask for first where nothing is in use. */
  readonly wanted: SubnetPair;
  /** The key this node last saw as its own. */
  readonly heldKey: string | undefined;
  /** The lease it gave that key. */
  readonly lease: string | undefined;
  /** The lease is to be renewed. */
  readonly isDue: boolean;
  /** Keys that another program with this node's address writes to. */
  readonly yielded: ReadonlySet<string>;
}

export interface EtcdDecision {
  /** This node's key; with `write` it is to be written again. */
  readonly held?: StoredSubnet;
  readonly write?: WritePlan;
  readonly lost: readonly LostSubnet[];
  readonly problems: readonly EtcdProblem[];
  /** No subnet is left in some family. */
  readonly isShort: boolean;
  /** The key that another program has taken over, if one has. */
  readonly yielded?: string;
}

export function decideSubnets(view: EtcdView): EtcdDecision {
  const sorted = sortReadings(view);
  const { own, others, problems } = sorted;
  const unfit = new Map<StoredSubnet, string>();
  for (const stored of own) {
    const reason = unfitReason(stored.subnets, view.config.netConf) ?? rivalReason(stored, others);
    if (reason !== undefined) unfit.set(stored, reason);
  }
  const [held, ...surplus] = own
    .filter((stored) => !unfit.has(stored))
    .toSorted((a, b) => rank(a, view) - rank(b, view) || a.kv.createRevision - b.kv.createRevision);
  for (const [stored, reason] of unfit)
    if (isReserved(stored)) problems.push(unusedReservation(stored, reason));
  // A reservation is an operator's word. What only has this node's address is deleted where flannel deletes it: where it does not fit.
  const deletes = [...surplus.filter(isSigned), ...unfit.keys()].filter((stored) => !isReserved(stored));
  const base = { problems, ...(sorted.yielded === undefined ? {} : { yielded: sorted.yielded }) };
  if (held !== undefined) {
    const lost = lostOf(view, held.subnets, others, unfit);
    const write = rewriteOf(held, view, deletes);
    return { ...base, held, ...(write === undefined ? {} : { write }), lost, isShort: false };
  }
  const kept = own.filter((stored) => !deletes.includes(stored)).map((stored) => stored.subnets);
  const taken = [...others.map((other) => other.subnets), ...sorted.blocked, ...kept];
  const { shortage, ...rest } = acquire(view, taken, deletes, others, unfit);
  if (shortage !== undefined) problems.push(problem('out-of-subnets', shortage));
  return { ...base, ...rest, isShort: shortage !== undefined };
}

interface SortedReadings {
  readonly own: readonly StoredSubnet[];
  readonly others: readonly StoredSubnet[];
  /** What unreadable keys occupy. */
  readonly blocked: readonly SubnetPair[];
  readonly problems: EtcdProblem[];
  readonly yielded: string | undefined;
}

function sortReadings(view: EtcdView): SortedReadings {
  const { config, heldKey } = view;
  const own: StoredSubnet[] = [];
  const others: StoredSubnet[] = [];
  const blocked: SubnetPair[] = [];
  const problems: EtcdProblem[] = [];
  let yielded: string | undefined;
  for (const reading of view.readings) {
    if (!reading.ok) {
      if (reading.subnets !== undefined) blocked.push(reading.subnets);
      problems.push(
        problem('malformed-lease', `key ${reading.key} is left alone: ${reading.reason}`, reading.key),
      );
      continue;
    }
    const { stored } = reading;
    const { key } = stored.kv;
    // A running flannel renews without looking: what it has written over is its own.
    const isTakenOver =
      !isSigned(stored) && !isReserved(stored) && (key === heldKey || view.yielded.has(key));
    if (isTakenOver) yielded = key;
    (isOwnStored(stored, config) && !isTakenOver ? own : others).push(stored);
  }
  problems.push(...namedProblems(own, others, config, yielded));
  return { own, others, blocked, problems, yielded };
}

function isSigned({ value }: StoredSubnet): boolean {
  return value.owner !== undefined;
}

/** Why subnets cannot be a node's share of this network; undefined if they can. */
export function unfitReason(subnets: SubnetPair, netConf: NetConf): string | undefined {
  for (const key of FAMILY_KEYS) {
    const [pool, subnet] = [netConf[key], subnets[key]];
    if (pool === undefined && subnet !== undefined) return `it has ${subnet}, and the network has no ${key}`;
    if (pool === undefined) continue;
    if (subnet === undefined) return `it has no ${key} subnet, and the network has ${key}`;
    const reason = validateSubnet(pool, subnet);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/**
 * Why a key of this node gives way to an overlapping one. Keys that Poplin makes never overlap; flannel compares its own key alone,
 * and never gives way. Between others the reservation stays, else the older key.
 */
function rivalReason(stored: StoredSubnet, others: readonly StoredSubnet[]): string | undefined {
  if (isReserved(stored)) return undefined;
  const rival = others.find(
    (other) =>
      pairsOverlap(other.subnets, stored.subnets) &&
      (!isSigned(other) || isReserved(other) || other.kv.createRevision < stored.kv.createRevision),
  );
  return rival && `key ${rival.kv.key} of ${holderOf(rival)} has it too`;
}

// The subnets in use stay; else a reservation comes first, else what the node had before.
function rank(stored: StoredSubnet, { using, wanted, heldKey }: EtcdView): number {
  if (stored.kv.key === heldKey || isSamePair(stored.subnets, using)) return 0;
  if (isReserved(stored)) return 1;
  return isSamePair(stored.subnets, wanted) ? 2 : 3;
}

function isSamePair(a: SubnetPair, b: SubnetPair): boolean {
  return FAMILY_KEYS.every((key) => a[key] === b[key]);
}

/** What is to be written over this node's key, or undefined if it can stand as it is. */
function rewriteOf(
  held: StoredSubnet,
  view: EtcdView,
  deletes: readonly StoredSubnet[],
): WritePlan | undefined {
  const { kv, subnets } = held;
  const value = writeSubnetValue(valueOfOffer(view.config), kv.value);
  const reserved = isReserved(held);
  // A lease that an earlier run of this node gave has an end that is not known here.
  const isRenewal = !reserved && (view.isDue || kv.lease !== view.lease);
  if (value === kv.value && !isRenewal && deletes.length === 0) return undefined;
  return { key: kv.key, value, subnets, reserved, before: kv, deletes: deletes.map(keyValue) };
}

function acquire(
  view: EtcdView,
  taken: readonly SubnetPair[],
  deletes: readonly StoredSubnet[],
  others: readonly StoredSubnet[],
  unfit: ReadonlyMap<StoredSubnet, string>,
): Pick<EtcdDecision, 'write' | 'lost'> & { readonly shortage?: string } {
  const { config, random, using, wanted } = view;
  const subnets: { [K in FamilyKey]?: IpPrefix } = {};
  for (const key of enabledFamilies(config.netConf)) {
    const previous = using[key] ?? wanted[key];
    try {
      subnets[key] = chooseSubnet({
        network: poolOf(config.netConf, key),
        taken: taken.flatMap((pair) => pair[key] ?? []),
        ...(previous === undefined ? {} : { previous }),
        // flannel's order: what is free is taken at random
        attempt: 1,
        // Both families draw from one number; the second takes its low digits.
        random: () => (key === 'ipv4' ? random : (random * 65_537) % 1),
      }).subnet;
    } catch (error) {
      if (!isOutOfSubnets(error)) throw error;
      return { lost: lostOf(view, subnets, others, unfit, true), shortage: error.message };
    }
  }
  const value = writeSubnetValue(valueOfOffer(config));
  const write = { key: subnetKey(config.layout, subnets), value, subnets, reserved: false };
  return {
    write: { ...write, before: undefined, deletes: deletes.map(keyValue) },
    lost: lostOf(view, subnets, others, unfit),
  };
}

function keyValue({ kv }: StoredSubnet): EtcdKeyValue {
  return kv;
}

/** Families whose subnet in use is not among the next ones; of those without a next one, where another has it (`onlyTaken`). */
function lostOf(
  { using, config }: EtcdView,
  next: SubnetPair,
  others: readonly StoredSubnet[],
  unfit: ReadonlyMap<StoredSubnet, string>,
  onlyTaken = false,
): readonly LostSubnet[] {
  return FAMILY_KEYS.flatMap((family) => {
    const subnet = using[family];
    if (subnet === undefined || next[family] === subnet) return [];
    const other = others.find(({ subnets }) => familyOverlaps(subnets, { [family]: subnet }, family));
    if (other === undefined && onlyTaken) return [];
    const why = [...unfit].find(([stored]) => stored.subnets[family] === subnet)?.[1];
    const reason =
      other === undefined
        ? (why ?? `${pairText(next)} is this node's now`)
        : `it was given to ${holderOf(other)} (key ${other.kv.key})`;
    return [{ family, subnet, message: `subnet ${subnet} of node ${config.node} is lost: ${reason}` }];
  });
}

function unusedReservation({ kv }: StoredSubnet, reason: string): EtcdProblem {
  return problem('unfit-lease', `the reservation ${kv.key} is not used: ${reason}`, kv.key);
}
