/**
 * Prefixes (`10.1.0.0/16`, `fd00::/64`) and interface addresses (`10.1.0.1/16`: an address with its prefix length).
 * Both are canonical text; the functions here do the arithmetic. Source of the notation: RFC 4632, RFC 4291 section 2.3.
 */
import {
  bigIntToIp,
  familyBits,
  familyOf,
  formatIp,
  type IpAddress,
  type IpFamily,
  ipBytes,
  ipToBigInt,
  parseIp,
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

/** A prefix as arithmetic wants it. */
interface Bits {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** Splits `address/length` in any spelling into canonical parts; undefined if it is malformed. Host bits are kept. */
export function parsePrefix(text: string): PrefixParts | undefined {
  const bits = parseBits(text);
  return bits && { address: formatIp(bits.bytes), length: bits.length, family: familyOf(text) };
}

/** Like parsePrefix; throws a RangeError that names the text. */
export function prefixParts(text: IpPrefix | IpInterface): PrefixParts {
  const { bytes, length } = bitsOf(text);
  return { address: formatIp(bytes), length, family: familyOf(text) };
}

/** True for a prefix in canonical text, host bits zero. */
export function isPrefix(text: string): boolean {
  const bits = parseBits(text);
  return bits !== undefined && endsInZeros(bits) && text === `${formatIp(bits.bytes)}/${bits.length}`;
}

/** The prefix an interface address lies in: `10.1.0.1/16` gives `10.1.0.0/16`. */
export function networkOf(text: IpPrefix | IpInterface): IpPrefix {
  const bits = bitsOf(text);
  return `${withHostBits(bits, 0)}/${bits.length}`;
}

/** The lowest address of a prefix. */
export function firstIp(prefix: IpPrefix): IpAddress {
  const bits = bitsOf(prefix);
  // IPv4 has one spelling only: most prefixes begin with their first address.
  return bits.bytes.length === 4 && endsInZeros(bits)
    ? prefix.slice(0, prefix.indexOf('/'))
    : withHostBits(bits, 0);
}

/** The highest address of a prefix (IPv4: the broadcast address). */
export function lastIp(prefix: IpPrefix): IpAddress {
  return withHostBits(bitsOf(prefix), 0xff);
}

/** How many addresses a prefix holds. */
export function prefixSize(prefix: IpPrefix): bigint {
  const { bytes, length } = bitsOf(prefix);
  return 1n << BigInt(bytes.length * 8 - length);
}

/** True if `inner` (an address or a prefix) lies wholly within `outer`. Different families never contain each other. */
export function prefixContains(outer: IpPrefix, inner: IpPrefix | IpAddress): boolean {
  const wide = bitsOf(outer);
  const narrow = inner.includes('/') ? bitsOf(inner) : hostBits(inner);
  return wide.length <= narrow.length && beginAlike(wide.bytes, narrow.bytes, wide.length);
}

/** True if any address lies in both. */
export function prefixesOverlap(a: IpPrefix, b: IpPrefix): boolean {
  const left = bitsOf(a);
  const right = bitsOf(b);
  return beginAlike(left.bytes, right.bytes, Math.min(left.length, right.length));
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

function parseBits(text: string): Bits | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const bytes = parseIp(text.slice(0, slash));
  const lengthText = text.slice(slash + 1);
  if (bytes === undefined || !/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  return length <= bytes.length * 8 ? { bytes, length } : undefined;
}

function bitsOf(text: IpPrefix | IpInterface): Bits {
  const bits = parseBits(text);
  if (bits === undefined) throw new RangeError(`not a prefix: "${text}"`);
  return bits;
}

function hostBits(address: IpAddress): Bits {
  const bytes = ipBytes(address);
  return { bytes, length: bytes.length * 8 };
}

/** The address with every bit behind the prefix that of `fill`, 0 or 0xff; the bytes are used up. */
function withHostBits({ bytes, length }: Bits, fill: 0 | 0xff): IpAddress {
  const whole = length >> 3;
  if (whole < bytes.length) {
    const kept = 0xff00 >> (length & 7);
    bytes[whole] = ((bytes[whole] as number) & kept) | (fill & ~kept);
    bytes.fill(fill, whole + 1);
  }
  return formatIp(bytes);
}

/** True if every bit behind the prefix is zero. */
function endsInZeros({ bytes, length }: Bits): boolean {
  const whole = length >> 3;
  if (((bytes[whole] ?? 0) & (0xff >> (length & 7))) !== 0) return false;
  for (let i = whole + 1; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** True if both are of one family and their first `length` bits are the same. */
function beginAlike(a: Uint8Array, b: Uint8Array, length: number): boolean {
  if (a.length !== b.length) return false;
  const whole = length >> 3;
  for (let i = 0; i < whole; i++) if (a[i] !== b[i]) return false;
  return (((a[whole] ?? 0) ^ (b[whole] ?? 0)) & (0xff00 >> (length & 7)) & 0xff) === 0;
}
