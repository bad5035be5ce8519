/** Cuts a stream of bytes into messages. */
import { HEADER_BYTES, MAX_MESSAGE_BYTES, messageLength } from './message.ts';

const NOTHING = new Uint8Array(0);

export class MessageFramer {
  /** Grows when extended messages are agreed (RFC 8654). */
  maxMessageBytes = MAX_MESSAGE_BYTES;
  #bytes: Uint8Array = NOTHING;
  #at = 0;

  /** Bytes that wait for the rest of their message. */
  get waitingBytes(): number {
    return this.#bytes.length - this.#at;
  }

  /** Takes over the bytes: messages are views into them. */
  push(chunk: Uint8Array): void {
    const left = this.#bytes.subarray(this.#at);
    this.#at = 0;
    if (left.length === 0) {
      this.#bytes = chunk;
      return;
    }
    this.#bytes = new Uint8Array(left.length + chunk.length);
    this.#bytes.set(left);
    this.#bytes.set(chunk, left.length);
  }

  /** The next message, whole; undefined if it has not come yet. Throws MessageError; the stream is of no use then. */
  next(): Uint8Array | undefined {
    if (this.waitingBytes < HEADER_BYTES) return undefined;
    const length = messageLength(this.#bytes, this.#at, this.maxMessageBytes);
    if (this.waitingBytes < length) return undefined;
    const message = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return message;
  }
}
