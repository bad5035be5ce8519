/** A small non-cryptographic hash for names derived from identities: FNV-1a, 64 bit (draft-eastlake-fnv). */
const OFFSET_BASIS = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;

/** 64 bits from the UTF-8 form of a text: stable across versions, machines and time. */
export function fnv1a64(text: string): bigint {
  let hash = OFFSET_BASIS;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * PRIME);
  return hash;
}
