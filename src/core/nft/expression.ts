/**
 * The expressions of nf_tables rules, as the kernel evaluates them: data moves through registers, verdicts end a rule.
 * Registers are the sixteen of four bytes, 8 to 23; longer values take several in a row. Default values are left out,
 * so that an expression read back from the kernel is the one that was sent. Rules are written with field, match and act.
 * Source: linux/netfilter/nf_tables.h.
 */
import type { HexText } from './hex.ts';

export type NftVerdict =
  | { readonly verdict: 'accept' | 'drop' | 'continue' | 'return' | 'break' }
  | { readonly verdict: 'jump' | 'goto'; readonly chain: string };

/** 8 to 23. */
export type Register = number;
export const FIRST_REGISTER = 8;

export type PayloadBase = 'link' | 'network' | 'transport';
export type Relation = 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte';

export const META_KEYS = {
  len: 0,
  protocol: 1,
  priority: 2,
  mark: 3,
  iif: 4,
  oif: 5,
  iifname: 6,
  oifname: 7,
  iiftype: 8,
  oiftype: 9,
  skuid: 10,
  skgid: 11,
  nftrace: 12,
  rtclassid: 13,
  nfproto: 15,
  l4proto: 16,
  pkttype: 19,
  cpu: 20,
  iifgroup: 21,
  oifgroup: 22,
  cgroup: 23,
  prandom: 24,
} as const;
export type MetaKey = keyof typeof META_KEYS;

export const CT_KEYS = {
  state: 0,
  direction: 1,
  status: 2,
  mark: 3,
  expiration: 5,
  l3proto: 7,
  proto: 10,
  protoSource: 11,
  protoDestination: 12,
  zone: 17,
  sourceIp: 19,
  destinationIp: 20,
  sourceIp6: 21,
  destinationIp6: 22,
} as const;
export type CtKey = keyof typeof CT_KEYS;

/** In the order in which nft prints them, as all lists of flags are. */
export const NAT_FLAGS = ['random', 'fully-random', 'persistent', 'netmap'] as const;
export type NatFlag = (typeof NAT_FLAGS)[number];
/** In the order of the kernel's flags. */
export const FIB_INPUTS = ['saddr', 'daddr', 'mark', 'iif', 'oif'] as const;
export type FibInput = (typeof FIB_INPUTS)[number];
export const LOG_FLAGS = ['tcp-sequence', 'tcp-options', 'ip-options', 'skuid', 'ether'] as const;
export type LogFlag = (typeof LOG_FLAGS)[number];

/**
 * What a sender is told: a TCP reset; with `icmp` a destination unreachable of the packet's own family with its code; with `icmpx` (not
 * in ip and ip6 tables) one of nf_tables' codes for both families: 0 no route, 1 port, 2 host, 3 prohibited.
 */
export type Rejection =
  | { readonly with: 'tcp-reset' }
  | { readonly with: 'icmp' | 'icmpx'; readonly code: number };

export interface PortTranslation {
  readonly port?: Register;
  readonly portEnd?: Register;
  readonly flags?: readonly NatFlag[];
}

export type NftExpression =
  | {
      readonly op: 'payload';
      readonly base: PayloadBase;
      readonly offset: number;
      readonly length: number;
      readonly register: Register;
    }
  | { readonly op: 'meta'; readonly key: MetaKey; readonly register: Register }
  | { readonly op: 'meta-set'; readonly key: MetaKey; readonly register: Register }
  | {
      readonly op: 'ct';
      readonly key: CtKey;
      readonly direction?: 'original' | 'reply';
      readonly register: Register;
    }
  | { readonly op: 'ct-set'; readonly key: CtKey; readonly register: Register }
  | { readonly op: 'cmp'; readonly register: Register; readonly relation: Relation; readonly value: HexText }
  | {
      readonly op: 'range';
      readonly register: Register;
      readonly inverted?: boolean;
      readonly from: HexText;
      readonly to: HexText;
    }
  /** register = (source & mask) ^ xor. */
  | {
      readonly op: 'bitwise';
      readonly source: Register;
      readonly register: Register;
      readonly mask: HexText;
      readonly xor: HexText;
    }
  | {
      readonly op: 'byteorder';
      readonly source: Register;
      readonly register: Register;
      readonly to: 'network' | 'host';
      /** Bytes in all, and bytes of each number. */
      readonly length: number;
      readonly size: number;
    }
  /** Ends the rule unless the set holds the register's value (or, inverted, if it does); of a map, loads the data. */
  | {
      readonly op: 'lookup';
      readonly set: string;
      readonly register: Register;
      readonly inverted?: boolean;
      readonly result?: Register | 'verdict';
    }
  | { readonly op: 'immediate'; readonly register: Register; readonly value: HexText }
  | { readonly op: 'verdict'; readonly verdict: NftVerdict }
  /** Start values; they are never compared. */
  | { readonly op: 'counter'; readonly packets?: number; readonly bytes?: number }
  | {
      readonly op: 'limit';
      readonly rate: number;
      readonly per: 'second' | 'minute' | 'hour' | 'day' | 'week';
      readonly unit: 'packets' | 'bytes';
      /** Absent: the kernel's default. */
      readonly burst?: number;
      readonly over?: boolean;
    }
  | { readonly op: 'connlimit'; readonly count: number; readonly over?: boolean }
  | {
      readonly op: 'log';
      readonly prefix?: string;
      /** nflog group; without it the kernel log is written. */
      readonly group?: number;
      readonly snapBytes?: number;
      readonly queueThreshold?: number;
      /** syslog level, 0 to 7; 4 is the default. */
      readonly level?: number;
      readonly flags?: readonly LogFlag[];
    }
  | {
      readonly op: 'nat';
      readonly type: 'snat' | 'dnat';
      readonly family: 4 | 6;
      readonly address?: Register;
      readonly addressEnd?: Register;
      readonly port?: Register;
      readonly portEnd?: Register;
      readonly flags?: readonly NatFlag[];
    }
  | ({ readonly op: 'masquerade' } & PortTranslation)
  | ({ readonly op: 'redirect' } & PortTranslation)
  | { readonly op: 'reject'; readonly rejection: Rejection }
  | { readonly op: 'notrack' }
  | {
      readonly op: 'fib';
      readonly input: readonly FibInput[];
      readonly result: 'oif' | 'oifname' | 'type';
      /** The result is 1 or 0: a route exists. */
      readonly present?: boolean;
      readonly register: Register;
    }
  | {
      readonly op: 'numgen';
      readonly mode: 'inc' | 'random';
      readonly modulus: number;
      readonly offset?: number;
      readonly register: Register;
    }
  | {
      readonly op: 'jhash';
      readonly source: Register;
      readonly length: number;
      readonly modulus: number;
      readonly seed?: number;
      readonly offset?: number;
      readonly register: Register;
    }
  | {
      readonly op: 'symhash';
      readonly modulus: number;
      readonly offset?: number;
      readonly register: Register;
    }
  | {
      readonly op: 'dynset';
      readonly action: 'add' | 'update' | 'delete';
      readonly set: string;
      readonly register: Register;
      /** Of a map: the data to store. */
      readonly dataRegister?: Register;
      readonly timeoutMs?: number;
      /** Run for each element, such as a limit. */
      readonly expressions?: readonly NftExpression[];
    }
  | { readonly op: 'rt'; readonly key: 'tcpmss'; readonly register: Register }
  /** Writes a field of a TCP option. */
  | {
      readonly op: 'tcp-option-set';
      readonly option: number;
      readonly offset: number;
      readonly length: number;
      readonly register: Register;
    }
  /** An expression this vocabulary has no words for: its name and its attributes' bytes. */
  | { readonly op: 'other'; readonly name: string; readonly bytes: HexText };

export type ExpressionOp = NftExpression['op'];

/** The flags in the order of their list, in which they come back from the kernel. */
export function inOrder<F extends string>(order: readonly F[], flags: readonly F[]): F[] {
  return order.filter((each) => flags.includes(each));
}
