/**
 * What all operations of a socket share: sequence numbers, the transport, the order of asynchronous calls, and the end.
 * An operation is written once, as a generator that yields requests and is given their exchanges; here it is run in either way.
 */
import { NetlinkError } from './error.ts';
import type { NetlinkExchange, NetlinkTransport } from './transport.ts';

export type Operation<T> = Generator<Uint8Array, T, NetlinkExchange>;

const EPROTO = 71;
const ENOBUFS = 105;

export class Channel {
  readonly transport: NetlinkTransport;
  #sequence = 0;
  #closed = false;
  #pending = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(transport: NetlinkTransport) {
    this.transport = transport;
  }

  /** The first of `count` consecutive sequence numbers that nobody else uses; never 0, and never wrapping inside. */
  takeSequences(count: number): number {
    if (this.#sequence + count >= 0xffff_ffff) this.#sequence = 0;
    const first = this.#sequence + 1;
    this.#sequence += count;
    return first;
  }

  runSync<T>(operation: Operation<T>): T {
    this.#checkOpen();
    let step = operation.next();
    while (!step.done) step = operation.next(this.transport.exchange(step.value));
    return step.value;
  }

  /** Runs after all asynchronous operations that were started before; begins at once if there are none. */
  async run<T>(operation: Operation<T>): Promise<T> {
    this.#checkOpen();
    this.#pending += 1;
    const result =
      this.#pending === 1 ? this.#carryOut(operation) : this.#tail.then(() => this.#carryOut(operation));
    this.#tail = result.then(noop, noop);
    try {
      return await result;
    } finally {
      this.#pending -= 1;
      if (this.#closed && this.#pending === 0) this.transport.close();
    }
  }

  async #carryOut<T>(operation: Operation<T>): Promise<T> {
    let step = operation.next();
    while (!step.done) step = operation.next(await this.transport.exchangeAsync(step.value));
    return step.value;
  }

  /** No call is accepted from now on; the descriptors close at once, or after what runs on the thread pool. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#pending === 0) this.transport.close();
  }

  async settled(): Promise<void> {
    await this.#tail;
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error('netlink socket is used after it was closed');
  }
}

/** Throws if the send was refused. */
export function checkSent(exchange: NetlinkExchange, operation: string): void {
  if (exchange.sendErrno !== 0) throw new NetlinkError({ operation, errno: exchange.sendErrno });
}

/** The error for a request whose final answer is not among the messages. */
export function unanswered(exchange: NetlinkExchange, operation: string, sequence: number): NetlinkError {
  if (exchange.lost) return new NetlinkError({ operation, errno: ENOBUFS, sequence });
  if (exchange.receiveErrno !== 0)
    return new NetlinkError({ operation, errno: exchange.receiveErrno, sequence });
  return new NetlinkError({
    operation,
    errno: EPROTO,
    sequence,
    extAck: 'the kernel sent no acknowledgement',
  });
}

function noop(): void {}
