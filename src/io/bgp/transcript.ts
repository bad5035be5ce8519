/** What was said on a connection that others may want to hear word by word: its OPENs, and how it ended. */
import type { Direction } from './message-counts.ts';
import type { TcpStream } from './tcp-stream.ts';

/** A connection's ends, and messages whole as they were on the wire. */
export interface Talk {
  readonly localPort: number;
  readonly remotePort: number;
  readonly sentOpen?: Uint8Array;
  readonly receivedOpen?: Uint8Array;
  readonly sentNotification?: Uint8Array;
  readonly receivedNotification?: Uint8Array;
}

const TYPE_AT = 18;
const OPEN = 1;
const NOTIFICATION = 3;
const KEYS = {
  out: { [OPEN]: 'sentOpen', [NOTIFICATION]: 'sentNotification' },
  in: { [OPEN]: 'receivedOpen', [NOTIFICATION]: 'receivedNotification' },
} as const;

export class Transcript {
  #talk: Talk;

  constructor({ localPort, remotePort }: Pick<TcpStream, 'localPort' | 'remotePort'>) {
    this.#talk = { localPort, remotePort };
  }

  get talk(): Talk {
    return this.#talk;
  }

  /** One message, whole, which may be part of a larger buffer. */
  note(direction: Direction, message: Uint8Array): void {
    const type = message[TYPE_AT];
    if (type !== OPEN && type !== NOTIFICATION) return;
    this.#talk = { ...this.#talk, [KEYS[direction][type]]: message.slice() };
  }
}
