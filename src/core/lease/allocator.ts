/**
 * Chooses a node's subnet: its own lease, else its previous subnet, else the lowest free one, and after a lost race
 * one of the first hundred free at random, so that many nodes starting at once part company. Taken prefixes may have
 * any length; a sorted sweep keeps the cost at O(n log n) for n taken ones.
 */
import {
  bigIntToIp,
  compareIp,
  familyBits,
  type IpPrefix,
  ipToBigInt,
  networkOf,
  prefixContains,
  prefixParts,
} from '#base/ip/index.ts';
import type { NetConfFamily } from './net-conf.ts';

/** After a lost race the choice is among this many free subnets, as in flannel. */
export const RANDOM_CHOICES = 100;

export interface SubnetQuery {
  readonly network: NetConfFamily;
  /** What others hold: any prefixes of the family, in any order, of any length, overlapping or not. */
  readonly taken: Iterable<IpPrefix>;
  /** Prefixes never to be given out. */
  readonly reserved?: Iterable<IpPrefix>;
  /** The subnet this node's existing lease names; not part of `taken`. */
  readonly own?: IpPrefix;
  /** The subnet this node had before. */
  readonly previous?: IpPrefix;
  /** How many races for a subnet were lost since the last success. */
  readonly attempt?: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface SubnetChoice {
  readonly subnet: IpPrefix;
  readonly reason: 'own' | 'previous' | 'lowest' | 'random';
}

/** Every subnet between SubnetMin and SubnetMax is taken. */
export class OutOfSubnetsError extends Error {
  override readonly name = 'OutOfSubnetsError';
  readonly network: NetConfFamily;
  constructor(network: NetConfFamily) {
    const { subnetLen, subnetMin, subnetMax } = network;
    super(
      `out of subnets: all ${subnetCount(network)} subnets of /${subnetLen} in ${network.network} ` +
        `from ${subnetMin} to ${subnetMax} are taken; free one, or widen the range`,
    );
    this.network = network;
  }
}

export const isOutOfSubnets = (error: unknown): error is OutOfSubnetsError =>
  error instanceof OutOfSubnetsError;

/** Picks a subnet; throws OutOfSubnetsError when there is none, RangeError for malformed prefixes in the query. */
export function chooseSubnet(query: SubnetQuery): SubnetChoice {
  const { network, own, previous } = query;
  const taken = new TakenSubnets(network, query.taken, query.reserved ?? []);
  if (own !== undefined && taken.isFree(own)) return { subnet: own, reason: 'own' };
  if (previous !== undefined && taken.isFree(previous)) return { subnet: previous, reason: 'previous' };
  const retry = (query.attempt ?? 0) > 0;
  const free = taken.firstFree(retry ? RANDOM_CHOICES : 1);
  if (free.length === 0) throw new OutOfSubnetsError(network);
  const index = retry ? Math.min(Math.floor(query.random() * free.length), free.length - 1) : 0;
  return { subnet: free[index] as IpPrefix, reason: retry ? 'random' : 'lowest' };
}

/** Why a prefix cannot be a lease in this network, in words; undefined if it can. */
export function validateSubnet(network: NetConfFamily, subnet: IpPrefix): string | undefined {
  const parts = prefixParts(subnet);
  const pool = prefixParts(network.network);
  if (parts.family !== pool.family)
    return `${subnet} is IPv${parts.family}, the network ${network.network} is not`;
  const aligned = networkOf(subnet);
  if (aligned !== subnet) return `${subnet} has host bits set: the subnet would be ${aligned}`;
  if (parts.length !== network.subnetLen)
    return `${subnet} is a /${parts.length}, the network gives out /${network.subnetLen}`;
  if (!prefixContains(network.network, subnet)) return `${subnet} is outside the network ${network.network}`;
  if (compareIp(parts.address, network.subnetMin) < 0)
    return `${subnet} is below the first subnet ${network.subnetMin}`;
  if (compareIp(parts.address, network.subnetMax) > 0)
    return `${subnet} is above the last subnet ${network.subnetMax}`;
  return undefined;
}

/** How many subnets the range holds. */
export function subnetCount(network: NetConfFamily): bigint {
  const span = ipToBigInt(network.subnetMax) - ipToBigInt(network.subnetMin);
  return (span >> BigInt(hostBits(network))) + 1n;
}

function hostBits(network: NetConfFamily): number {
  const { family } = prefixParts(network.network);
  return familyBits(family) - network.subnetLen;
}

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** Taken prefixes as disjoint, ascending ranges of subnet numbers, counted from SubnetMin. */
export class TakenSubnets {
  private readonly network: NetConfFamily;
  private readonly ranges: readonly Range[];

  constructor(network: NetConfFamily, ...taken: Iterable<IpPrefix>[]) {
    this.network = network;
    const { family } = prefixParts(network.network);
    const start = ipToBigInt(network.subnetMin);
    const shift = BigInt(hostBits(network));
    const ranges: Range[] = [];
    for (const prefix of taken.flatMap((list) => [...list])) {
      const parts = prefixParts(prefix);
      if (parts.family !== family) continue;
      const bits = BigInt(familyBits(family) - parts.length);
      const low = (ipToBigInt(parts.address) >> bits) << bits;
      const high = low + (1n << bits) - 1n;
      // An arithmetic shift rounds down below SubnetMin too, so a range that ends there stays negative.
      ranges.push({ first: (low - start) >> shift, last: (high - start) >> shift });
    }
    this.ranges = merge(ranges);
  }

  /** True for a subnet that may be leased here and overlaps nothing taken. */
  isFree(subnet: IpPrefix): boolean {
    if (validateSubnet(this.network, subnet) !== undefined) return false;
    const start = ipToBigInt(this.network.subnetMin);
    const index = (ipToBigInt(prefixParts(subnet).address) - start) >> BigInt(hostBits(this.network));
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ranges[middle] as Range).last < index) low = middle + 1;
      else high = middle;
    }
    const range = this.ranges[low];
    return range === undefined || range.first > index;
  }

  /** The lowest free subnets, at most `limit`. */
  firstFree(limit: number): IpPrefix[] {
    const { family } = prefixParts(this.network.network);
    const start = ipToBigInt(this.network.subnetMin);
    const shift = BigInt(hostBits(this.network));
    const end = subnetCount(this.network);
    const free: IpPrefix[] = [];
    let index = 0n;
    for (const range of [...this.ranges, { first: end, last: end }]) {
      for (; index < range.first && index < end && free.length < limit; index++)
        free.push(`${bigIntToIp(start + (index << shift), family)}/${this.network.subnetLen}`);
      if (free.length >= limit || index >= end) break;
      if (range.last >= index) index = range.last + 1n;
    }
    return free;
  }
}

function merge(ranges: Range[]): Range[] {
  ranges.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const merged: { first: bigint; last: bigint }[] = [];
  for (const range of ranges) {
    const before = merged.at(-1);
    if (before !== undefined && range.first <= before.last + 1n) {
      if (range.last > before.last) before.last = range.last;
    } else merged.push({ ...range });
  }
  return merged;
}
