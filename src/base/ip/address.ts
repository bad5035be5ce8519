/**
 * IP addresses as canonical text and as bytes, for both families.
 * Everywhere in Poplin an address in a model is its canonical text (RFC 5952 for IPv6): it prints, compares and
 * serialises as it is. Bytes appear only at codecs, bigints only inside arithmetic.
 */
import { compare, hex, hexDigit } from '#base/bytes.ts';

/** An IPv4 or IPv6 address in canonical text: `10.1.2.3`, `fd00::1`. */
export type IpAddress = string;
/** A MAC address in lower-case colon form: `0a:00:00:00:00:01`. */
export type MacAddress = string;
export type IpFamily = 4 | 6;

const DASH = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;

/** Returns the 4 or 16 bytes of an address, or undefined if the text is no address (zones and ports are not accepted). */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** Like parseIp; throws a RangeError that names the text. */
export function ipBytes(text: IpAddress): Uint8Array {
  const bytes = parseIp(text);
  if (bytes === undefined) throw new RangeError(`not an IP address: "${text}"`);
  return bytes;
}

/** The canonical text of 4 or 16 bytes; other lengths throw a RangeError. */
export function formatIp(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  if (bytes.length === 16) return formatIpv6(bytes);
  throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
}

/** The canonical form of any spelling of an address, or undefined if it is none. */
export function canonicalIp(text: string): IpAddress | undefined {
  const bytes = parseIp(text);
  return bytes && formatIp(bytes);
}

/** The family of a canonical address or prefix. */
export function familyOf(text: string): IpFamily {
  return text.includes(':') ? 6 : 4;
}

/** The number of bits of a family's addresses: 32 or 128. */
export function familyBits(family: IpFamily): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The value of an address; throws a RangeError that names text that is none. */
export function ipToBigInt(text: IpAddress): bigint {
  const bytes = ipBytes(text);
  const view = new DataView(bytes.buffer);
  if (bytes.length === 4) return BigInt(view.getUint32(0));
  return (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
}

/** Throws a RangeError if the value does not fit the family. */
export function bigIntToIp(value: bigint, family: IpFamily): IpAddress {
  if (value < 0n || value >> BigInt(familyBits(family)) !== 0n)
    throw new RangeError(`${value} is no IPv${family} address`);
  const bytes = new Uint8Array(familyBits(family) / 8);
  const view = new DataView(bytes.buffer);
  if (family === 4) view.setUint32(0, Number(value));
  else {
    view.setBigUint64(0, value >> 64n);
    view.setBigUint64(8, value); // the lower 64 bits
  }
  return formatIp(bytes);
}

/** The address `offset` above (or below) another; throws a RangeError where that leaves the family. */
export function offsetIp(text: IpAddress, offset: number | bigint): IpAddress {
  return bigIntToIp(ipToBigInt(text) + BigInt(offset), familyOf(text));
}

/** Orders IPv4 before IPv6, then by value. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  const left = ipBytes(a);
  const right = ipBytes(b);
  return left.length === right.length ? compare(left, right) : left.length - right.length;
}

/** Returns the 6 bytes of a MAC address, or undefined. Accepts `:` and `-` as separators. */
export function parseMac(text: string): Uint8Array | undefined {
  if (text.length !== 17) return undefined;
  const bytes = new Uint8Array(6);
  for (let i = 0; i < 6; i++) {
    const at = 3 * i;
    const separator = i === 0 ? COLON : text.charCodeAt(at - 1);
    const value = (hexDigit(text.charCodeAt(at)) << 4) | hexDigit(text.charCodeAt(at + 1));
    if (value < 0 || (separator !== COLON && separator !== DASH)) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

/** Lower-case colon form of the bytes. */
export function formatMac(bytes: Uint8Array): MacAddress {
  return hex(bytes, ':');
}

// Kernel notifications bring addresses by the thousand: the parsers below look at each character once and split nothing.

function parseIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  return putIpv4(text, text.length, bytes, 0) ? bytes : undefined;
}

/** Writes the four bytes of the IPv4 address in the text's first `end` characters to `at`; false, and perhaps some bytes, if there is none. */
export function putIpv4(text: string, end: number, bytes: Uint8Array, at: number): boolean {
  let index = 0;
  let value = -1;
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (value < 0 || index === 3) return false;
      bytes[at + index++] = value;
      value = -1;
    } else if (code >= 0x30 && code <= 0x39) {
      if (value === 0) return false; // a leading zero is octal to some parsers
      value = (value < 0 ? 0 : value * 10) + code - 0x30;
      if (value > 255) return false;
    } else return false;
  }
  if (index !== 3 || value < 0) return false;
  bytes[at + 3] = value;
  return true;
}

// RFC 4291 section 2.2: eight groups, one `::`, or a dotted quad in the last 32 bits.
function parseIpv6(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16);
  let size = 0;
  let gap = -1; // the number of bytes before `::`
  let at = 0;
  if (text.startsWith('::')) {
    gap = 0;
    at = 2;
  }
  while (at < text.length) {
    if (size === 16) return undefined;
    const start = at;
    let value = 0;
    for (; at < text.length; at++) {
      const digit = hexDigit(text.charCodeAt(at));
      if (digit < 0) break;
      value = (value << 4) | digit;
    }
    if (text.charCodeAt(at) === DOT) {
      const quad = size > 12 ? undefined : parseIpv4(text.slice(start));
      if (quad === undefined) return undefined;
      bytes.set(quad, size);
      size += 4;
      break;
    }
    if (at === start || at > start + 4) return undefined;
    bytes[size++] = value >> 8;
    bytes[size++] = value & 0xff;
    if (at === text.length) break;
    if (text.charCodeAt(at++) !== COLON || at === text.length) return undefined;
    if (text.charCodeAt(at) !== COLON) continue;
    if (gap >= 0) return undefined;
    gap = size;
    at++;
  }
  if (gap < 0) return size === 16 ? bytes : undefined;
  if (size > 14) return undefined;
  const resume = 16 - (size - gap);
  bytes.copyWithin(resume, gap, size);
  return bytes.fill(0, gap, resume);
}

// RFC 5952 section 4: lower case, no leading zeros, the longest run of two or more zero groups as `::`, the first of equals.
function formatIpv6(bytes: Uint8Array): IpAddress {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  let gap = -1;
  let gapLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > gapLength) {
      gap = i;
      gapLength = length;
    }
    i += length;
  }
  // RFC 5952 section 5: IPv4-mapped addresses keep the dotted quad.
  if (gap === 0 && gapLength === 5 && groups[5] === 0xffff) {
    return `::ffff:${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`;
  }
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === gap) {
      text += '::';
      i += gapLength - 1;
    } else {
      if (i > 0 && i !== gap + gapLength) text += ':';
      text += (groups[i] as number).toString(16);
    }
  }
  return text;
}
