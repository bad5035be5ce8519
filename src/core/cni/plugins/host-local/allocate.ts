/**
 * Which address of a range set is given next. Pure: what is taken is asked of the caller.
 * Round robin from the address after the last one given, so that an address rests as long as possible before it comes again, and
 * so that a search starts where free addresses are likely, however many are taken. Never given: gateways, the network's own
 * address (IPv6: the subnet-router anycast address, RFC 4291 section 2.6.1) and the IPv4 broadcast address.
 */
import {
  bigIntToIp,
  firstIp,
  type IpAddress,
  type IpFamily,
  type IpInterface,
  ipToBigInt,
  lastIp,
  prefixParts,
} from '#base/ip/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { type AddressRange, type RangeSet, rangeOf, rangeSetFamily, rangeSetText } from './range.ts';

export interface AllocationInput {
  readonly lastReserved?: IpAddress | undefined;
  readonly isTaken: (address: IpAddress) => boolean;
  /** Give this address or none. */
  readonly requested?: IpAddress | undefined;
}

export interface Allocation {
  readonly address: IpAddress;
  /** The address with its subnet's length. */
  readonly interfaceAddress: IpInterface;
  readonly gateway: IpAddress;
}

interface Span {
  readonly range: AddressRange;
  readonly from: bigint;
  readonly to: bigint;
}

/** The next address; undefined if the set is exhausted. Throws CniError 112 if a requested address cannot be given. */
export function allocate(set: RangeSet, input: AllocationInput): Allocation | undefined {
  const { lastReserved, isTaken, requested } = input;
  const reserved = neverGiven(set);
  if (requested !== undefined) return allocateRequested(set, reserved, requested, isTaken);
  const format = formatterOf(rangeSetFamily(set));
  for (const { range, from, to } of searchOrder(set, lastReserved)) {
    for (let value = from; value <= to; value++) {
      if (reserved.has(value)) continue;
      const address = format(value);
      if (!isTaken(address)) return allocation(range, address);
    }
  }
  return undefined;
}

/** How many addresses of the set can still be given. */
export function countFree(set: RangeSet, taken: Iterable<IpAddress>): bigint {
  const reserved = neverGiven(set);
  let free = 0n;
  for (const range of set) free += ipToBigInt(range.end) - ipToBigInt(range.start) + 1n;
  for (const value of reserved) {
    if (rangeOf(set, formatterOf(rangeSetFamily(set))(value))) free--;
  }
  for (const address of taken) {
    if (rangeOf(set, address) && !reserved.has(ipToBigInt(address))) free--;
  }
  return free;
}

function allocateRequested(
  set: RangeSet,
  reserved: ReadonlySet<bigint>,
  requested: IpAddress,
  isTaken: (address: IpAddress) => boolean,
): Allocation {
  const unavailable = (why: string) =>
    new CniError(CNI_ERROR.addressUnavailable, `requested IP address ${requested} ${why}`);
  const range = rangeOf(set, requested);
  if (range === undefined) throw unavailable(`is not in range set ${rangeSetText(set)}`);
  if (set.some((each) => each.gateway === requested)) throw unavailable("is the subnet's gateway");
  if (reserved.has(ipToBigInt(requested)))
    throw unavailable(`is the network or broadcast address of ${range.subnet}`);
  if (isTaken(requested))
    throw unavailable(`is not available in range set ${rangeSetText(set)}: it is taken`);
  return allocation(range, requested);
}

/** The set's ranges in the order of search: from after the last address to the end, the other ranges, then round to it. */
function searchOrder(set: RangeSet, lastReserved: IpAddress | undefined): Span[] {
  const whole = (range: AddressRange): Span => {
    return { range, from: ipToBigInt(range.start), to: ipToBigInt(range.end) };
  };
  const current = lastReserved === undefined ? undefined : rangeOf(set, lastReserved);
  if (current === undefined || lastReserved === undefined) return set.map(whole);
  const index = set.indexOf(current);
  const last = ipToBigInt(lastReserved);
  return [
    { ...whole(current), from: last + 1n },
    ...set.slice(index + 1).map(whole),
    ...set.slice(0, index).map(whole),
    { ...whole(current), to: last },
  ];
}

function neverGiven(set: RangeSet): ReadonlySet<bigint> {
  const values = new Set<bigint>();
  for (const { subnet, gateway } of set) {
    values.add(ipToBigInt(gateway));
    values.add(ipToBigInt(firstIp(subnet)));
    if (prefixParts(subnet).family === 4) values.add(ipToBigInt(lastIp(subnet)));
  }
  return values;
}

function allocation(range: AddressRange, address: IpAddress): Allocation {
  const interfaceAddress = `${address}/${prefixParts(range.subnet).length}`;
  return { address, interfaceAddress, gateway: range.gateway };
}

function formatterOf(family: IpFamily): (value: bigint) => IpAddress {
  if (family === 6) return (value) => bigIntToIp(value, 6);
  return (value) => {
    const bits = Number(value);
    return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
  };
}
