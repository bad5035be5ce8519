/**
 * A small non-cryptographic hash for names and addresses derived from identities: FNV-1a, 64 bit (draft-eastlake-fnv), spread over
 * all bits by murmur3's finaliser, so that a name may be cut from any part of it. Stable across versions, machines and time.
 */
import { utf8 } from '#base/bytes.ts';
import { formatMac, type MacAddress } from '#base/ip/index.ts';

const OFFSET_BASIS = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;
const FINALISER = [0xff51afd7ed558ccdn, 0xc4ceb9fe1a85ec53n] as const;

/** 64 bits from the UTF-8 form of a text. */
export function digest64(text: string): bigint {
  let value = OFFSET_BASIS;
  for (const byte of utf8(text)) value = BigInt.asUintN(64, (value ^ BigInt(byte)) * PRIME);
  for (const factor of FINALISER) value = BigInt.asUintN(64, (value ^ (value >> 33n)) * factor);
  return value ^ (value >> 33n);
}

/** The first `digits` hexadecimal digits of a text's digest, at most 16. */
export function digestHex(text: string, digits: number): string {
  return digest64(text).toString(16).padStart(16, '0').slice(0, digits);
}

/** A MAC address that follows from a text: locally administered (bit 1 of the first byte), no group address (bit 0), IEEE 802. */
export function localMac(text: string): MacAddress {
  const value = digest64(text);
  const bytes = Uint8Array.from({ length: 6 }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));
  bytes[0] = ((bytes[0] as number) & 0xfc) | 0x02;
  return formatMac(bytes);
}
