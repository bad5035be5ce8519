/**
 * A netlink socket for requests: single, many in one send, and dumps; on the calling thread or on the thread pool.
 * It deals in whole messages (header and payload) as bytes and reads no payload but the kernel's error message.
 */
import type { Namespace } from '#io/namespace/index.ts';
import type { MessageFailure } from './frame.ts';
import type { NetlinkTransport } from './transport.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;
export type NetlinkProtocol = typeof NETLINK_ROUTE | typeof NETLINK_NETFILTER | typeof NETLINK_GENERIC;

export interface NetlinkSocketOptions {
  readonly protocol: NetlinkProtocol;
  /** Where the socket lives; the calling thread's namespace by default. The handle may be closed afterwards. */
  readonly namespace?: Namespace;
  /** Wished sizes; forced with CAP_NET_ADMIN, else as far as the system allows. Defaults: 4 MiB and 1 MiB. */
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
}

export interface TransactOptions {
  /** Ask for an acknowledgement of the last message of each send (default), or of all. */
  readonly acknowledge?: 'last' | 'all';
}

/**
 * In all methods a message is a complete netlink message; its length must equal nlmsg_len. The socket works on a copy, in which it
 * sets NLM_F_REQUEST, the acknowledgement or dump flags, the sequence number and the port id; all other flags are the caller's.
 * `operation` is the left part of the error text.
 */
export class NetlinkSocket implements Disposable, AsyncDisposable {
  readonly protocol: NetlinkProtocol;
  /** @internal The sequencing over a transport; open() is the usual way. */
  constructor(protocol: NetlinkProtocol, transport: NetlinkTransport) {
    this.protocol = protocol;
    void transport;
  }

  /** Opens a socket with extended acknowledgements (and strict checking for NETLINK_ROUTE). Throws a SystemCallError. */
  static open(options: NetlinkSocketOptions): NetlinkSocket {
    throw new Error(`not written yet: ${options.protocol}`);
  }

  /** One message with an acknowledgement; returns the answers other than the acknowledgement. Throws NetlinkError. */
  requestSync(message: Uint8Array, operation?: string): Uint8Array[] {
    throw new Error(`not written yet: ${message.length} ${operation}`);
  }

  /** requestSync on the thread pool: for work that is slow in the kernel, as deleting a veth is. */
  request(message: Uint8Array, operation?: string): Promise<Uint8Array[]> {
    throw new Error(`not written yet: ${message.length} ${operation}`);
  }

  /**
   * All messages, in as few sends as fit the send buffer. Every message is tried; those the kernel refused are returned, in order.
   * Throws NetlinkError only if the transaction itself fails (a send refused, answers lost).
   */
  transactSync(messages: readonly Uint8Array[], options?: TransactOptions): MessageFailure[] {
    throw new Error(`not written yet: ${messages.length} ${options}`);
  }

  /** transactSync on the thread pool. Asynchronous calls on one socket run one after the other, in the order they were made. */
  transact(messages: readonly Uint8Array[], options?: TransactOptions): Promise<MessageFailure[]> {
    throw new Error(`not written yet: ${messages.length} ${options}`);
  }

  /** All messages of a dump, repeated if it was disturbed by changes. Throws NetlinkError; isDumpInterrupted after 10 tries. */
  dump(message: Uint8Array, operation?: string): Uint8Array[] {
    throw new Error(`not written yet: ${message.length} ${operation}`);
  }

  /** dump on the thread pool. */
  dumpAsync(message: Uint8Array, operation?: string): Promise<Uint8Array[]> {
    throw new Error(`not written yet: ${message.length} ${operation}`);
  }

  /** Closes at once for synchronous use; what runs on the thread pool is finished first. */
  close(): void {}

  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes and waits until the last asynchronous call is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
