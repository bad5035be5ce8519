/**
 * The 16-byte netlink header and the error message with its extended acknowledgement; nothing of any protocol above.
 * Host byte order, which is little-endian on all machines we run on. Source: linux/netlink.h.
 */
import { errnoCode } from './error.ts';

export const HEADER_BYTES = 16;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
/** In an error message: attributes follow. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

const LITTLE_ENDIAN = true;
const decoder = new TextDecoder();

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

export interface Header {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
}

/** What an error or acknowledgement message says; errno 0 is the acknowledgement. */
export type Verdict = Omit<MessageFailure, 'index'>;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function readHeader(message: Uint8Array): Header {
  const view = viewOf(message);
  return {
    length: view.getUint32(0, LITTLE_ENDIAN),
    type: view.getUint16(4, LITTLE_ENDIAN),
    flags: view.getUint16(6, LITTLE_ENDIAN),
    sequence: view.getUint32(8, LITTLE_ENDIAN),
    portId: view.getUint32(12, LITTLE_ENDIAN),
  };
}

/** Throws a RangeError if the bytes are not one whole message: the caller built it wrong. */
export function checkMessage(message: Uint8Array, operation: string): void {
  const length = message.length < HEADER_BYTES ? -1 : viewOf(message).getUint32(0, LITTLE_ENDIAN);
  if (length === message.length) return;
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
  target.set(message, at);
  const view = viewOf(target);
  view.setUint16(at + 6, view.getUint16(at + 6, LITTLE_ENDIAN) | stamp.flags, LITTLE_ENDIAN);
  view.setUint32(at + 8, stamp.sequence, LITTLE_ENDIAN);
  view.setUint32(at + 12, 0, LITTLE_ENDIAN);
  return at + aligned(message.length);
}

/** Length rounded up to netlink's alignment of 4. */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** The messages that lie one behind the other, as views; a broken tail is left out (the kernel sends none). */
export function splitMessages(bytes: Uint8Array): Uint8Array[] {
  const view = viewOf(bytes);
  const messages: Uint8Array[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at, LITTLE_ENDIAN);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    messages.push(bytes.subarray(at, at + length));
    at += aligned(length);
  }
  return messages;
}

/** Reads an NLMSG_ERROR message: errno, and the extended acknowledgement if the kernel added one. */
export function readVerdict(message: Uint8Array): Verdict {
  const view = viewOf(message);
  const errno =
    message.length >= HEADER_BYTES + 4 ? Math.abs(view.getInt32(HEADER_BYTES, LITTLE_ENDIAN)) : 71;
  const { flags } = readHeader(message);
  const verdict = { errno, code: errno === 0 ? '' : errnoCode(errno) };
  if ((flags & NLM_F_ACK_TLVS) === 0 || message.length < HEADER_BYTES + 4 + HEADER_BYTES) return verdict;
  // The offending message follows the errno: its header alone (NETLINK_CAP_ACK), or whole.
  const quoted =
    (flags & NLM_F_CAPPED) !== 0 ? HEADER_BYTES : view.getUint32(HEADER_BYTES + 4, LITTLE_ENDIAN);
  return { ...verdict, ...readExtendedAck(message, HEADER_BYTES + 4 + aligned(quoted)) };
}

/** The errno and text a dump ended with (NLMSG_DONE carries both since Linux 4.20). */
export function readDone(message: Uint8Array): Verdict {
  const errno =
    message.length >= HEADER_BYTES + 4 ? Math.abs(viewOf(message).getInt32(HEADER_BYTES, LITTLE_ENDIAN)) : 0;
  const verdict = { errno, code: errno === 0 ? '' : errnoCode(errno) };
  const { flags } = readHeader(message);
  return (flags & NLM_F_ACK_TLVS) === 0
    ? verdict
    : { ...verdict, ...readExtendedAck(message, HEADER_BYTES + 4) };
}

function readExtendedAck(message: Uint8Array, from: number): { message?: string; offset?: number } {
  const view = viewOf(message);
  const found: { message?: string; offset?: number } = {};
  let at = from;
  while (at + 4 <= message.length) {
    const length = view.getUint16(at, LITTLE_ENDIAN);
    if (length < 4 || at + length > message.length) break;
    const type = view.getUint16(at + 2, LITTLE_ENDIAN) & 0x3fff;
    if (type === NLMSGERR_ATTR_MSG) {
      found.message = decoder.decode(message.subarray(at + 4, at + length)).replace(/\0+$/, '');
    } else if (type === NLMSGERR_ATTR_OFFS && length >= 8) {
      found.offset = view.getUint32(at + 4, LITTLE_ENDIAN);
    }
    at += aligned(length);
  }
  return found;
}
