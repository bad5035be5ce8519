/**
 * A DHCP client's socket on one link of one namespace: whole IPv4 packets (packet(7)), since there is no address yet, and since the
 * link may be gone before the kernel has found out who a server is. Open it for an exchange only: between
 * exchanges no packet of the pod passes a filter of ours.
 */
import { formatMac, type IpAddress, type MacAddress, parseMac } from '#base/ip/index.ts';
import {
  type DhcpMessage,
  decodeDatagram,
  decodeMessage,
  encodeDatagram,
  encodeMessage,
} from '#core/dhcp/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon, type PollHandle } from '#io/native/index.ts';
import { clientFilter } from './filter.ts';

const AF_PACKET = 17;
const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;
const ETH_P_IP = 0x0800;
/** struct sockaddr_ll. */
const ADDRESS_BYTES = 20;
const MAC_OFFSET = 12;
const MSG_DONTWAIT = 0x40;
const READABLE = 1;
/** The largest message we say we take, and headers. */
const PACKET_BYTES = 2048;
/** Packets read per wake-up: a flood does not hold the event loop. */
const ROUNDS_PER_WAKE = 32;
const EVERYBODY: MacAddress = 'ff:ff:ff:ff:ff:ff';

/** What came, and from which neighbour. */
export interface ReceivedMessage {
  readonly message: DhcpMessage;
  readonly mac: MacAddress;
}

export interface DhcpSocketOptions {
  readonly namespace: Namespace;
  /** The link's index in the namespace. */
  readonly linkIndex: number;
  readonly onMessage: (received: ReceivedMessage) => void;
  /** A packet to the client's port that is no DHCP message, with the reason. */
  readonly onRefused: (reason: unknown) => void;
}

export class DhcpSocket implements Disposable {
  readonly #options: DhcpSocketOptions;
  #fd: number;
  #poll: PollHandle | undefined;

  private constructor(fd: number, options: DhcpSocketOptions) {
    this.#fd = fd;
    this.#options = options;
  }

  /** Throws a SystemCallError, ENODEV if there is no such link. */
  static open(options: DhcpSocketOptions): DhcpSocket {
    const addon = nativeAddon();
    // Protocol 0 receives nothing: the filter is there before the first packet.
    const fd = addon.socket(AF_PACKET, SOCK_DGRAM_NONBLOCK, 0, options.namespace.fd);
    const socket = new DhcpSocket(fd, options);
    try {
      addon.attachFilter(fd, clientFilter());
      addon.bind(fd, linkAddress(options.linkIndex, EVERYBODY));
      socket.#poll = addon.pollStart(fd, READABLE, () => socket.#wake());
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Sends to a neighbour, everybody if none is known. False if the kernel did not take it: the link may be down. */
  send(message: DhcpMessage, from: IpAddress, to: IpAddress, neighbour: MacAddress = EVERYBODY): boolean {
    if (this.#fd < 0) return false;
    const packet = encodeDatagram({ from, to, payload: encodeMessage(message) });
    return nativeAddon().sendto(this.#fd, packet, 0, linkAddress(this.#options.linkIndex, neighbour)) > 0;
  }

  /** No callback runs afterwards. Harmless if repeated. */
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

  #wake(): void {
    const buffer = new Uint8Array(PACKET_BYTES);
    const address = new Uint8Array(ADDRESS_BYTES);
    for (let round = 0; round < ROUNDS_PER_WAKE && this.#fd >= 0; round += 1) {
      const length = nativeAddon().recvfrom(this.#fd, buffer, MSG_DONTWAIT, address);
      // Nothing is left, or the link went down: the client sends again in its time.
      if (length < 0) return;
      this.#receive(buffer.subarray(0, length), formatMac(address.subarray(MAC_OFFSET, MAC_OFFSET + 6)));
    }
  }

  #receive(packet: Uint8Array, mac: MacAddress): void {
    const datagram = decodeDatagram(packet);
    if (datagram === undefined) return;
    let message: DhcpMessage;
    try {
      message = decodeMessage(datagram.payload);
    } catch (error) {
      return this.#options.onRefused(error);
    }
    this.#options.onMessage({ message, mac });
  }
}

/** struct sockaddr_ll: family and index in host order, protocol in network order. */
function linkAddress(index: number, mac: MacAddress): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_IP);
  view.setInt32(4, index, true);
  view.setUint8(11, 6);
  bytes.set(parseMac(mac) ?? [], MAC_OFFSET);
  return bytes;
}
