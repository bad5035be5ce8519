/**
 * IP addresses as canonical text and as bytes, for both families.
 * Everywhere in Poplin an address in a model is its canonical text (RFC 5952 for IPv6): it prints, compares and
 * serialises as it is. Bytes appear only at codecs, bigints only inside arithmetic.
 */

/** An IPv4 or IPv6 address in canonical text: `10.1.2.3`, `fd00::1`. */
export type IpAddress = string;
/** A MAC address in lower-case colon form: `0a:00:00:00:00:01`. */
export type MacAddress = string;
export type IpFamily = 4 | 6;

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

export function ipToBigInt(text: IpAddress): bigint {
  let value = 0n;
  for (const byte of ipBytes(text)) value = (value << 8n) | BigInt(byte);
  return value;
}

/** Throws a RangeError if the value does not fit the family. */
export function bigIntToIp(value: bigint, family: IpFamily): IpAddress {
  const size = family === 4 ? 4 : 16;
  if (value < 0n || value >> BigInt(size * 8) !== 0n)
    throw new RangeError(`${value} is no IPv${family} address`);
  const bytes = new Uint8Array(size);
  let rest = value;
  for (let i = size - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
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
  if (left.length !== right.length) return left.length - right.length;
  for (let i = 0; i < left.length; i++) {
    const difference = (left[i] as number) - (right[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Returns the 6 bytes of a MAC address, or undefined. Accepts `:` and `-` as separators. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (part) => Number.parseInt(part, 16));
}

export function formatMac(bytes: Uint8Array): MacAddress {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function parseIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let index = 0;
  let value = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2e) {
      if (value < 0 || index === 3) return undefined;
      bytes[index++] = value;
      value = -1;
    } else if (code >= 0x30 && code <= 0x39) {
      if (value === 0) return undefined; // a leading zero is octal to some parsers
      value = (value < 0 ? 0 : value * 10) + code - 0x30;
      if (value > 255) return undefined;
    } else return undefined;
  }
  if (index !== 3 || value < 0) return undefined;
  bytes[3] = value;
  return bytes;
}

// RFC 4291 section 2.2: eight groups, one `::`, or a dotted quad in the last 32 bits.
function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] as string, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const out: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (mayEndInIpv4 && index === groups.length - 1 && group.includes('.')) {
      const quad = parseIpv4(group);
      if (quad === undefined) return undefined;
      out.push(...quad);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      out.push(value >> 8, value & 0xff);
    }
  }
  return out.length <= 16 ? out : undefined;
}

// RFC 5952 section 4: lower case, no leading zeros, the longest run of two or more zero groups as `::`, the first of equals.
function formatIpv6(bytes: Uint8Array): IpAddress {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) {
      best = i;
      bestLength = length;
    }
    i += length;
  }
  // RFC 5952 section 5: IPv4-mapped addresses keep the dotted quad.
  if (best === 0 && bestLength === 5 && groups[5] === 0xffff) {
    return `::ffff:${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`;
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  if (best < 0) return text(0, 8);
  return `${text(0, best)}::${text(best + bestLength, 8)}`;
}
