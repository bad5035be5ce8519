/** Values as nft prints them. */
import {
  bytesNumber,
  bytesValue,
  DATA_TYPES,
  type NftDataType,
  type NftValue,
  valueBytes,
} from './datatype.ts';
import { prefixLength } from './element.ts';
import type { NftVerdict } from './expression.ts';

/** Ranges of these are printed as prefixes where they are some. */
const PREFIX_TYPES: ReadonlySet<NftDataType> = new Set<NftDataType>(['ipv4_addr', 'ipv6_addr', 'mark']);

/** `10.0.0.1`, `"eth0"`, `0x00004000`: a value as nft writes one of its type. */
export function printValue(type: NftDataType, value: NftValue): string {
  if (type === 'ifname') return `"${value}"`;
  if (typeof value === 'string') return value;
  if (type === 'mark') return `0x${value.toString(16).padStart(8, '0')}`;
  if (type === 'ether_type') return `0x${value.toString(16).padStart(4, '0')}`;
  return value.toString();
}

/** A value in the bytes of a register. */
export function printBytes(type: NftDataType, bytes: Uint8Array, sortable: boolean): string {
  const row = DATA_TYPES[type];
  if (row.form !== 'number' || bytes.length === row.bytes)
    return printValue(type, bytesValue(type, bytes, sortable));
  return bytesNumber(bytes, row.order === 'big' || sortable).toString();
}

/** `10.0.0.0/8`, `80-90`, or one value where both are the same. */
export function printRange(type: NftDataType, from: NftValue, to: NftValue): string {
  if (from === to) return printValue(type, from);
  const length = prefixLength(valueBytes(type, from, true), valueBytes(type, to, true));
  if (length !== undefined && PREFIX_TYPES.has(type)) return `${printValue(type, from)}/${length}`;
  return `${printValue(type, from)}-${printValue(type, to)}`;
}

/** `accept`, `jump to-pods`. */
export function printVerdict(verdict: NftVerdict): string {
  return 'chain' in verdict ? `${verdict.verdict} ${verdict.chain}` : verdict.verdict;
}

/** `1m30s`; milliseconds are shown where there are some. */
export function printTime(ms: number): string {
  const parts: string[] = [];
  let left = ms;
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.length === 0 ? '0s' : parts.join('');
}

/** Bytes in the largest of nft's units that divides them: `1 mbytes`. */
export function printBytesRate(bytes: number): string {
  const units = ['bytes', 'kbytes', 'mbytes'];
  let value = bytes;
  let unit = 0;
  while (unit + 1 < units.length && value > 0 && value % 1024 === 0) {
    value /= 1024;
    unit++;
  }
  return `${value} ${units[unit]}`;
}
