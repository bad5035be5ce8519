/**
 * Prefixes (`10.1.0.0/16`, `fd00::/64`) and interface addresses (`10.1.0.1/16`: an address with its prefix length).
 * Both are canonical text; the functions here do the arithmetic. Source of the notation: RFC 4632, RFC 4291 section 2.3.
 */
import {
  bigIntToIp,
  canonicalIp,
  familyBits,
  familyOf,
  type IpAddress,
  type IpFamily,
  ipBytes,
  ipToBigInt,
} from './address.ts';

/** A prefix in canonical text, host bits zero: `10.1.0.0/16`. */
export type IpPrefix = string;
/** An address with its prefix length, host bits allowed: `10.1.0.1/16`. */
export type IpInterface = string;

export interface PrefixParts {
  readonly address: IpAddress;
  readonly length: number;
  readonly family: IpFamily;
}

/** Splits `address/length` in any spelling into canonical parts; undefined if it is malformed. Host bits are kept. */
export function parsePrefix(text: string): PrefixParts | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = canonicalIp(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  const family = familyOf(address);
  return length <= familyBits(family) ? { address, length, family } : undefined;
}

/** Like parsePrefix; throws a RangeError that names the text. */
export function prefixParts(text: IpPrefix | IpInterface): PrefixParts {
  const parts = parsePrefix(text);
  if (parts === undefined) throw new RangeError(`not a prefix: "${text}"`);
  return parts;
}

/** The prefix an interface address lies in: `10.1.0.1/16` gives `10.1.0.0/16`. */
export function networkOf(text: IpPrefix | IpInterface): IpPrefix {
  const { address, length, family } = prefixParts(text);
  return `${bigIntToIp(ipToBigInt(address) & mask(length, family), family)}/${length}`;
}

/** The lowest address of a prefix. */
export function firstIp(prefix: IpPrefix): IpAddress {
  return prefixParts(networkOf(prefix)).address;
}

/** The highest address of a prefix (IPv4: the broadcast address). */
export function lastIp(prefix: IpPrefix): IpAddress {
  const { address, length, family } = prefixParts(prefix);
  const host = (1n << BigInt(familyBits(family) - length)) - 1n;
  return bigIntToIp(ipToBigInt(address) | host, family);
}

/** How many addresses a prefix holds. */
export function prefixSize(prefix: IpPrefix): bigint {
  const { length, family } = prefixParts(prefix);
  return 1n << BigInt(familyBits(family) - length);
}

/** True if `inner` (an address or a prefix) lies wholly within `outer`. Different families never contain each other. */
export function prefixContains(outer: IpPrefix, inner: IpPrefix | IpAddress): boolean {
  const wide = prefixParts(outer);
  const narrow = inner.includes('/') ? prefixParts(inner) : hostPrefix(inner);
  if (wide.family !== narrow.family || wide.length > narrow.length) return false;
  const bits = mask(wide.length, wide.family);
  return (ipToBigInt(wide.address) & bits) === (ipToBigInt(narrow.address) & bits);
}

export function prefixesOverlap(a: IpPrefix, b: IpPrefix): boolean {
  return prefixContains(a, networkOf(b)) || prefixContains(b, networkOf(a));
}

/** The `index`-th prefix of `length` bits inside a prefix, counted from 0; throws a RangeError where there is none. */
export function subPrefix(prefix: IpPrefix, length: number, index: bigint | number): IpPrefix {
  const parts = prefixParts(prefix);
  const bits = familyBits(parts.family);
  const count = length < parts.length || length > bits ? 0n : 1n << BigInt(length - parts.length);
  if (index < 0 || index >= count) throw new RangeError(`${prefix} has no /${length} number ${index}`);
  const start = ipToBigInt(firstIp(prefix)) + (BigInt(index) << BigInt(bits - length));
  return `${bigIntToIp(start, parts.family)}/${length}`;
}

/** `10.1.2.3` becomes `10.1.2.3/32`, `fd00::1` becomes `fd00::1/128`. */
export function hostPrefixOf(address: IpAddress): IpPrefix {
  return `${address}/${familyBits(familyOf(address))}`;
}

/** Orders by family, then address, then length. */
export function comparePrefix(a: IpPrefix, b: IpPrefix): number {
  const left = prefixParts(a);
  const right = prefixParts(b);
  if (left.family !== right.family) return left.family - right.family;
  const difference = ipToBigInt(left.address) - ipToBigInt(right.address);
  return difference === 0n ? left.length - right.length : difference < 0n ? -1 : 1;
}

function hostPrefix(address: IpAddress): PrefixParts {
  const family = ipBytes(address).length === 4 ? 4 : 6;
  return { address, length: familyBits(family), family };
}

function mask(length: number, family: IpFamily): bigint {
  const bits = familyBits(family);
  return ((1n << BigInt(length)) - 1n) << BigInt(bits - length);
}
