/**
 * The UDP sockets of BFD in one namespace (RFC 5881 section 4, RFC 5883 section 5): what comes on the well-known ports, and one socket a session
 * to send from. On one hop, what does not come with the greatest hop limit is dropped by the kernel (RFC 5881 section 5).
 */
import type { Random } from '#base/clock.ts';
import { type IpAddress, type IpFamily, isLinkLocal } from '#base/ip/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon, type PollHandle } from '#io/native/index.ts';
import { hopLimitFilter } from './hop-limit-filter.ts';
import { linkIndexOn } from './link-names.ts';
import {
  ADDRESS_BYTES,
  AF_INET,
  AF_INET6,
  addressOf,
  anyAddress,
  domainOf,
  encodeSocketAddress,
  scopeOf,
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

export const BFD_PORT = { single: 3784, multi: 4784 } as const;
export type BfdHops = keyof typeof BFD_PORT;

/** `scope`: the index of the link that a link-local sender is on, 0 of others. */
export type OnBfdPacket = (bytes: Uint8Array, from: IpAddress, scope: number, hops: BfdHops) => void;

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
      this.#onPacket(buffer.subarray(0, length), addressOf(address), scopeOf(address), this.#hops);
    }
  }
}

export interface BfdSenderOptions {
  readonly namespace?: Namespace;
  readonly local: IpAddress;
  readonly remote: IpAddress;
  readonly hops: BfdHops;
  /** Of a link-local peer: the link's name. */
  readonly link?: string;
  readonly random: Random;
}

/** What a session sends from, always with the same port. */
export class BfdSender implements Disposable {
  readonly #fd: number;
  readonly #remote: Uint8Array;
  /** The index of the peer's link, if it is link-local, else 0. */
  readonly scope: number;

  /** Throws a SystemCallError: EADDRNOTAVAIL if the local address is not there, ENODEV if the link is not. */
  constructor(options: BfdSenderOptions) {
    const { namespace, local, remote, hops, link } = options;
    const addon = nativeAddon();
    this.#fd = addon.socket(domainOf(remote), SOCK_DGRAM_NONBLOCK, 0, namespace?.fd);
    try {
      this.scope = link !== undefined && isLinkLocal(remote) ? linkIndexOn(this.#fd, link) : 0;
      this.#remote = encodeSocketAddress(remote, BFD_PORT[hops], this.scope);
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

  #bind(local: IpAddress, { random }: BfdSenderOptions): void {
    for (let attempt = 1; ; attempt += 1) {
      const port = FIRST_SOURCE_PORT + Math.floor(random() * SOURCE_PORTS);
      try {
        return nativeAddon().bind(this.#fd, encodeSocketAddress(local, port, this.scope));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === PORT_TRIES) throw error;
      }
    }
  }
}
