/** nf_tables transactions: messages between BATCH_BEGIN and BATCH_END in one send, all of them or none. */
import { NLM_F, NLMSG } from '#core/netlink/index.ts';
import { batchBegin, batchEnd, decodeGeneration, generationRequest } from '#core/netlink/nftables/index.ts';
import { type Channel, checkSent, type Operation, unanswered } from './channel.ts';
import { NetlinkError } from './error.ts';
import { type MessageFailure, sequenceOf, typeOf } from './frame.ts';
import { coalesce, collectVerdicts, request } from './operation.ts';
import type { NetlinkSocket } from './socket.ts';

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
  const question = generationRequest();
  const answers = socket.channel.runSync(request(socket.channel, question, 'nftables generation'));
  for (const answer of answers) {
    const generation = decodeGeneration(answer);
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
  // Before Linux 6.10 BATCH_END is not acknowledged. The last message is, once the commit is over; a commit that fails is an
  // error of BATCH_BEGIN.
  const last = messages.length + 1;
  const first = channel.takeSequences(messages.length + 2);
  const bytes = coalesce([batchBegin(options.generation), ...messages, batchEnd()], first, (index) =>
    index >= last - 1 ? NLM_F.REQUEST | NLM_F.ACK : NLM_F.REQUEST,
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
  const isAnswered = verdicts.has(last) || verdicts.has(last - 1);
  if (failures.length === 0 && !isAnswered) throw unanswered(exchange, OPERATION, first + last);
  return { failures, replies: failures.length === 0 ? repliesOf(exchange.messages, first, last) : [] };
}

function repliesOf(messages: readonly Uint8Array[], first: number, last: number): Uint8Array[] {
  return messages.filter((message) => {
    const type = typeOf(message);
    const sequence = sequenceOf(message);
    return type !== NLMSG.ERROR && type !== NLMSG.DONE && sequence > first && sequence < first + last;
  });
}
