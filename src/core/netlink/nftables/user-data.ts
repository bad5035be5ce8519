/**
 * nft's own data in the kernel's NFTA_*_USERDATA: type, length and value of one byte, one byte and length bytes. The kernel only
 * stores it; nft shows the comments. Source: libnftnl/udata.h.
 */
import { lenientUtf8, untilNul, utf8 } from '#base/bytes.ts';
import { Writer } from '#core/codec/index.ts';

export interface UserDatum {
  readonly type: number;
  readonly bytes: Uint8Array;
}

const MAX_BYTES = 255;

/** NFTNL_UDATA_{TABLE,CHAIN,RULE,SET_ELEM}_COMMENT. */
export const COMMENT = 0;
/** NFTNL_UDATA_SET_KEYBYTEORDER, _DATABYTEORDER and _COMMENT. */
export const SET_KEY_BYTE_ORDER = 0;
export const SET_DATA_BYTE_ORDER = 1;
export const SET_COMMENT = 7;

/** The bytes of the items, in their order. */
export function encodeUserData(items: readonly UserDatum[]): Uint8Array {
  const writer = new Writer(64);
  for (const { type, bytes } of items) {
    writer.u8(type);
    writer.u8(bytes.length);
    writer.raw(bytes);
  }
  return writer.finish();
}

/** The items as far as they can be read: what a foreign program wrote may be anything. */
export function decodeUserData(bytes: Uint8Array): UserDatum[] {
  const items: UserDatum[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const length = bytes[at + 1] as number;
    items.push({ type: bytes[at] as number, bytes: bytes.slice(at + 2, at + 2 + length) });
    at += 2 + length;
  }
  return items;
}

/** Throws a RangeError for comments that are too long to be stored. */
export function commentDatum(type: number, comment: string): UserDatum {
  const bytes = utf8(`${comment}\0`);
  if (bytes.length > MAX_BYTES)
    throw new RangeError(`a comment has at most ${MAX_BYTES - 1} bytes: "${comment}"`);
  return { type, bytes };
}

/** The comment among the items, without its closing NUL. */
export function commentOf(userData: Uint8Array | undefined, type: number): string | undefined {
  if (userData === undefined) return undefined;
  const found = decodeUserData(userData).find((item) => item.type === type);
  return found && lenientUtf8(untilNul(found.bytes));
}
