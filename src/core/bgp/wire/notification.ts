/** NOTIFICATION: its bytes, its words, the text of a shutdown (RFC 9003) and what a hard reset carries (RFC 8538). */
import { concat, fromUtf8, hex, utf8 } from '#base/bytes.ts';
import { type Codec, Reader, rest, struct, u8 } from '#core/codec/index.ts';
import type { Notification } from './error.ts';
import { CEASE, ERROR, ERROR_ROWS } from './notification-table.ts';

/** The body of the message. */
export const notificationCodec: Codec<Notification> = struct({ code: u8, subcode: u8, data: rest });

const ROWS = new Map(ERROR_ROWS.map((row) => [row.code, row]));
/** RFC 9003 section 2: the length is an octet. */
const MAX_TEXT_BYTES = 255;
const NOTHING = new Uint8Array(0);

/** A NOTIFICATION without data, if none is given. */
export function notificationOf(code: number, subcode = 0, data: Uint8Array = NOTHING): Notification {
  return { code, subcode, data };
}

/** A cease that tells why, to people: RFC 9003 has it in shutdown and reset only. Text beyond 255 bytes is cut. */
export function ceaseOf(subcode: number, text = ''): Notification {
  const carriesText = subcode === CEASE.shutdown || subcode === CEASE.reset;
  if (!carriesText || text === '') return notificationOf(ERROR.cease, subcode);
  const bytes = cutUtf8(text);
  return notificationOf(ERROR.cease, subcode, concat(Uint8Array.of(bytes.length), bytes));
}

/** RFC 8538 section 3: after this one, routes do not stay. The data is the NOTIFICATION it stands for. */
export function hardResetOf({ code, subcode, data }: Notification): Notification {
  return notificationOf(ERROR.cease, CEASE.hardReset, concat(Uint8Array.of(code, subcode), data));
}

export function isHardReset({ code, subcode }: Notification): boolean {
  return code === ERROR.cease && subcode === CEASE.hardReset;
}

/** The text of a shutdown or reset; undefined if there is none, or none that can be shown. */
export function shutdownText({ code, subcode, data }: Notification): string | undefined {
  if (code !== ERROR.cease || (subcode !== CEASE.shutdown && subcode !== CEASE.reset)) return undefined;
  const length = data[0] ?? 0;
  // RFC 9003 section 4: a length that does not fit, or what is not UTF-8, is not shown.
  if (length === 0 || length > data.length - 1) return undefined;
  return fromUtf8(data.subarray(1, 1 + length));
}

/** In words: `cease: administrative shutdown: "kernel update"`. */
export function describeNotification(notification: Notification): string {
  const { code, subcode, data } = notification;
  const row = ROWS.get(code);
  const name = row?.name ?? `error ${code}`;
  const detail = row?.subcodes[subcode] ?? (subcode === 0 ? undefined : `subcode ${subcode}`);
  const head = detail === undefined ? name : `${name}: ${detail}`;
  if (isHardReset(notification) && data.length >= 2) {
    const inner = notificationCodec.decode(new Reader(data));
    return `${head}: ${describeNotification(inner)}`;
  }
  const text = shutdownText(notification);
  if (text !== undefined) return `${head}: ${JSON.stringify(text)}`;
  return data.length === 0 ? head : `${head} (${hex(data.subarray(0, 16))})`;
}

function cutUtf8(text: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length <= MAX_TEXT_BYTES) return bytes;
  let end = MAX_TEXT_BYTES;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
