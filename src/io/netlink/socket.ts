/**
 * A netlink socket for requests: single, many in one send, and dumps; on the calling thread or on the thread pool.
 * It deals in whole messages (header and payload) as bytes and reads no payload but the kernel's error message.
 */
import type { Namespace } from '#io/namespace/index.ts';
import { Channel } from './channel.ts';
import { inNamespace, type NetlinkProtocol } from './descriptor.ts';
import { ABSENT } from './error.ts';
import type { MessageFailure } from './frame.ts';
import { KernelTransport } from './kernel-transport.ts';
import {
  ask,
  dump,
  refusalOf,
  request,
  type TransactOptions,
  transact,
  transactPacked,
} from './operation.ts';
import type { NetlinkTransport } from './transport.ts';

const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const SEND_BUFFER_BYTES = 1024 * 1024;

export interface NetlinkSocketOptions {
  readonly protocol: NetlinkProtocol;
  /** Where the socket lives; the calling thread's namespace by default. The handle may be closed afterwards. */
  readonly namespace?: Namespace;
  /** Wished sizes; forced with CAP_NET_ADMIN, else as far as the system allows. Defaults: 4 MiB and 1 MiB. */
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
  /** For a few messages, and not for long: the buffers are left as the system makes them, which saves the calls. */
  readonly isBrief?: boolean;
}

export interface NetlinkSocketWithPorts {
  readonly socket: NetlinkSocket;
  readonly portId: number;
  /** Opens the descriptor of the thread pool. Throws a SystemCallError. */
  readonly poolPortId: () => number;
}

/**
 * In all methods a message is a complete netlink message; its length must equal nlmsg_len (else a RangeError). The socket works on
 * a copy, in which it sets NLM_F_REQUEST, the acknowledgement or dump flags, the sequence number and the port id; all other flags
 * are the caller's. `operation` is the left part of the error text. Asynchronous calls keep their order among themselves, but a
 * synchronous call does not wait for them. Notifications are not for this socket: see NetlinkMonitor.
 */
export class NetlinkSocket implements Disposable, AsyncDisposable {
  readonly protocol: NetlinkProtocol;
  /** @internal For operations beside these, as nftBatch. */
  readonly channel: Channel;

  /** @internal The sequencing over a transport; open() is the usual way. */
  constructor(protocol: NetlinkProtocol, transport: NetlinkTransport) {
    this.protocol = protocol;
    this.channel = new Channel(transport);
  }

  /** Opens a socket with extended acknowledgements (and strict checking for NETLINK_ROUTE). Throws a SystemCallError. */
  static open(options: NetlinkSocketOptions): NetlinkSocket {
    return new NetlinkSocket(options.protocol, openTransport(options));
  }

  /**
   * open(), and the ports that its requests come from, which the kernel names where it tells others of changes: of what is done on the
   * calling thread, and on the thread pool.
   */
  static openWithPorts(options: NetlinkSocketOptions): NetlinkSocketWithPorts {
    const transport = openTransport(options);
    const socket = new NetlinkSocket(options.protocol, transport);
    return { socket, portId: transport.portId, poolPortId: () => transport.poolPortId() };
  }

  /** One message with an acknowledgement; returns the answers other than the acknowledgement. Throws NetlinkError. */
  requestSync(message: Uint8Array, operation = 'netlink request'): Uint8Array[] {
    return this.channel.runSync(request(this.channel, message, operation));
  }

  /** As requestSync; undefined where the kernel says that there is no such object. */
  findSync(message: Uint8Array, operation = 'netlink request'): Uint8Array[] | undefined {
    const outcome = this.channel.runSync(ask(this.channel, message, operation));
    if (Array.isArray(outcome)) return outcome;
    if (ABSENT.has(outcome.verdict.code)) return undefined;
    throw refusalOf(outcome.verdict, operation, outcome.sequence);
  }

  /** requestSync on the thread pool: for work that is slow in the kernel, as deleting a veth is. */
  request(message: Uint8Array, operation = 'netlink request'): Promise<Uint8Array[]> {
    return this.channel.run(request(this.channel, message, operation));
  }

  /**
   * All messages, in as few sends as fit the send buffer. Every message is tried; those the kernel refused are returned, in order.
   * Throws NetlinkError only if the transaction itself fails (a send refused, answers lost).
   */
  transactSync(messages: readonly Uint8Array[], options: TransactOptions = {}): MessageFailure[] {
    return this.channel.runSync(transact(this.channel, messages, options));
  }

  /** transactSync on the thread pool. Asynchronous calls on one socket run one after the other, in the order they were made. */
  transact(messages: readonly Uint8Array[], options: TransactOptions = {}): Promise<MessageFailure[]> {
    return this.channel.run(transact(this.channel, messages, options));
  }

  /** transact of messages that lie one behind the other, each aligned; they are stamped where they lie. */
  transactPacked(bytes: Uint8Array): Promise<MessageFailure[]> {
    return this.channel.run(transactPacked(this.channel, bytes));
  }

  /** All messages of a dump, repeated if it was disturbed by changes. Throws NetlinkError; isDumpInterrupted after 10 tries. */
  dump(message: Uint8Array, operation = 'netlink dump'): Uint8Array[] {
    return this.channel.runSync(dump(this.channel, message, operation));
  }

  /** dump on the thread pool. */
  dumpAsync(message: Uint8Array, operation = 'netlink dump'): Promise<Uint8Array[]> {
    return this.channel.run(dump(this.channel, message, operation));
  }

  /** Accepts no more calls; the descriptors close at once, or when what runs on the thread pool is done. Harmless if repeated. */
  close(): void {
    this.channel.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes and waits until the last asynchronous call is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.channel.settled();
  }
}

function openTransport(options: NetlinkSocketOptions): KernelTransport {
  return new KernelTransport({
    protocol: options.protocol,
    ...inNamespace(options.namespace),
    ...(options.isBrief !== true && {
      receiveBufferBytes: options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES,
      sendBufferBytes: options.sendBufferBytes ?? SEND_BUFFER_BYTES,
    }),
  });
}
