/** Netlink messages (linux/netlink.h, struct nlmsghdr): a 16-byte header and a payload that a codec describes. RFC 3549. */
import { type Codec, DecodeError, Reader, struct, u16, u32, Writer } from '#core/codec/index.ts';

export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  ECHO: 0x8,
  DUMP_INTR: 0x10,
  ROOT: 0x100,
  MATCH: 0x200,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
} as const;

export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;
export const HEADER_BYTES = 16;

export const messageHeader = struct({ length: u32, type: u16, flags: u16, sequence: u32, portId: u32 });

/** A header's type and flags with a decoded payload. Sequence and port are the socket's business. */
export interface Message<T> {
  readonly type: number;
  readonly flags: number;
  readonly payload: T;
}

/** One buffer for all messages: encoding is synchronous and no codec encodes a message within a message. */
const scratch = new Writer();

/** A whole message with sequence number and port id 0: the socket fills them in. */
export function encodeMessage<T>(codec: Codec<T>, message: Message<T>): Uint8Array {
  const writer = scratch;
  writer.reset();
  writer.reserve(4);
  writer.u16le(message.type);
  writer.u16le(message.flags);
  writer.reserve(8);
  codec.encode(writer, message.payload);
  writer.align(4);
  writer.patchU32le(0, writer.length);
  return writer.finish();
}

// Every message passes here: its header is read in place, as `messageHeader` says it lies.

/** The type field of a message, without decoding the rest. Throws DecodeError if it has no header. */
export function messageType(bytes: Uint8Array): number {
  return headerField(bytes, 4);
}

/** The flags of a message, without decoding the rest. Throws DecodeError if it has no header. */
export function messageFlags(bytes: Uint8Array): number {
  return headerField(bytes, 6);
}

function headerField(bytes: Uint8Array, at: number): number {
  if (bytes.length < HEADER_BYTES) messageHeader.decode(new Reader(bytes));
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

/** Decodes one whole message; its length field must cover the bytes exactly (up to alignment). */
export function decodeMessage<T>(codec: Codec<T>, bytes: Uint8Array): Message<T> {
  const type = messageType(bytes);
  const length = new Reader(bytes).u32le();
  if (length < HEADER_BYTES || length > bytes.length) {
    throw new DecodeError(`message length ${length} in ${bytes.length} bytes`, 0, 'length');
  }
  const body = new Reader(bytes, HEADER_BYTES, length);
  const payload = codec.decode(body);
  body.finish();
  return { type, flags: messageFlags(bytes), payload };
}
