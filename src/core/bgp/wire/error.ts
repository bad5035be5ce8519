/** The faults of messages for which a session has to end: each knows the NOTIFICATION that says so (RFC 4271 section 6). */
import { DecodeError } from '#core/codec/index.ts';

const NOTHING = new Uint8Array(0);

/** What a NOTIFICATION says: code, subcode, and data whose form depends on both. */
export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** A message that cannot be used, and what the peer is to be told. */
export class MessageError extends DecodeError {
  readonly notification: Notification;

  constructor(code: number, subcode: number, reason: string, offset = 0, data: Uint8Array = NOTHING) {
    super(reason, offset);
    this.notification = { code, subcode, data };
  }
}

export const isMessageError = (error: unknown): error is MessageError => error instanceof MessageError;

/** A decoder's complaint as one that has a NOTIFICATION; what has one already, or is no complaint of a decoder, stays as it is. */
export function withNotification(error: unknown, code: number, subcode: number): unknown {
  if (!(error instanceof DecodeError) || error instanceof MessageError) return error;
  const path = error.path === '' ? '' : `${error.path}: `;
  return new MessageError(code, subcode, `${path}${error.reason}`, error.offset);
}
