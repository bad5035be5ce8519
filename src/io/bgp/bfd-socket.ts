/**
 * The UDP sockets of BFD in one namespace (RFC 5881 section 4, RFC 5883 section 5): what comes on the well-known ports, and one socket a session
 * to send from. On one hop, what does not come with the greatest hop limit is dropped by the kernel (RFC 5881 section 5).
 */
import type { Random } from '#base/clock.ts';
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon, type PollHandle } from '#io/native/index.ts';
import {
  ADDRESS_BYTES,
  AF_INET,
  AF_INET6,
  addressOf,
  anyAddress,
  domainOf,
  encodeSocketAddress,
} from './socket-address.ts';
import { setBfdOptions } from './socket-options.ts';

const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;
const MSG_DONTWAIT = 0x40;
const READABLE = 1;
const PACKET_BYTES = 256;
const ROUNDS_PER_WAKE = 64;
/** RFC 5881 section 4: the source port is one of these. */
const FIRST_SOURCE_PORT = 49_152;
const SOURCE_PORTS = 0x1_0000 - FIRST_SOURCE_PORT;
const PORT_TRIES = 64;
const GREATEST_HOP_LIMIT = 255;

export const BFD_PORT = { single: 3784, multi: 4784 } as const;
export type BfdHops = keyof typeof BFD_PORT;

export type OnBfdPacket = (bytes: Uint8Array, from: IpAddress, hops: BfdHops) => void;

/** Listens on both ports in both families; disposing ends it. Throws a SystemCallError, EADDRINUSE if somebody else does. */
export function listenForBfd(namespace: Namespace | undefined, onPacket: OnBfdPacket): Disposable {
  const receivers: Receiver[] = [];
  const close = () => {
    for (const receiver of receivers) receiver.close();
  };
  try {
    for (const family of [4, 6] as const)
      for (const hops of ['single', 'multi'] as const)
        receivers.push(new Receiver(namespace, family, hops, onPacket));
  } catch (error) {
    close();
    throw error;
  }
  return { [Symbol.dispose]: close };
}

class Receiver {
  #fd: number;
  readonly #poll: PollHandle;
  readonly #hops: BfdHops;
  readonly #onPacket: OnBfdPacket;

  constructor(namespace: Namespace | undefined, family: IpFamily, hops: BfdHops, onPacket: OnBfdPacket) {
    const addon = nativeAddon();
    const domain = family === 4 ? AF_INET : AF_INET6;
    this.#hops = hops;
    this.#onPacket = onPacket;
    this.#fd = addon.socket(domain, SOCK_DGRAM_NONBLOCK, 0, namespace?.fd);
    try {
      setBfdOptions(this.#fd, family);
      if (hops === 'single') addon.attachFilter(this.#fd, hopLimitFilter(family));
      addon.bind(this.#fd, encodeSocketAddress(anyAddress(family), BFD_PORT[hops]));
      this.#poll = addon.pollStart(this.#fd, READABLE, () => this.#wake());
    } catch (error) {
      addon.close(this.#fd);
      throw error;
    }
  }

  close(): void {
    nativeAddon().pollClose(this.#poll);
    nativeAddon().close(this.#fd);
    this.#fd = -1;
  }

  #wake(): void {
    const buffer = new Uint8Array(PACKET_BYTES);
    const address = new Uint8Array(ADDRESS_BYTES);
    for (let round = 0; round < ROUNDS_PER_WAKE && this.#fd >= 0; round += 1) {
      const length = nativeAddon().recvfrom(this.#fd, buffer, MSG_DONTWAIT, address);
      // Nothing is left, or an earlier packet could not be delivered.
      if (length < 0) return;
      this.#onPacket(buffer.subarray(0, length), addressOf(address), this.#hops);
    }
  }
}

export interface BfdSenderOptions {
  readonly namespace?: Namespace;
  readonly local: IpAddress;
  readonly remote: IpAddress;
  readonly hops: BfdHops;
  /** Of a link-local peer. */
  readonly linkIndex?: number;
  readonly random: Random;
}

/** What a session sends from, always with the same port. */
export class BfdSender implements Disposable {
  readonly #fd: number;
  readonly #remote: Uint8Array;

  /** Throws a SystemCallError: EADDRNOTAVAIL if the local address is not there. */
  constructor(options: BfdSenderOptions) {
    const { namespace, local, remote, hops, linkIndex } = options;
    const addon = nativeAddon();
    this.#remote = encodeSocketAddress(remote, BFD_PORT[hops], linkIndex);
    this.#fd = addon.socket(domainOf(remote), SOCK_DGRAM_NONBLOCK, 0, namespace?.fd);
    try {
      setBfdOptions(this.#fd, domainOf(remote) === AF_INET ? 4 : 6);
      this.#bind(local, options);
    } catch (error) {
      addon.close(this.#fd);
      throw error;
    }
  }

  /** What cannot be sent is lost, as on the wire. */
  send(bytes: Uint8Array): void {
    nativeAddon().sendto(this.#fd, bytes, MSG_DONTWAIT, this.#remote);
  }

  [Symbol.dispose](): void {
    nativeAddon().close(this.#fd);
  }

  #bind(local: IpAddress, { random, linkIndex }: BfdSenderOptions): void {
    for (let attempt = 1; ; attempt += 1) {
      const port = FIRST_SOURCE_PORT + Math.floor(random() * SOURCE_PORTS);
      try {
        return nativeAddon().bind(this.#fd, encodeSocketAddress(local, port, linkIndex));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === PORT_TRIES) throw error;
      }
    }
  }
}

/** Classic BPF: takes packets whose hop limit is 255, at its place in the header of the network layer (SKF_NET_OFF). */
function hopLimitFilter(family: IpFamily): Uint8Array {
  const networkHeader = -0x10_0000;
  const place = networkHeader + (family === 4 ? 8 : 7);
  const program = new Uint8Array(4 * 8);
  const view = new DataView(program.buffer);
  const put = (at: number, code: number, ifTrue: number, ifFalse: number, value: number) => {
    view.setUint16(8 * at, code, true);
    view.setUint8(8 * at + 2, ifTrue);
    view.setUint8(8 * at + 3, ifFalse);
    view.setInt32(8 * at + 4, value, true);
  };
  put(0, 0x30, 0, 0, place); // load the octet
  put(1, 0x15, 0, 1, GREATEST_HOP_LIMIT); // equal: the next, else the one behind it
  put(2, 0x06, 0, 0, 0x7fff_ffff); // take all
  put(3, 0x06, 0, 0, 0); // take nothing
  return program;
}
