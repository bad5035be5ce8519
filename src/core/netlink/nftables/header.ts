/**
 * What all nf_tables messages share: the subsystem and message numbers and struct nfgenmsg. Integers are big-endian.
 * Source: linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.
 */
import { lenientUtf8, untilNul } from '#base/bytes.ts';
import { type Codec, type StructValue, struct, u8, u16be } from '#core/codec/index.ts';
import type { NftFamily } from '#core/nft/index.ts';

export const NFNL_SUBSYS_NFTABLES = 10;

/** enum nf_tables_msg_types, with the subsystem in the high byte. */
export const NFT_MESSAGE = {
  NEWTABLE: message(0),
  GETTABLE: message(1),
  DELTABLE: message(2),
  NEWCHAIN: message(3),
  GETCHAIN: message(4),
  DELCHAIN: message(5),
  NEWRULE: message(6),
  GETRULE: message(7),
  DELRULE: message(8),
  NEWSET: message(9),
  GETSET: message(10),
  DELSET: message(11),
  NEWSETELEM: message(12),
  GETSETELEM: message(13),
  DELSETELEM: message(14),
  NEWGEN: message(15),
  GETGEN: message(16),
} as const;

/** Multicast groups that announce changes: NFNLGRP_NFTABLES. */
export const NFT_GROUPS: readonly number[] = [7];

/** nfgen_family of each table family. */
export const FAMILY_NUMBERS: Readonly<Record<NftFamily, number>> = {
  inet: 1,
  ip: 2,
  arp: 3,
  netdev: 5,
  bridge: 7,
  ip6: 10,
};

const BY_NUMBER = new Map(
  Object.entries(FAMILY_NUMBERS).map(([name, number]) => [number, name as NftFamily] as const),
);

/** The family of an nfgen_family; undefined for those that have no tables. */
export function familyOfNumber(number: number): NftFamily | undefined {
  return BY_NUMBER.get(number);
}

/** struct nfgenmsg, followed by the attributes of the message's kind. */
export function generic<A>(attributes: Codec<A>): Codec<StructValue<GenericFields<A>>> {
  return struct<GenericFields<A>>({ family: u8, version: u8, resourceId: u16be, attributes });
}

type GenericFields<A> = {
  readonly family: Codec<number>;
  readonly version: Codec<number>;
  readonly resourceId: Codec<number>;
  readonly attributes: Codec<A>;
};

function message(number: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | number;
}

const MESSAGE_HEADER_BYTES = 16;
const GENERIC_HEADER_BYTES = 4;
const NAME_ATTRIBUTE = 1;

/**
 * The table a message is about, without decoding the rest: attribute 1 of tables, chains, rules, sets and elements alike.
 * Undefined for messages of other subsystems, for generations, and for what is too short to tell.
 */
export function tableOfMessage(
  bytes: Uint8Array,
): { readonly family: NftFamily; readonly table: string } | undefined {
  let at = MESSAGE_HEADER_BYTES + GENERIC_HEADER_BYTES;
  const type = bytes[4] as number;
  if (bytes.length < at || bytes[5] !== NFNL_SUBSYS_NFTABLES || type > 14) return undefined;
  const family = familyOfNumber(bytes[MESSAGE_HEADER_BYTES] as number);
  while (family !== undefined && at + 4 <= bytes.length) {
    const length = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
    if (length < 4 || at + length > bytes.length) return undefined;
    if (bytes[at + 2] === NAME_ATTRIBUTE && ((bytes[at + 3] as number) & 0x3f) === 0) {
      return { family, table: lenientUtf8(untilNul(bytes.subarray(at + 4, at + length))) };
    }
    at += (length + 3) & ~3;
  }
  return undefined;
}
