/** From a connection's bytes to events of its session, one at a time: what an OPEN agrees on may change how the next message is read. */
import { decodeMessage, isMessageError, type MessageFramer } from '../wire/index.ts';
import type { SessionEvent } from './types.ts';

/** What has come whole; `onMessage` sees its bytes first. After `malformed` nothing more is to be read. */
export function* readEvents(
  framer: MessageFramer,
  connection: number,
  onMessage?: (bytes: Uint8Array) => void,
): Generator<SessionEvent, void> {
  try {
    for (let bytes = framer.next(); bytes !== undefined; bytes = framer.next()) {
      onMessage?.(bytes);
      yield { type: 'message', connection, message: decodeMessage(bytes) };
    }
  } catch (error) {
    if (!isMessageError(error)) throw error;
    yield { type: 'malformed', connection, notification: error.notification, reason: error.message };
  }
}
