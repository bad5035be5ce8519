/**
 * The transport over kernel sockets: one descriptor for the calling thread, and, from its first use on, a second one for the thread
 * pool, so that answers of the two never mix.
 */
import { NLMSG } from '#core/netlink/index.ts';
import { nativeAddon } from '#io/native/index.ts';
import {
  ADDRESS_BYTES,
  boundPortId,
  type DescriptorOptions,
  openDescriptor,
  openSibling,
  PORT_OFFSET,
  receiveRoom,
  sendRoom,
  setSendBuffer,
} from './descriptor.ts';
import { portIdOf, splitMessages, typeOf, uint32At } from './frame.ts';
import type { NetlinkExchange, NetlinkTransport } from './transport.ts';

const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const EAGAIN = 11;
const ENOBUFS = 105;
/** No datagram is longer: dumps come in pieces of at most 32 KiB, single answers in less than this. */
const DATAGRAM_BYTES = 128 * 1024;
/** An answer and its acknowledgement come in one system call, and both halves of most dumps. */
const DATAGRAMS = 4;
/** What one acknowledgement costs of the receive buffer, the kernel's bookkeeping included, with room to spare. */
const ANSWER_COST_BYTES = 2048;

/** Used within one synchronous call only, hence shared by all sockets of the thread. */
const scratch = {
  datagrams: new Uint8Array(0),
  lengths: new Int32Array(DATAGRAMS),
  addresses: new Uint8Array(DATAGRAMS * ADDRESS_BYTES),
};

function isFinal(message: Uint8Array | undefined): boolean {
  return message !== undefined && (typeOf(message) === NLMSG.ERROR || typeOf(message) === NLMSG.DONE);
}

export class KernelTransport implements NetlinkTransport {
  readonly #options: DescriptorOptions;
  readonly #fd: number;
  readonly #portId: number;
  #asyncFd = -1;
  #asyncPortId = 0;
  #sendBufferBytes: number | undefined;
  #sendRoom: number | undefined;
  #answersMax: number | undefined;

  /** Throws a SystemCallError. */
  constructor(options: DescriptorOptions) {
    this.#options = options;
    this.#sendBufferBytes = options.sendBufferBytes;
    this.#fd = openDescriptor(options);
    this.#portId = boundPortId(this.#fd);
    if (scratch.datagrams.length === 0) scratch.datagrams = new Uint8Array(DATAGRAMS * DATAGRAM_BYTES);
  }

  get answersMax(): number {
    this.#answersMax ??= Math.max(1, Math.floor(receiveRoom(this.#fd) / ANSWER_COST_BYTES));
    return this.#answersMax;
  }

  sendBytesMax(wantedBytes: number): number {
    this.#sendRoom ??= sendRoom(this.#fd);
    if (wantedBytes > this.#sendRoom) {
      // The kernel doubles what it is told.
      this.#sendBufferBytes = Math.ceil(wantedBytes / 2) + 4096;
      setSendBuffer(this.#fd, this.#sendBufferBytes);
      if (this.#asyncFd >= 0) setSendBuffer(this.#asyncFd, this.#sendBufferBytes);
      this.#sendRoom = sendRoom(this.#fd);
    }
    return this.#sendRoom;
  }

  exchange(request: Uint8Array): NetlinkExchange {
    const addon = nativeAddon();
    const sent = addon.send(this.#fd, request, 0);
    if (sent < 0) return { sendErrno: -sent, receiveErrno: 0, lost: false, messages: [] };
    const messages: Uint8Array[] = [];
    let lost = false;
    for (;;) {
      const { datagrams, lengths, addresses } = scratch;
      const flags = MSG_DONTWAIT | MSG_TRUNC;
      const count = addon.recvmmsg(this.#fd, datagrams, DATAGRAM_BYTES, lengths, flags, addresses);
      if (count === -ENOBUFS) lost = true;
      else if (count < 0)
        return { sendErrno: 0, receiveErrno: count === -EAGAIN ? 0 : -count, lost, messages };
      for (let at = 0; at < count; at++) if (this.#isCut(at, messages)) lost = true;
      // What ends an answer is last: nothing is behind it, and no error either.
      if (count < DATAGRAMS && isFinal(messages.at(-1)))
        return { sendErrno: 0, receiveErrno: 0, lost, messages };
    }
  }

  /** Takes one of the datagrams received; true if it did not fit. */
  #isCut(at: number, messages: Uint8Array[]): boolean {
    const length = scratch.lengths[at] as number;
    if (length > DATAGRAM_BYTES) return true;
    if (uint32At(scratch.addresses, at * ADDRESS_BYTES + PORT_OFFSET) !== 0) return false;
    const from = at * DATAGRAM_BYTES;
    for (const message of splitMessages(scratch.datagrams.slice(from, from + length)))
      if (portIdOf(message) === this.#portId) messages.push(message);
    return false;
  }

  /** The port that requests of the calling thread come from. */
  get portId(): number {
    return this.#portId;
  }

  /** The port that the requests of the thread pool come from. */
  poolPortId(): number {
    this.#openAsync();
    return this.#asyncPortId;
  }

  #openAsync(): void {
    if (this.#asyncFd >= 0) return;
    const sendBufferBytes = this.#sendBufferBytes;
    this.#asyncFd = openSibling(this.#fd, {
      ...this.#options,
      ...(sendBufferBytes !== undefined && { sendBufferBytes }),
    });
    this.#asyncPortId = boundPortId(this.#asyncFd);
  }

  async exchangeAsync(request: Uint8Array): Promise<NetlinkExchange> {
    this.#openAsync();
    const { bytes, ...outcome } = await nativeAddon().netlinkExchange(this.#asyncFd, request);
    const messages = splitMessages(bytes).filter((message) => portIdOf(message) === this.#asyncPortId);
    return { ...outcome, messages };
  }

  close(): void {
    const addon = nativeAddon();
    addon.close(this.#fd);
    if (this.#asyncFd >= 0) addon.close(this.#asyncFd);
  }
}
