/** A TCP connection to a peer as its session sees it: bytes in, bytes out, and how many wait. */
import { Socket } from 'node:net';
import type { Clock } from '#base/clock.ts';
import type { IpAddress } from '#base/ip/index.ts';
import { addressOf, portOf } from './socket-address.ts';

export interface StreamHandlers {
  /** The bytes are the handler's to keep. */
  readonly onBytes: (bytes: Uint8Array) => void;
  /** The peer has closed it, or it broke. */
  readonly onEnd: (reason: string) => void;
  /** Nothing waits to be sent any more. */
  readonly onDrain: () => void;
}

/** After the last bytes are out the peer has so long to close as well. */
const LINGER_MS = 2000;

export class TcpStream implements Disposable {
  readonly localAddress: IpAddress;
  readonly remoteAddress: IpAddress;
  /** The link that a link-local peer has come by. */
  readonly link: string | undefined;
  readonly localPort: number;
  readonly remotePort: number;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #handlers: StreamHandlers | undefined;
  #linger: Disposable | undefined;
  #isCorked = false;
  #lastError = 'the peer has closed the connection';
  /** Resolves when the descriptor is closed. */
  readonly closed: Promise<void>;

  /** Takes over a descriptor that is connected, between these two, each a struct sockaddr. Nothing is read before start(). */
  constructor(
    fd: number,
    ends: { readonly local: Uint8Array; readonly remote: Uint8Array; readonly link?: string | undefined },
    clock: Clock,
  ) {
    this.localAddress = addressOf(ends.local);
    this.remoteAddress = addressOf(ends.remote);
    this.link = ends.link;
    this.localPort = portOf(ends.local);
    this.remotePort = portOf(ends.remote);
    this.#clock = clock;
    this.#socket = new Socket({ fd, readable: true, writable: true });
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', () => resolve());
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#lastError = error.code ?? error.message;
    });
  }

  /** Bytes that the kernel has not taken yet. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Bytes the kernel has taken. */
  get sentBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  start(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    this.#socket.on('data', (bytes: Uint8Array) => this.#handlers?.onBytes(bytes));
    this.#socket.on('drain', () => this.#handlers?.onDrain());
    this.#socket.once('close', () => {
      this.#linger?.[Symbol.dispose]();
      this.#detach()?.onEnd(this.#lastError);
    });
  }

  /** What is written in one turn of the event loop goes out in one piece. */
  write(bytes: Uint8Array): void {
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes);
  }

  /** Sends what was written, and closes. No handler is called any more. */
  end(): void {
    this.#detach();
    if (this.#socket.destroyed) return;
    this.#linger ??= this.#clock.setTimeout(LINGER_MS, () => this.#socket.destroy());
    // Bytes that nobody reads would make the kernel reset the connection, and the peer lose our last words.
    this.#socket.resume();
    this.#socket.end();
  }

  /** Closes at once. No handler is called any more. */
  destroy(): void {
    this.#detach();
    this.#linger?.[Symbol.dispose]();
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #detach(): StreamHandlers | undefined {
    const handlers = this.#handlers;
    this.#handlers = undefined;
    return handlers;
  }
}
