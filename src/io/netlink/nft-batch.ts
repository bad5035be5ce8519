/**
 * nf_tables transactions: messages between BATCH_BEGIN and BATCH_END in one send, all of them or none.
 * Source: linux/netfilter/nfnetlink.h, net/netfilter/nfnetlink.c (nfnetlink_rcv_batch).
 */
import { type Channel, checkSent, type Operation, unanswered } from './channel.ts';
import { NetlinkError } from './error.ts';
import {
  HEADER_BYTES,
  type MessageFailure,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  sequenceOf,
  typeOf,
} from './frame.ts';
import { coalesce, collectVerdicts, request } from './operation.ts';
import type { NetlinkSocket } from './socket.ts';

const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_BATCH_GENID = 1;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
const NFGENMSG_BYTES = 4;
const EMSGSIZE = 90;
const OPERATION = 'nftables batch';

export interface NftBatchOptions {
  /** The generation the batch was computed for; if the kernel's is another, nothing is done and the one failure is ERESTART, index -1. */
  readonly generation?: number;
}

export interface NftBatchOutcome {
  /** Empty if the batch was committed; else nothing was changed. */
  readonly failures: MessageFailure[];
  /** Echoes of messages that carried NLM_F_ECHO: they hold the handles the kernel gave. */
  readonly replies: Uint8Array[];
}

/** Runs one batch. `messages` are complete NFNL_SUBSYS_NFTABLES messages. Throws NetlinkError if the send itself fails. */
export function nftBatchSync(
  socket: NetlinkSocket,
  messages: readonly Uint8Array[],
  options: NftBatchOptions = {},
): NftBatchOutcome {
  return socket.channel.runSync(batch(socket.channel, messages, options));
}

/** nftBatchSync on the thread pool. */
export function nftBatch(
  socket: NetlinkSocket,
  messages: readonly Uint8Array[],
  options: NftBatchOptions = {},
): Promise<NftBatchOutcome> {
  return socket.channel.run(batch(socket.channel, messages, options));
}

/** The ruleset generation of the socket's namespace; it changes with every commit. Throws NetlinkError. */
export function nftGeneration(socket: NetlinkSocket): number {
  const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
  const question = nfnlMessage(type, 0, new Uint8Array(0));
  const answers = socket.channel.runSync(request(socket.channel, question, 'nftables generation'));
  for (const answer of answers) {
    const generation = attribute32(answer, NFTA_GEN_ID);
    if (generation !== undefined) return generation;
  }
  throw new NetlinkError({ operation: 'nftables generation', errno: 71, extAck: 'the answer holds no id' });
}

function* batch(
  channel: Channel,
  messages: readonly Uint8Array[],
  options: NftBatchOptions,
): Operation<NftBatchOutcome> {
  if (messages.length === 0) return { failures: [], replies: [] };
  const begin = nfnlMessage(
    NFNL_MSG_BATCH_BEGIN,
    NFNL_SUBSYS_NFTABLES,
    generationAttribute(options.generation),
  );
  const end = nfnlMessage(NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES, new Uint8Array(0));
  const last = messages.length + 1;
  const first = channel.takeSequences(messages.length + 2);
  const bytes = coalesce([begin, ...messages, end], first, (index) =>
    index === last ? NLM_F_REQUEST | NLM_F_ACK : NLM_F_REQUEST,
  );
  const room = channel.transport.sendBytesMax(bytes.length);
  if (room < bytes.length) {
    const extAck = `the batch of ${bytes.length} bytes does not fit the send buffer of ${room}; raise net.core.wmem_max`;
    throw new NetlinkError({ operation: OPERATION, errno: EMSGSIZE, extAck });
  }
  const exchange = yield bytes;
  checkSent(exchange, OPERATION);
  const verdicts = collectVerdicts(exchange, first, last + 1);
  const failures: MessageFailure[] = [];
  for (const [place, verdict] of verdicts) {
    if (verdict.errno === 0) continue;
    failures.push({ ...verdict, index: place === 0 || place === last ? -1 : place - 1 });
  }
  if (failures.length === 0 && !verdicts.has(last)) throw unanswered(exchange, OPERATION, first + last);
  return { failures, replies: failures.length === 0 ? repliesOf(exchange.messages, first, last) : [] };
}

function repliesOf(messages: readonly Uint8Array[], first: number, last: number): Uint8Array[] {
  return messages.filter((message) => {
    const type = typeOf(message);
    const sequence = sequenceOf(message);
    return type !== NLMSG_ERROR && type !== NLMSG_DONE && sequence > first && sequence < first + last;
  });
}

/** Header, nfgenmsg (family unspecified, version 0, big-endian resource) and attributes. */
function nfnlMessage(type: number, resource: number, attributes: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + NFGENMSG_BYTES + attributes.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(HEADER_BYTES + 2, resource, false);
  bytes.set(attributes, HEADER_BYTES + NFGENMSG_BYTES);
  return bytes;
}

function generationAttribute(generation: number | undefined): Uint8Array {
  if (generation === undefined) return new Uint8Array(0);
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, bytes.length, true);
  view.setUint16(2, NFNL_BATCH_GENID, true);
  view.setUint32(4, generation, false);
  return bytes;
}

/** The big-endian 32-bit value of a top-level attribute behind the nfgenmsg. */
function attribute32(message: Uint8Array, wanted: number): number | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = HEADER_BYTES + NFGENMSG_BYTES;
  while (at + 4 <= message.length) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > message.length) return undefined;
    if ((view.getUint16(at + 2, true) & 0x3fff) === wanted && length >= 8)
      return view.getUint32(at + 4, false);
    at += (length + 3) & ~3;
  }
  return undefined;
}
