/**
 * The address ranges host-local gives from: as configured, checked and completed, and in the arithmetic form allocation uses.
 * A range set is a list of ranges of one family from which one address is given.
 */
import {
  bigIntToIp,
  familyOf,
  firstIp,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  ipToBigInt,
  lastIp,
  networkOf,
  prefixContains,
  prefixParts,
} from '#base/ip/index.ts';

/** A range as configured: addresses are canonical, everything else unchecked. */
export interface RangeSpec {
  readonly subnet: string;
  readonly rangeStart?: IpAddress | undefined;
  readonly rangeEnd?: IpAddress | undefined;
  readonly gateway?: IpAddress | undefined;
}

export interface AddressRange {
  readonly subnet: IpPrefix;
  /** First and last address given, both inclusive. */
  readonly start: IpAddress;
  readonly end: IpAddress;
  readonly gateway: IpAddress;
}

export type RangeSet = readonly AddressRange[];

/** The range with its defaults filled in, or a sentence about what is wrong with it. */
export function completeRange(spec: RangeSpec): AddressRange | string {
  const { subnet, rangeStart, rangeEnd } = spec;
  const { length, family } = prefixParts(subnet);
  const bits = family === 4 ? 32 : 128;
  if (length > bits - 2) {
    return `network ${subnet} is too small to allocate from: it needs /${bits - 2} or shorter`;
  }
  const network = networkOf(subnet);
  if (network !== subnet) return `network ${subnet} has host bits set: the network address is ${network}`;
  const first = ipToBigInt(firstIp(subnet)) + 1n;
  const last = ipToBigInt(lastIp(subnet)) - (family === 4 ? 1n : 0n);
  for (const [key, address] of Object.entries({ rangeStart, rangeEnd })) {
    if (address !== undefined && !prefixContains(subnet, address)) {
      return `${key} ${address} is not in network ${subnet}`;
    }
  }
  const start = rangeStart ?? bigIntToIp(first, family);
  const end = rangeEnd ?? bigIntToIp(last, family);
  if (ipToBigInt(start) > ipToBigInt(end)) return `rangeStart ${start} lies after rangeEnd ${end}`;
  const gateway = spec.gateway ?? bigIntToIp(first, family);
  if (familyOf(gateway) !== family)
    return `gateway ${gateway} is of another address family than network ${subnet}`;
  return { subnet, start, end, gateway };
}

/** `10.1.0.2-10.1.0.254`. */
export function rangeText(range: AddressRange): string {
  return `${range.start}-${range.end}`;
}

/** The ranges, separated by commas. */
export function rangeSetText(set: RangeSet): string {
  return set.map(rangeText).join(',');
}

/** The family of a set, which all its ranges have. */
export function rangeSetFamily(set: RangeSet): IpFamily {
  return familyOf(set[0]?.subnet ?? '');
}

/** True if both give some address. */
export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  if (familyOf(a.subnet) !== familyOf(b.subnet)) return false;
  return ipToBigInt(a.start) <= ipToBigInt(b.end) && ipToBigInt(b.start) <= ipToBigInt(a.end);
}

/** The range of a set an address lies in. */
export function rangeOf(set: RangeSet, address: IpAddress): AddressRange | undefined {
  const family = familyOf(address);
  const value = ipToBigInt(address);
  return set.find(
    (range) =>
      familyOf(range.subnet) === family && ipToBigInt(range.start) <= value && value <= ipToBigInt(range.end),
  );
}
