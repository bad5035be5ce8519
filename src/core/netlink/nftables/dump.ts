/** The requests whose answers tell all of a namespace's nf_tables objects. */
import type { NftFamily } from '#core/nft/index.ts';
import { encodeMessage } from '../message.ts';
import { NFT_MESSAGE } from './header.ts';
import { chainMessage, elementsMessage, ruleMessage, setMessage, tableMessage } from './messages.ts';
import { headerOf } from './objects.ts';

/** NFPROTO_UNSPEC: all families. */
const ALL_FAMILIES = { family: 0, version: 0, resourceId: 0 };

/** All tables, chains and sets, of whomever; a few small messages for each table. */
export function overviewRequests(): Uint8Array[] {
  const payload = { ...ALL_FAMILIES, attributes: {} };
  return [
    encodeMessage(tableMessage, { type: NFT_MESSAGE.GETTABLE, flags: 0, payload }),
    encodeMessage(chainMessage, { type: NFT_MESSAGE.GETCHAIN, flags: 0, payload }),
    encodeMessage(setMessage, { type: NFT_MESSAGE.GETSET, flags: 0, payload }),
  ];
}

/** One table; refused with ENOENT if it is not there. */
export function tableRequest(family: NftFamily, name: string): Uint8Array {
  const payload = { ...headerOf(family), attributes: { name } };
  return encodeMessage(tableMessage, { type: NFT_MESSAGE.GETTABLE, flags: 0, payload });
}

/** One chain; refused with ENOENT if it, or its table, is not there. */
export function chainRequest(family: NftFamily, table: string, name: string): Uint8Array {
  const payload = { ...headerOf(family), attributes: { table, name } };
  return encodeMessage(chainMessage, { type: NFT_MESSAGE.GETCHAIN, flags: 0, payload });
}

/** The rules of one table. */
export function rulesRequest(family: NftFamily, table: string): Uint8Array {
  const payload = { ...headerOf(family), attributes: { table } };
  return encodeMessage(ruleMessage, { type: NFT_MESSAGE.GETRULE, flags: 0, payload });
}

/** The elements of one set; refused with ENOENT if it is gone. */
export function elementsRequest(family: NftFamily, table: string, set: string): Uint8Array {
  const payload = { ...headerOf(family), attributes: { table, set } };
  return encodeMessage(elementsMessage, { type: NFT_MESSAGE.GETSETELEM, flags: 0, payload });
}
