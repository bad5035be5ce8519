/**
 * The frame of an nf_tables transaction, NFNL_MSG_BATCH_BEGIN and _END, and the generation of the rules that it may be bound to.
 * Source: linux/netfilter/nfnetlink.h, net/netfilter/nfnetlink.c (nfnetlink_rcv_batch).
 */
import { u32be } from '#core/codec/index.ts';
import { attribute, attributes } from '../attribute.ts';
import { decodeMessage, encodeMessage } from '../message.ts';
import { generic, NFNL_SUBSYS_NFTABLES, NFT_MESSAGE } from './header.ts';
import { generationMessage } from './messages.ts';

const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;

/** NFNL_BATCH_*. */
export const batchMessage = generic(attributes({ generation: attribute(1, u32be) }));

/** Opens a transaction; with a generation it is refused with ERESTART, before any message, if the kernel's is another. */
export function batchBegin(generation?: number): Uint8Array {
  return encodeBatch(NFNL_MSG_BATCH_BEGIN, generation === undefined ? {} : { generation });
}

/** Commits a transaction. */
export function batchEnd(): Uint8Array {
  return encodeBatch(NFNL_MSG_BATCH_END, {});
}

/** Asks for the generation, which changes with every commit. */
export function generationRequest(): Uint8Array {
  const payload = { family: 0, version: 0, resourceId: 0, attributes: {} };
  return encodeMessage(generationMessage, { type: NFT_MESSAGE.GETGEN, flags: 0, payload });
}

/** The generation in an answer, or undefined if it names none. Throws DecodeError. */
export function decodeGeneration(answer: Uint8Array): number | undefined {
  return decodeMessage(generationMessage, answer).payload.attributes.id;
}

function encodeBatch(type: number, attributes: { readonly generation?: number }): Uint8Array {
  const payload = { family: 0, version: 0, resourceId: NFNL_SUBSYS_NFTABLES, attributes };
  return encodeMessage(batchMessage, { type, flags: 0, payload });
}
