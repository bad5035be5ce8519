/**
 * The nf_tables part of the kernel vocabulary: tables, chains with their whole rule lists, sets and maps, and elements.
 * Plain data. An absent optional field is "no opinion": the kernel's default on creation, never compared.
 * It knows nothing of handles, generations or bytes; those are core/netlink/nftables.
 */
import type { NftDataType, NftValue } from './datatype.ts';
import type { NftExpression, NftVerdict } from './expression.ts';

export type NftFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';

export interface NftTable {
  readonly kind: 'nft-table';
  readonly family: NftFamily;
  readonly name: string;
  /** Its base chains see no packets while this is true (NFT_TABLE_F_DORMANT). */
  readonly dormant?: boolean;
  readonly comment?: string;
}

export type NftHookName =
  | 'ingress'
  | 'prerouting'
  | 'input'
  | 'forward'
  | 'output'
  | 'postrouting'
  | 'egress';
export type NftChainType = 'filter' | 'nat' | 'route';

/** What makes a chain a base chain. */
export interface NftHook {
  readonly hook: NftHookName;
  /** Lower runs first; see PRIORITIES for nft's names. */
  readonly priority: number;
  readonly type: NftChainType;
  readonly policy?: 'accept' | 'drop';
  /** Links, for the hooks ingress and egress only. */
  readonly devices?: readonly string[];
}

export interface NftRule {
  readonly expressions: readonly NftExpression[];
  readonly comment?: string;
}

/** A chain and all of its rules in order: a changed list is replaced in one transaction. */
export interface NftChain {
  readonly kind: 'nft-chain';
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  readonly hook?: NftHook;
  readonly rules: readonly NftRule[];
  readonly comment?: string;
}

/** A named set; with `dataType` a map, with `dataType: 'verdict'` a verdict map. */
export interface NftSet {
  readonly kind: 'nft-set';
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  /** One type, or the fields of a concatenation. */
  readonly keyType: readonly NftDataType[];
  readonly dataType?: readonly NftDataType[] | 'verdict';
  /** Elements may be ranges. */
  readonly interval?: boolean;
  /** Default time to live of elements. */
  readonly timeoutMs?: number;
  /** Elements may carry a time to live though the set gives no default. */
  readonly timeouts?: boolean;
  /** Rules add elements; these belong to the traffic and are never part of the state. */
  readonly dynamic?: boolean;
  readonly constant?: boolean;
  /** The most elements it may hold. */
  readonly size?: number;
  readonly comment?: string;
}

export interface NftElement {
  readonly kind: 'nft-element';
  readonly family: NftFamily;
  readonly table: string;
  readonly set: string;
  /** One value for each field of the set's key type, in the canonical form of datatype.ts. */
  readonly key: readonly NftValue[];
  /** The last key of a range, inclusive; absent for a single key. */
  readonly keyEnd?: readonly NftValue[];
  /** Of a map: one value for each field of the data type; of a verdict map: the verdict. */
  readonly data?: readonly NftValue[] | NftVerdict;
  readonly timeoutMs?: number;
  readonly comment?: string;
}

export type NftObject = NftTable | NftChain | NftSet | NftElement;

/** What identifies an element within its set: the (first) key, `10.0.0.1 . tcp . 80`. Ranges of one set never share a start. */
export function elementKeyText(element: NftElement): string {
  return element.key.join(' . ');
}
