/** The five messages of BGP: their header (RFC 4271 section 4.1), and which body follows it. */
import { decodeAll, encodeAll } from '#core/codec/index.ts';
import { MessageError, type Notification } from './error.ts';
import { notificationCodec } from './notification.ts';
import { ERROR, HEADER_ERROR } from './notification-table.ts';
import { decodeOpen, encodeOpen, type Open } from './open.ts';
import { REFRESH_BYTES, type Refresh, refreshCodec } from './refresh.ts';

export const HEADER_BYTES = 19;
const MARKER_BYTES = 16;
/** RFC 4271 section 4. */
export const MAX_MESSAGE_BYTES = 4096;
/** RFC 8654 section 3. */
export const MAX_EXTENDED_BYTES = 65_535;

export const MESSAGE = { open: 1, update: 2, notification: 3, keepalive: 4, refresh: 5 } as const;

/** A message; what an UPDATE says depends on what was agreed, so its body is left to an UpdateDecoder. */
export type Message =
  | { readonly type: 'open'; readonly open: Open }
  | { readonly type: 'update'; readonly body: Uint8Array }
  | { readonly type: 'notification'; readonly notification: Notification }
  | { readonly type: 'keepalive' }
  | { readonly type: 'refresh'; readonly refresh: Refresh };

/** Type, and the least and greatest length that RFC 4271 section 6.1 and RFC 8654 section 4 allow. */
const LENGTHS: ReadonlyMap<number, readonly [min: number, max: number]> = new Map([
  [MESSAGE.open, [29, MAX_MESSAGE_BYTES]],
  [MESSAGE.update, [23, MAX_EXTENDED_BYTES]],
  [MESSAGE.notification, [21, MAX_EXTENDED_BYTES]],
  [MESSAGE.keepalive, [HEADER_BYTES, HEADER_BYTES]],
  [MESSAGE.refresh, [HEADER_BYTES, MAX_EXTENDED_BYTES]],
]);

/** The length of the message whose header begins at `at`, all of which has come. Throws MessageError. */
export function messageLength(bytes: Uint8Array, at: number, maxBytes: number): number {
  for (let i = at; i < at + MARKER_BYTES; i++)
    if (bytes[i] !== 0xff)
      throw new MessageError(ERROR.header, HEADER_ERROR.notSynchronized, 'marker is not all ones', i);
  const length = ((bytes[at + 16] as number) << 8) | (bytes[at + 17] as number);
  const type = bytes[at + 18] as number;
  const limits = LENGTHS.get(type);
  // RFC 4271 section 6.1: the data of either is the field that is wrong.
  if (limits === undefined)
    throw new MessageError(
      ERROR.header,
      HEADER_ERROR.badType,
      `message type ${type}`,
      at + 18,
      Uint8Array.of(type),
    );
  if (length < limits[0] || length > Math.min(limits[1], maxBytes))
    throw new MessageError(
      ERROR.header,
      HEADER_ERROR.badLength,
      `length ${length} of a message of type ${type}`,
      at + 16,
      bytes.slice(at + 16, at + 18),
    );
  return length;
}

/** Reads a whole message, the length of which messageLength has found good. Views into the bytes are kept. Throws DecodeError. */
export function decodeMessage(bytes: Uint8Array): Message {
  const body = bytes.subarray(HEADER_BYTES);
  switch (bytes[HEADER_BYTES - 1]) {
    case MESSAGE.open:
      return { type: 'open', open: decodeOpen(body) };
    case MESSAGE.update:
      return { type: 'update', body };
    case MESSAGE.notification:
      return { type: 'notification', notification: decodeAll(notificationCodec, body) };
    case MESSAGE.keepalive:
      return { type: 'keepalive' };
    default:
      // RFC 7313 section 5: the data is the message.
      if (body.length !== REFRESH_BYTES)
        throw new MessageError(
          ERROR.refresh,
          1,
          `${body.length} bytes of refresh`,
          HEADER_BYTES,
          bytes.slice(),
        );
      return { type: 'refresh', refresh: decodeAll(refreshCodec, body) };
  }
}

/** The bytes of a message, header and all. Throws RangeError for values that do not fit. */
export function encodeMessage(message: Message): Uint8Array {
  switch (message.type) {
    case 'open':
      return withHeader(MESSAGE.open, encodeOpen(message.open));
    case 'update':
      return withHeader(MESSAGE.update, message.body);
    case 'notification':
      return withHeader(MESSAGE.notification, encodeAll(notificationCodec, message.notification));
    case 'keepalive':
      return withHeader(MESSAGE.keepalive, new Uint8Array(0));
    case 'refresh':
      return withHeader(MESSAGE.refresh, encodeAll(refreshCodec, message.refresh));
  }
}

/** Writes a header at the beginning of bytes whose length is the message's. */
export function putHeader(bytes: Uint8Array, type: number, length: number): void {
  bytes.fill(0xff, 0, MARKER_BYTES);
  bytes[16] = length >>> 8;
  bytes[17] = length & 0xff;
  bytes[18] = type;
}

function withHeader(type: number, body: Uint8Array): Uint8Array {
  const length = HEADER_BYTES + body.length;
  if (length > MAX_EXTENDED_BYTES) throw new RangeError(`a message of ${length} bytes`);
  const bytes = new Uint8Array(length);
  putHeader(bytes, type, length);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}
