/**
 * The 16-byte netlink header, read in place without a codec since every message passes here, and the kernel's verdicts.
 * Host byte order, which is little-endian on all machines we run on. Source: linux/netlink.h.
 */
import { isDecodeError } from '#core/codec/index.ts';
import { decodeVerdict, errnoName, HEADER_BYTES } from '#core/netlink/index.ts';

const EPROTO = 71;
const COPY_BYTES = 128;

/** One message of a transaction that the kernel refused. */
export interface MessageFailure {
  /** Index into the messages as given; -1 if the transaction failed as a whole (at commit, or by its framing). */
  readonly index: number;
  /** Positive errno. */
  readonly errno: number;
  /** Its name, 'EEXIST'. */
  readonly code: string;
  /** The kernel's text, where it gave one. */
  readonly message?: string;
  /** Byte offset of the offending attribute from the message's header, where the kernel gave one. */
  readonly offset?: number;
}

/** What an error or acknowledgement message says; errno 0 is the acknowledgement. */
export type Verdict = Omit<MessageFailure, 'index'>;

const ACKNOWLEDGED: Verdict = { errno: 0, code: '' };

/** The unsigned 32-bit number at `at`; without a DataView, whose making costs more than the reading. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return (uint16At(bytes, at) | (uint16At(bytes, at + 2) << 16)) >>> 0;
}

function uint16At(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

/** nlmsg_type. */
export function typeOf(message: Uint8Array): number {
  return uint16At(message, 4);
}

/** nlmsg_flags. */
export function flagsOf(message: Uint8Array): number {
  return uint16At(message, 6);
}

/** nlmsg_seq. */
export function sequenceOf(message: Uint8Array): number {
  return uint32At(message, 8);
}

/** nlmsg_pid. */
export function portIdOf(message: Uint8Array): number {
  return uint32At(message, 12);
}

/** Whether the bytes are one whole message. */
export function isMessage(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && uint32At(bytes, 0) === bytes.length;
}

/** Throws a RangeError if the bytes are not one whole message: the caller built it wrong. */
export function checkMessage(message: Uint8Array, operation: string): void {
  if (isMessage(message)) return;
  const length = message.length < HEADER_BYTES ? -1 : uint32At(message, 0);
  const claim = length < 0 ? 'shorter than its header' : `but nlmsg_len says ${length}`;
  throw new RangeError(`${operation}: the netlink message is ${message.length} bytes long, ${claim}`);
}

export interface Stamp {
  readonly sequence: number;
  /** Flags to be added. */
  readonly flags: number;
}

/** Copies a message to `target` at `at` and writes sequence and further flags into the copy, port 0 as the kernel wants it. Returns the next aligned place. */
export function copyMessage(message: Uint8Array, target: Uint8Array, at: number, stamp: Stamp): number {
  // Most are short: for them the system's copying takes longer to call than to do.
  if (message.length > COPY_BYTES) target.set(message, at);
  else for (let i = 0; i < message.length; i++) target[at + i] = message[i] as number;
  stampMessage(target, at, stamp);
  return at + aligned(message.length);
}

/** Writes sequence and further flags into the message at `at`, and port 0 as the kernel wants it. */
export function stampMessage(bytes: Uint8Array, at: number, { sequence, flags }: Stamp): void {
  setUint16(bytes, at + 6, uint16At(bytes, at + 6) | flags);
  setUint32(bytes, at + 8, sequence);
  setUint32(bytes, at + 12, 0);
}

function setUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

function setUint32(bytes: Uint8Array, at: number, value: number): void {
  setUint16(bytes, at, value);
  setUint16(bytes, at + 2, value >>> 16);
}

/** Length rounded up to netlink's alignment of 4. */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** The messages that lie one behind the other, as views; a broken tail is left out (the kernel sends none). */
export function splitMessages(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  appendMessages(messages, bytes, 0, bytes.length);
  return messages;
}

/** splitMessages of the bytes from `from` to `end`, appended to others. */
export function appendMessages(messages: Uint8Array[], bytes: Uint8Array, from: number, end: number): void {
  let at = from;
  while (at + HEADER_BYTES <= end) {
    const length = uint32At(bytes, at);
    if (length < HEADER_BYTES || at + length > end) break;
    messages.push(bytes.subarray(at, at + length));
    at += aligned(length);
  }
}

/** What an NLMSG_ERROR or NLMSG_DONE says; one that cannot be read is EPROTO. */
export function readVerdict(message: Uint8Array): Verdict {
  try {
    const { errno, acknowledgement } = decodeVerdict(message);
    if (errno === 0) return ACKNOWLEDGED;
    const { message: text, offset } = acknowledgement;
    return {
      errno,
      code: errnoName(errno),
      ...(text === undefined ? {} : { message: text }),
      ...(offset === undefined ? {} : { offset }),
    };
  } catch (error) {
    if (!isDecodeError(error)) throw error;
    return { errno: EPROTO, code: errnoName(EPROTO) };
  }
}
