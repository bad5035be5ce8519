/** The operations of a netlink socket: request, transaction, dump. Pure but for the sequence numbers they take. */
import { NLM_F, NLMSG } from '#core/netlink/index.ts';
import { type Channel, checkSent, type Operation, unanswered } from './channel.ts';
import { NetlinkError } from './error.ts';
import {
  aligned,
  checkMessage,
  copyMessage,
  flagsOf,
  isMessage,
  type MessageFailure,
  readVerdict,
  sequenceOf,
  stampMessage,
  typeOf,
  uint32At,
  type Verdict,
} from './frame.ts';
import type { NetlinkExchange } from './transport.ts';

const DUMP_TRIES = 10;
const EINTR = 4;

export interface TransactOptions {
  /** Ask for an acknowledgement of the last message of each send (default), or of all. */
  readonly acknowledge?: 'last' | 'all';
}

/** One message, acknowledged; gives the other answers. */
export function* request(channel: Channel, message: Uint8Array, operation: string): Operation<Uint8Array[]> {
  const outcome = yield* ask(channel, message, operation);
  if (Array.isArray(outcome)) return outcome;
  throw refusalOf(outcome.verdict, operation, outcome.sequence);
}

/** The same, with a refusal as an answer like others: to make an Error of it costs more than to ask. */
export function* ask(
  channel: Channel,
  message: Uint8Array,
  operation: string,
): Operation<Uint8Array[] | { readonly verdict: Verdict; readonly sequence: number }> {
  checkMessage(message, operation);
  const sequence = channel.takeSequences(1);
  channel.transport.sendBytesMax(message.length);
  const exchange = yield stamped(message, sequence, NLM_F.REQUEST | NLM_F.ACK);
  checkSent(exchange, operation);
  const answers: Uint8Array[] = [];
  let acknowledged = false;
  for (const answer of exchange.messages) {
    if (sequenceOf(answer) !== sequence) continue;
    const type = typeOf(answer);
    if (type === NLMSG.ERROR) {
      const verdict = readVerdict(answer);
      if (verdict.errno !== 0) return { verdict, sequence };
      acknowledged = true;
    } else if (type !== NLMSG.DONE) {
      answers.push(answer);
    }
  }
  if (!acknowledged || exchange.lost) throw unanswered(exchange, operation, sequence);
  return answers;
}

/** One dump, repeated while it is inconsistent. */
export function* dump(channel: Channel, message: Uint8Array, operation: string): Operation<Uint8Array[]> {
  checkMessage(message, operation);
  for (let attempt = 1; ; attempt += 1) {
    const sequence = channel.takeSequences(1);
    const exchange = yield stamped(message, sequence, NLM_F.REQUEST | NLM_F.DUMP);
    checkSent(exchange, operation);
    const { answers, done, interrupted } = readDump(exchange, operation, sequence);
    const complete = done && !exchange.lost;
    if (complete && !interrupted) return answers;
    if (attempt < DUMP_TRIES && (interrupted || exchange.lost)) continue;
    if (!complete) throw unanswered(exchange, operation, sequence);
    throw new NetlinkError({ operation, errno: EINTR, sequence, dumpInterrupted: true });
  }
}

function readDump(exchange: NetlinkExchange, operation: string, sequence: number) {
  const answers: Uint8Array[] = [];
  let done = false;
  let interrupted = false;
  for (const answer of exchange.messages) {
    if (sequenceOf(answer) !== sequence) continue;
    const type = typeOf(answer);
    if ((flagsOf(answer) & NLM_F.DUMP_INTR) !== 0) interrupted = true;
    if (type === NLMSG.ERROR) {
      throwRefusal(readVerdict(answer), operation, sequence);
    } else if (type === NLMSG.DONE) {
      throwRefusal(readVerdict(answer), operation, sequence);
      done = true;
    } else {
      answers.push(answer);
    }
  }
  return { answers, done, interrupted };
}

/** All messages, in as few sends as fit; gives the refusals in order. */
export function* transact(
  channel: Channel,
  messages: readonly Uint8Array[],
  options: TransactOptions,
): Operation<MessageFailure[]> {
  const failures: MessageFailure[] = [];
  const largest = messages.reduce((max, message) => Math.max(max, message.length), 0);
  const bytesMax = channel.transport.sendBytesMax(aligned(largest));
  for (let from = 0; from < messages.length; ) {
    const to = endOfSend(messages, from, bytesMax, channel.transport.answersMax);
    const operation = `netlink transaction, messages ${from} to ${to - 1}`;
    const first = channel.takeSequences(to - from);
    const acknowledgeAll = options.acknowledge === 'all';
    const part = to - from === messages.length ? messages : messages.slice(from, to);
    const exchange = yield coalesce(part, first, (index) =>
      acknowledgeAll || index === to - from - 1 ? NLM_F.REQUEST | NLM_F.ACK : NLM_F.REQUEST,
    );
    checkSent(exchange, operation);
    const verdicts = collectVerdicts(exchange, first, to - from);
    if (!verdicts.has(to - from - 1) || exchange.lost) {
      throw unanswered(exchange, operation, first + to - from - 1);
    }
    for (const [index, verdict] of verdicts) {
      if (verdict.errno !== 0) failures.push({ ...verdict, index: from + index });
    }
    from = to;
  }
  return failures;
}

/** transact of messages that lie one behind the other, aligned; they are stamped where they lie. */
export function* transactPacked(channel: Channel, bytes: Uint8Array): Operation<MessageFailure[]> {
  const failures: MessageFailure[] = [];
  const { answersMax } = channel.transport;
  for (let at = 0, index = 0; at < bytes.length; ) {
    const bytesMax = channel.transport.sendBytesMax(aligned(uint32At(bytes, at)));
    const { end, count } = endOfPart(bytes, at, at + bytesMax, answersMax);
    const operation = `netlink transaction, messages ${index} to ${index + count - 1}`;
    const first = channel.takeSequences(count);
    stampAll(bytes, at, end, first);
    const exchange = yield bytes.subarray(at, end);
    checkSent(exchange, operation);
    const verdicts = collectVerdicts(exchange, first, count);
    if (!verdicts.has(count - 1) || exchange.lost) throw unanswered(exchange, operation, first + count - 1);
    for (const [place, verdict] of verdicts)
      if (verdict.errno !== 0) failures.push({ ...verdict, index: index + place });
    at = end;
    index += count;
  }
  return failures;
}

/** As many whole messages from `at` on as end at `bytesEnd` at the latest, but one at least. */
function endOfPart(bytes: Uint8Array, at: number, bytesEnd: number, countMax: number) {
  let [end, count] = [at, 0];
  while (end < bytes.length && count < countMax) {
    const next = end + aligned(uint32At(bytes, end));
    if (next === end || next > bytes.length) throw new RangeError(`no netlink message at byte ${end}`);
    if (next > bytesEnd && count > 0) break;
    end = next;
    count += 1;
  }
  return { end, count };
}

function stampAll(bytes: Uint8Array, from: number, end: number, firstSequence: number): void {
  let sequence = firstSequence;
  for (let at = from; at < end; ) {
    const next = at + aligned(uint32At(bytes, at));
    stampMessage(bytes, at, { sequence, flags: next < end ? NLM_F.REQUEST : NLM_F.REQUEST | NLM_F.ACK });
    sequence += 1;
    at = next;
  }
}

/** Copies messages into one request. */
export function coalesce(
  messages: readonly Uint8Array[],
  firstSequence: number,
  wantedFlags: (index: number) => number,
): Uint8Array {
  let total = 0;
  for (const message of messages) total += aligned(message.length);
  const bytes = new Uint8Array(total);
  let at = 0;
  for (let index = 0; index < messages.length; index++) {
    const message = messages[index] as Uint8Array;
    if (!isMessage(message)) checkMessage(message, `message ${index} of ${messages.length}`);
    at = copyMessage(message, bytes, at, { sequence: firstSequence + index, flags: wantedFlags(index) });
  }
  return bytes;
}

/** The error messages among the answers, by index of the message they answer, in the order of the messages. */
export function collectVerdicts(
  exchange: NetlinkExchange,
  firstSequence: number,
  count: number,
): Map<number, Verdict> {
  const verdicts: [number, Verdict][] = [];
  for (const answer of exchange.messages) {
    const index = sequenceOf(answer) - firstSequence;
    if (typeOf(answer) === NLMSG.ERROR && index >= 0 && index < count)
      verdicts.push([index, readVerdict(answer)]);
  }
  return new Map(verdicts.sort(([a], [b]) => a - b));
}

function endOfSend(
  messages: readonly Uint8Array[],
  from: number,
  bytesMax: number,
  countMax: number,
): number {
  let bytes = 0;
  let to = from;
  while (to < messages.length && to - from < countMax) {
    bytes += aligned(messages[to]?.length ?? 0);
    if (bytes > bytesMax && to > from) break;
    to += 1;
  }
  return to;
}

/** From Node's buffer pool: a small array of its own would first be moved out of the heap by the system call, for 1 µs. */
function stamped(message: Uint8Array, sequence: number, flags: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(aligned(message.length)).fill(0, message.length);
  copyMessage(message, bytes, 0, { sequence, flags });
  return bytes;
}

function throwRefusal(verdict: Verdict, operation: string, sequence: number): void {
  if (verdict.errno !== 0) throw refusalOf(verdict, operation, sequence);
}

/** The error for a message that the kernel refused. */
export function refusalOf(verdict: Verdict, operation: string, sequence: number): NetlinkError {
  return new NetlinkError({
    operation,
    errno: verdict.errno,
    sequence,
    ...(verdict.message === undefined ? {} : { extAck: verdict.message }),
    ...(verdict.offset === undefined ? {} : { offset: verdict.offset }),
  });
}
