/**
 * A netlink socket that listens to multicast groups. After a loss everything queued is thrown away before the owner is told: it is
 * older than the dump the owner will make, and must not be applied on top of it.
 */
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon, type PollHandle } from '#io/native/index.ts';
import {
  ADDRESS_BYTES,
  inNamespace,
  type NetlinkProtocol,
  openDescriptor,
  PORT_OFFSET,
} from './descriptor.ts';
import { NetlinkError } from './error.ts';
import { appendMessages, uint32At } from './frame.ts';
import { type LeftOut, ownPortFilter } from './own-port-filter.ts';

const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;
const READABLE = 1;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const EAGAIN = 11;
const ENOBUFS = 105;
const SLICE_BYTES = 32 * 1024;
const SLICES = 32;
/** Receives per wake-up, so that a flood cannot hold the event loop; the rest comes with the next turn. */
const ROUNDS_PER_WAKE = 64;

/** Used within one synchronous call only, hence shared by all monitors of the thread. */
const scratch = {
  buffer: new Uint8Array(0),
  lengths: new Int32Array(SLICES),
  addresses: new Uint8Array(SLICES * ADDRESS_BYTES),
};

export interface NetlinkMonitorOptions {
  readonly protocol: NetlinkProtocol;
  /** Where the socket lives; the calling thread's namespace by default. The handle may be closed afterwards. */
  readonly namespace?: Namespace;
  /** Multicast group numbers, e.g. RTNLGRP_LINK = 1, NFNLGRP_NFTABLES = 7. */
  readonly groups: readonly number[];
  /** Receives the notifications in order, each with its header. */
  readonly onMessages: (messages: Uint8Array[]) => void;
  /** Notifications were lost and those queued thrown away; the owner dumps again. Later messages are newer than this call. */
  readonly onLost: () => void;
  /** Receiving failed in the event loop for another reason than an overrun; onLost follows. */
  readonly onError?: (error: unknown) => void;
  /** Default 8 MiB, forced if allowed. */
  readonly receiveBufferBytes?: number;
  /** Whether the monitor keeps the process alive; default true. */
  readonly keepsProcessAlive?: boolean;
}

export class NetlinkMonitor implements Disposable {
  readonly #options: NetlinkMonitorOptions;
  #fd: number;
  #poll: PollHandle | undefined;

  /** @internal Takes over the descriptor. */
  constructor(fd: number, options: NetlinkMonitorOptions) {
    this.#fd = fd;
    this.#options = options;
    if (scratch.buffer.length === 0) scratch.buffer = new Uint8Array(SLICES * SLICE_BYTES);
  }

  /** Joins the groups and starts to listen. Throws a SystemCallError. */
  static open(options: NetlinkMonitorOptions): NetlinkMonitor {
    const fd = openDescriptor({
      protocol: options.protocol,
      ...inNamespace(options.namespace),
      groups: options.groups,
      receiveBufferBytes: options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES,
    });
    const monitor = new NetlinkMonitor(fd, options);
    try {
      monitor.#start();
    } catch (error) {
      monitor.close();
      throw error;
    }
    return monitor;
  }

  #start(): void {
    const addon = nativeAddon();
    this.#poll = addon.pollStart(this.#fd, READABLE, () => this.#wake());
    if (this.#options.keepsProcessAlive === false) addon.pollUnref(this.#poll);
  }

  /** An error the socket has pending (ENOBUFS) wakes too; to receive clears it, and the poll goes on. */
  #wake(): void {
    let messages: Uint8Array[];
    try {
      messages = this.#receive(ROUNDS_PER_WAKE);
    } catch (error) {
      // Nobody could catch it: it would end the process.
      this.#options.onError?.(error);
      return this.#options.onLost();
    }
    if (messages.length > 0 && this.#fd >= 0) this.#options.onMessages(messages);
  }

  /** Receives at once all that is queued and returns it instead of passing it to onMessages; a loss is still told to onLost. */
  drain(): Uint8Array[] {
    if (this.#fd < 0) throw new Error('netlink monitor is used after it was closed');
    return this.#receive(Number.POSITIVE_INFINITY);
  }

  /** From now on these notifications are left out, and no others that were before. Nothing once it is closed. */
  leaveOut(what: LeftOut): void {
    if (this.#fd >= 0) nativeAddon().attachFilter(this.#fd, ownPortFilter(what));
  }

  /** Stops; no callback runs afterwards. Harmless if repeated. */
  close(): void {
    if (this.#fd < 0) return;
    const addon = nativeAddon();
    if (this.#poll !== undefined) addon.pollClose(this.#poll);
    addon.close(this.#fd);
    this.#fd = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(roundsMax: number): Uint8Array[] {
    const messages: Uint8Array[] = [];
    for (let round = 0; round < roundsMax; round += 1) {
      const count = receiveRound(this.#fd);
      if (count === -EAGAIN) break;
      if (count === -ENOBUFS || (count >= 0 && isCut(count))) {
        this.#discard();
        this.#options.onLost();
        return [];
      }
      if (count < 0) throw new NetlinkError({ operation: 'netlink monitor', errno: -count });
      collect(count, messages);
      // Fewer than asked for: the queue is empty.
      if (count < SLICES) break;
    }
    return messages;
  }

  #discard(): void {
    for (;;) {
      const count = receiveRound(this.#fd);
      if (count < 0 && count !== -ENOBUFS) return;
    }
  }
}

function receiveRound(fd: number): number {
  const { buffer, lengths, addresses } = scratch;
  return nativeAddon().recvmmsg(fd, buffer, SLICE_BYTES, lengths, MSG_DONTWAIT | MSG_TRUNC, addresses);
}

function isCut(count: number): boolean {
  for (let slice = 0; slice < count; slice += 1)
    if ((scratch.lengths[slice] as number) > SLICE_BYTES) return true;
  return false;
}

/** Copies the round's datagrams at once, those of the kernel (port 0) only, and appends their messages. */
function collect(count: number, messages: Uint8Array[]): void {
  const { buffer, lengths } = scratch;
  let total = 0;
  for (let slice = 0; slice < count; slice += 1) if (isFromKernel(slice)) total += lengths[slice] as number;
  const bytes = new Uint8Array(total);
  let at = 0;
  for (let slice = 0; slice < count; slice += 1) {
    if (!isFromKernel(slice)) continue;
    const from = slice * SLICE_BYTES;
    const end = at + (lengths[slice] as number);
    bytes.set(buffer.subarray(from, from + end - at), at);
    appendMessages(messages, bytes, at, end);
    at = end;
  }
}

function isFromKernel(slice: number): boolean {
  return uint32At(scratch.addresses, slice * ADDRESS_BYTES + PORT_OFFSET) === 0;
}
