/**
 * Prefixes on the wire: a length in bits, and as many octets as it takes (RFC 4271 section 4.3), each behind a path's number where
 * additional paths were agreed (RFC 7911 section 3). Full tables pass here, so text is put together from parts that were made before.
 */
import { formatIp, type IpPrefix, ipBytes, putIpv4 } from '#base/ip/index.ts';
import { DecodeError } from '#core/codec/index.ts';
import type { Nlri, RouteFamily } from '../model.ts';

/** The most one takes: number, length, address. */
export const MAX_NLRI_BYTES = 21;

/** `10.1` by the first octet, then by the second. Tables grow as they are used: whole they would be half a megabyte each. */
const HEADS: string[][] = octetRows();
/** `.2.0/24` by the prefix's length, then by those of its bits that lie behind the first 16. */
const TAILS: string[][] = Array.from({ length: 33 }, () => []);
/** `fd00` by its upper and its lower octet, and `:fd00`. */
const GROUPS: string[][] = octetRows();
const LATER_GROUPS: string[][] = octetRows();
/** `::/32` by the prefix's length. */
const ENDS = Array.from({ length: 65 }, (_, length) => `::/${length}`);

/** All that fill the bytes from `at` to `end`; host bits are dropped. Throws DecodeError where they do not fit. */
export function readNlri(
  bytes: Uint8Array,
  at: number,
  end: number,
  family: RouteFamily,
  hasPathIds: boolean,
): Nlri[] {
  const out: Nlri[] = [];
  const maxLength = family === 4 ? 32 : 128;
  for (let next = at; next < end; ) {
    let pathId = 0;
    const start = next;
    if (hasPathIds) {
      if (end - next < 5) throw new DecodeError(`${end - next} bytes where a path's number is due`, next);
      pathId = uint32(bytes, next);
      next += 4;
    }
    const length = bytes[next++] as number;
    // RFC 7606 section 5.3: a length greater than the family's, or octets that are not there.
    if (length > maxLength) throw new DecodeError(`a prefix of ${length} bits`, start);
    const size = (length + 7) >> 3;
    if (size > end - next)
      throw new DecodeError(`${end - next} bytes where ${size} of a prefix are due`, start);
    const prefix = family === 4 ? ipv4Prefix(bytes, next, length) : ipv6Prefix(bytes, next, length);
    next += size;
    out.push(hasPathIds ? { prefix, pathId } : { prefix });
  }
  return out;
}

/** Writes one at `at`, where MAX_NLRI_BYTES have room, and returns what is behind it. Throws RangeError for text that is no prefix of the family. */
export function putNlri(
  bytes: Uint8Array,
  at: number,
  { prefix, pathId }: Nlri,
  family: RouteFamily,
  hasPathIds: boolean,
): number {
  let next = at;
  if (hasPathIds) {
    const id = pathId ?? 0;
    bytes[next++] = id >>> 24;
    bytes[next++] = id >>> 16;
    bytes[next++] = id >>> 8;
    bytes[next++] = id;
  }
  const slash = prefix.lastIndexOf('/');
  const length = Number(prefix.slice(slash + 1));
  const isPrefix = slash > 0 && length >= 0 && length <= (family === 4 ? 32 : 128);
  if (!isPrefix) throw new RangeError(`not an IPv${family} prefix: "${prefix}"`);
  bytes[next++] = length;
  if (family === 6) bytes.set(ipv6Bytes(prefix, slash), next);
  else if (!putIpv4(prefix, slash, bytes, next)) throw new RangeError(`not an IPv4 prefix: "${prefix}"`);
  return next + ((length + 7) >> 3);
}

function ipv6Bytes(prefix: IpPrefix, slash: number): Uint8Array {
  const bytes = ipBytes(prefix.slice(0, slash));
  if (bytes.length !== 16) throw new RangeError(`not an IPv6 prefix: "${prefix}"`);
  return bytes;
}

function ipv4Prefix(bytes: Uint8Array, at: number, length: number): IpPrefix {
  const value = bitsAt(bytes, at, length);
  const high = value >>> 16;
  const heads = HEADS[high >>> 8] as string[];
  heads[high & 0xff] ??= `${high >>> 8}.${high & 0xff}`;
  const low = value & 0xffff;
  const tails = TAILS[length] as string[];
  const index = length > 16 ? low >>> (32 - length) : 0;
  tails[index] ??= `.${low >>> 8}.${low & 0xff}/${length}`;
  return (heads[high & 0xff] as string) + tails[index];
}

function ipv6Prefix(bytes: Uint8Array, at: number, length: number): IpPrefix {
  if (length > 64) return longIpv6Prefix(bytes, at, length);
  // The lower half is zero, and no run of zero groups before it is as long: `::` is where the last group that is not zero ends.
  const high = bitsAt(bytes, at, Math.min(32, length));
  const low = length > 32 ? bitsAt(bytes, at + 4, length - 32) : 0;
  const first = group(high >>> 16);
  if (low !== 0) {
    const text = first + laterGroup(high & 0xffff) + laterGroup(low >>> 16);
    return ((low & 0xffff) === 0 ? text : text + laterGroup(low & 0xffff)) + ENDS[length];
  }
  if ((high & 0xffff) !== 0) return first + laterGroup(high & 0xffff) + ENDS[length];
  return (high === 0 ? '' : first) + ENDS[length];
}

function octetRows(): string[][] {
  return Array.from({ length: 256 }, () => []);
}

function group(value: number): string {
  return ((GROUPS[value >>> 8] as string[])[value & 0xff] ??= value.toString(16));
}

function laterGroup(value: number): string {
  return ((LATER_GROUPS[value >>> 8] as string[])[value & 0xff] ??= `:${value.toString(16)}`);
}

/** The first `length` bits, at most 32, and zeros behind them. */
function bitsAt(bytes: Uint8Array, at: number, length: number): number {
  if (length === 0) return 0;
  let value = (bytes[at] as number) << 24;
  if (length > 8) value |= (bytes[at + 1] as number) << 16;
  if (length > 16) value |= (bytes[at + 2] as number) << 8;
  if (length > 24) value |= bytes[at + 3] as number;
  return value & (-1 << (32 - length));
}

function longIpv6Prefix(bytes: Uint8Array, at: number, length: number): IpPrefix {
  const size = (length + 7) >> 3;
  const address = new Uint8Array(16);
  address.set(bytes.subarray(at, at + size));
  if ((length & 7) !== 0) address[size - 1] = (address[size - 1] as number) & (0xff00 >> (length & 7));
  return `${formatIp(address)}/${length}`;
}

function uint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
