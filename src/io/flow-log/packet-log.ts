/**
 * A listener to one group of the kernel's packet log. What does not fit its buffer is lost and counted, by the numbers that packets bear;
 * nothing waits for it, neither packets nor rules.
 */

import { decodeVerdict, HEADER_BYTES, messageType, NLM_F, NLMSG } from '#core/netlink/index.ts';
import {
  bindLogRequest,
  decodeLoggedPacket,
  LOG_MESSAGE,
  type LoggedPacket,
} from '#core/netlink/log/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon, type PollHandle } from '#io/native/index.ts';
import { NETLINK_NETFILTER, NetlinkError } from '#io/netlink/index.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
/** Bytes of a sockaddr_nl; its port id lies at PORT_OFFSET. */
const ADDRESS_BYTES = 12;
const PORT_OFFSET = 4;
const MSG_DONTWAIT = 0x40;
const READABLE = 1;
const EAGAIN = 11;
const EPERM = 1;
const EPROTO = 71;
const ENOBUFS = 105;
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** What the kernel gathers before it sends; each of its messages takes that much of the receive buffer. */
const GATHERED_BYTES = 16 * 1024;
const SLICE_BYTES = 2 * GATHERED_BYTES;
const SLICES = 16;
/** Receives per wake-up, so that a flood cannot hold the event loop; the rest comes with the next turn. */
const ROUNDS_PER_WAKE = 8;
/** Of each packet unless another number is given: both headers with all the extensions that one meets. */
const COPY_BYTES = 256;
const DELAY_MS = 50;

export interface PacketLogOptions {
  /** NFLOG group; one socket has it at a time. */
  readonly group: number;
  /** Whose rules are meant; the calling thread's own by default. */
  readonly namespace?: Namespace;
  /** In the order in which they were logged. */
  readonly onPackets: (packets: readonly LoggedPacket[]) => void;
  /** So many were logged and did not fit. */
  readonly onLost: (count: number) => void;
  /** Receiving failed for another reason; the listener is closed. */
  readonly onError: (error: unknown) => void;
  /** Default 4 MiB. */
  readonly receiveBufferBytes?: number;
  /** What is copied of each packet, 16 KiB at most. */
  readonly copyBytes?: number;
}

export class PacketLog implements Disposable {
  readonly #options: PacketLogOptions;
  readonly #buffer = new Uint8Array(SLICES * SLICE_BYTES);
  readonly #lengths = new Int32Array(SLICES);
  readonly #addresses = new Uint8Array(SLICES * ADDRESS_BYTES);
  #fd: number;
  #poll: PollHandle | undefined;
  /** Of the packet that is to come next. */
  #sequence = 0;

  private constructor(fd: number, options: PacketLogOptions) {
    this.#fd = fd;
    this.#options = options;
  }

  /** Takes the group and starts to listen. Throws NetlinkError if another socket has it, or the right is missing; SystemCallError. */
  static open(options: PacketLogOptions): PacketLog {
    const addon = nativeAddon();
    const fd = addon.socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, options.namespace?.fd);
    const log = new PacketLog(fd, options);
    try {
      log.#start();
    } catch (error) {
      log.close();
      throw error;
    }
    return log;
  }

  /** Gives the group back; no callback runs afterwards. Harmless if repeated. */
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

  #start(): void {
    const addon = nativeAddon();
    const { group, receiveBufferBytes = RECEIVE_BUFFER_BYTES, copyBytes = COPY_BYTES } = this.#options;
    const operation = `packet log, group ${group}`;
    addon.setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(receiveBufferBytes));
    const address = new Uint8Array(ADDRESS_BYTES);
    address[0] = AF_NETLINK;
    addon.bind(this.#fd, address);
    const request = bindLogRequest({
      group,
      copyBytes: Math.min(copyBytes, GATHERED_BYTES),
      bufferBytes: GATHERED_BYTES,
      delayMs: DELAY_MS,
    });
    new DataView(request.buffer, request.byteOffset).setUint16(6, NLM_F.REQUEST | NLM_F.ACK, true);
    const sent = addon.send(this.#fd, request, 0);
    if (sent < 0) throw new NetlinkError({ operation, errno: -sent });
    // The kernel answers inside the send; a packet that was logged since may lie behind the answer.
    const verdict = this.#receive(1);
    if (verdict === undefined) throw new NetlinkError({ operation, errno: EPROTO });
    if (verdict !== 0)
      throw new NetlinkError({
        operation,
        errno: verdict,
        ...(verdict === EPERM && { extAck: 'another process listens to it, or CAP_NET_ADMIN is missing' }),
      });
    this.#poll = addon.pollStart(this.#fd, READABLE, () => this.#wake());
  }

  #wake(): void {
    try {
      this.#receive(ROUNDS_PER_WAKE);
    } catch (error) {
      // Nobody could catch it: it would end the process.
      this.close();
      this.#options.onError(error);
    }
  }

  /** Passes on what is queued; returns the verdict about a request, if there was one: 0 or an errno. */
  #receive(roundsMax: number): number | undefined {
    let verdict: number | undefined;
    for (let round = 0; round < roundsMax && this.#fd >= 0; round++) {
      const count = this.#receiveMany();
      if (count === -EAGAIN) break;
      // Something was lost: how much, the next packet tells.
      if (count === -ENOBUFS) continue;
      if (count < 0) throw new NetlinkError({ operation: 'packet log', errno: -count });
      const packets: LoggedPacket[] = [];
      for (const message of this.#messages(count)) {
        const type = messageType(message);
        if (type === NLMSG.ERROR) verdict = decodeVerdict(message).errno;
        else if (type === LOG_MESSAGE.PACKET) packets.push(this.#numbered(decodeLoggedPacket(message)));
      }
      if (packets.length > 0) this.#options.onPackets(packets);
      // Fewer than asked for: the queue is empty.
      if (count < SLICES) break;
    }
    return verdict;
  }

  #receiveMany(): number {
    const addon = nativeAddon();
    return addon.recvmmsg(this.#fd, this.#buffer, SLICE_BYTES, this.#lengths, MSG_DONTWAIT, this.#addresses);
  }

  /** Those of the datagrams received that the kernel sent, whose port is 0. */
  *#messages(count: number): Generator<Uint8Array> {
    const [view, addresses] = [new DataView(this.#buffer.buffer), new DataView(this.#addresses.buffer)];
    for (let slice = 0; slice < count; slice++) {
      if (addresses.getUint32(slice * ADDRESS_BYTES + PORT_OFFSET, true) !== 0) continue;
      const end = slice * SLICE_BYTES + (this.#lengths[slice] as number);
      for (let at = slice * SLICE_BYTES; at + HEADER_BYTES <= end; ) {
        const length = view.getUint32(at, true);
        if (length < HEADER_BYTES || at + length > end) break;
        yield this.#buffer.subarray(at, at + length);
        at += (length + 3) & ~3;
      }
    }
  }

  #numbered(packet: LoggedPacket): LoggedPacket {
    const { sequence = this.#sequence } = packet;
    const lost = (sequence - this.#sequence) >>> 0;
    this.#sequence = (sequence + 1) >>> 0;
    if (lost > 0) this.#options.onLost(lost);
    return packet;
  }
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}
