/**
 * The types of nf_tables values: each with nft's name and number, its size, its byte order in registers and set keys, and the
 * canonical form of its values. Values with a name in nft are text (`tcp`, `established,related`), addresses and link names
 * are text, everything else is a number; a value without a name is its number.
 */
import { lenientUtf8, untilNul, utf8 } from '#base/bytes.ts';
import { formatIp, formatMac, ipBytes, parseMac } from '#base/ip/index.ts';
import { formatHex, parseHex } from './hex.ts';
import {
  CT_DIRECTIONS,
  CT_STATES,
  CT_STATUSES,
  ETHER_TYPES,
  FIB_ADDRESS_TYPES,
  ICMP_CODES,
  ICMP_TYPES,
  ICMPV6_CODES,
  ICMPV6_TYPES,
  INET_PROTOCOLS,
  INTERFACE_TYPES,
  NF_PROTOCOLS,
  PACKET_TYPES,
  type Symbols,
  symbolOf,
  symbolsOfBits,
  TCP_FLAGS,
} from './symbols.ts';

export type NftDataType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'ether_addr'
  | 'ether_type'
  | 'inet_proto'
  | 'inet_service'
  | 'mark'
  | 'ifname'
  | 'iface_index'
  | 'iface_type'
  | 'nf_proto'
  | 'ct_state'
  | 'ct_dir'
  | 'ct_status'
  | 'icmp_type'
  | 'icmpv6_type'
  | 'icmp_code'
  | 'icmpv6_code'
  /** A number of one byte, in nft an integer too. */
  | 'byte'
  | 'pkt_type'
  | 'fib_addrtype'
  | 'tcp_flag'
  | 'boolean'
  /** Four bytes in host order: what numgen and hash give. Also stands for types of others that have no row here. */
  | 'integer';

/** Text or number, by type: see the file header. */
export type NftValue = string | number;

interface TypeRow {
  /** nft's number of the type (NFTA_SET_KEY_TYPE); the kernel only stores it. */
  readonly id: number;
  readonly bytes: number;
  /** `host` values are little-endian in registers, but big-endian as keys of interval sets, where order matters. */
  readonly order: 'big' | 'host';
  readonly form: 'ip' | 'mac' | 'name' | 'number';
  readonly symbols?: Symbols;
  /** The symbols are bits. */
  readonly bits?: true;
}

export const DATA_TYPES: Readonly<Record<NftDataType, TypeRow>> = {
  ipv4_addr: { id: 7, bytes: 4, order: 'big', form: 'ip' },
  ipv6_addr: { id: 8, bytes: 16, order: 'big', form: 'ip' },
  ether_addr: { id: 9, bytes: 6, order: 'big', form: 'mac' },
  ether_type: { id: 10, bytes: 2, order: 'big', form: 'number', symbols: ETHER_TYPES },
  inet_proto: { id: 12, bytes: 1, order: 'big', form: 'number', symbols: INET_PROTOCOLS },
  inet_service: { id: 13, bytes: 2, order: 'big', form: 'number' },
  mark: { id: 19, bytes: 4, order: 'host', form: 'number' },
  ifname: { id: 41, bytes: 16, order: 'big', form: 'name' },
  iface_index: { id: 20, bytes: 4, order: 'host', form: 'number' },
  iface_type: { id: 21, bytes: 2, order: 'host', form: 'number', symbols: INTERFACE_TYPES },
  nf_proto: { id: 2, bytes: 1, order: 'host', form: 'number', symbols: NF_PROTOCOLS },
  ct_state: { id: 26, bytes: 4, order: 'host', form: 'number', symbols: CT_STATES, bits: true },
  ct_dir: { id: 27, bytes: 1, order: 'host', form: 'number', symbols: CT_DIRECTIONS },
  ct_status: { id: 28, bytes: 4, order: 'host', form: 'number', symbols: CT_STATUSES, bits: true },
  icmp_type: { id: 14, bytes: 1, order: 'big', form: 'number', symbols: ICMP_TYPES },
  icmpv6_type: { id: 29, bytes: 1, order: 'big', form: 'number', symbols: ICMPV6_TYPES },
  icmp_code: { id: 32, bytes: 1, order: 'big', form: 'number', symbols: ICMP_CODES },
  icmpv6_code: { id: 33, bytes: 1, order: 'big', form: 'number', symbols: ICMPV6_CODES },
  pkt_type: { id: 31, bytes: 1, order: 'host', form: 'number', symbols: PACKET_TYPES },
  fib_addrtype: { id: 38, bytes: 4, order: 'host', form: 'number', symbols: FIB_ADDRESS_TYPES },
  tcp_flag: { id: 15, bytes: 1, order: 'host', form: 'number', symbols: TCP_FLAGS, bits: true },
  boolean: { id: 39, bytes: 1, order: 'host', form: 'number' },
  byte: { id: 4, bytes: 1, order: 'big', form: 'number' },
  // Behind `byte`: of two types with one number, the last one is that of a number.
  integer: { id: 4, bytes: 4, order: 'host', form: 'number' },
};

const BY_ID = new Map(
  Object.entries(DATA_TYPES).map(([name, row]) => [row.id, name as NftDataType] as const),
);

/** The bytes a value has in a register, or with `sortable` as a key of an interval set. Throws a RangeError that names it. */
export function valueBytes(type: NftDataType, value: NftValue, sortable = false): Uint8Array {
  const row = DATA_TYPES[type];
  if (row.form === 'number') return numberBytes(type, row, value, sortable);
  if (typeof value !== 'string') throw invalid(type, value);
  if (row.form === 'ip') {
    const bytes = ipBytes(value);
    if (bytes.length !== row.bytes) throw invalid(type, value);
    return bytes;
  }
  if (row.form === 'mac') {
    const bytes = parseMac(value);
    if (bytes === undefined) throw invalid(type, value);
    return bytes;
  }
  const name = utf8(value);
  if (name.length >= row.bytes) throw invalid(type, value);
  const padded = new Uint8Array(row.bytes);
  padded.set(name);
  return padded;
}

/** The canonical value of a type's bytes; bytes of a length the type does not have are given as hexadecimal text. */
export function bytesValue(type: NftDataType, bytes: Uint8Array, sortable = false): NftValue {
  const row = DATA_TYPES[type];
  if (bytes.length !== row.bytes) return formatHex(bytes);
  switch (row.form) {
    case 'ip':
      return formatIp(bytes);
    case 'mac':
      return formatMac(bytes);
    case 'name':
      return lenientUtf8(untilNul(bytes));
    case 'number': {
      const value = bytesNumber(bytes, row.order === 'big' || sortable);
      return nameOf(row, value) ?? value;
    }
  }
}

/** The canonical form of any value the type accepts: a number that has a name becomes the name, an address its RFC 5952 text. */
export function canonicalValue(type: NftDataType, value: NftValue): NftValue {
  return bytesValue(type, valueBytes(type, value));
}

/** The type with one of nft's numbers; `integer` for those that have no row. */
export function dataTypeOfId(id: number): NftDataType {
  return BY_ID.get(id) ?? 'integer';
}

/** Bytes a field takes in a concatenation: whole registers of four bytes. */
export function paddedBytes(type: NftDataType): number {
  return (DATA_TYPES[type].bytes + 3) & ~3;
}

/** Reads an unsigned number of at most four bytes. */
export function bytesNumber(bytes: Uint8Array, bigEndian: boolean): number {
  let value = 0;
  for (let i = 0; i < bytes.length; i++) {
    value = value * 256 + (bytes[bigEndian ? i : bytes.length - 1 - i] as number);
  }
  return value;
}

function numberBytes(type: NftDataType, row: TypeRow, value: NftValue, sortable: boolean): Uint8Array {
  if (typeof value === 'string' && type === 'integer' && value.startsWith('0x')) return parseHex(value);
  const number = typeof value === 'number' ? value : numberOf(row, value);
  if (number === undefined || !Number.isInteger(number) || number < 0 || number >= 256 ** row.bytes) {
    throw invalid(type, value);
  }
  const bytes = new Uint8Array(row.bytes);
  const bigEndian = row.order === 'big' || sortable;
  let left = number;
  for (let i = 0; i < row.bytes; i++) {
    bytes[bigEndian ? row.bytes - 1 - i : i] = left % 256;
    left = Math.floor(left / 256);
  }
  return bytes;
}

function numberOf(row: TypeRow, name: string): number | undefined {
  if (row.symbols === undefined) return undefined;
  if (!row.bits) return row.symbols[name];
  let value = 0;
  for (const part of name.split(',')) {
    const bit = row.symbols[part];
    if (bit === undefined) return undefined;
    value |= bit;
  }
  return value;
}

function nameOf(row: TypeRow, value: number): string | undefined {
  if (row.symbols === undefined) return undefined;
  return row.bits ? symbolsOfBits(row.symbols, value) : symbolOf(row.symbols, value);
}

function invalid(type: NftDataType, value: NftValue): RangeError {
  return new RangeError(`not a value of type ${type}: ${JSON.stringify(value)}`);
}
