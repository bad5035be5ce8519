/**
 * Router discovery on one link (RFC 4861): a raw socket that asks who is there, says that we are, and hears the other end. What is said when,
 * and who counts, core/bgp/discovery decides. What has crossed a router, or is from no link-local address, is not heard.
 */
import type { Clock, Random } from '#base/clock.ts';
import { type IpAddress, ipBytes } from '#base/ip/index.ts';
import {
  type DiscoveryAction,
  type DiscoveryEvent,
  type DiscoveryMessage,
  type DiscoveryTimer,
  decodeDiscovery,
  encodeDiscovery,
  NEW_DISCOVERY,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
  stepDiscovery,
} from '#core/bgp/discovery/index.ts';
import { isDecodeError } from '#core/codec/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon, type PollHandle } from '#io/native/index.ts';
import { hopLimitFilter } from './hop-limit-filter.ts';
import { ADDRESS_BYTES, AF_INET6, addressOf, encodeSocketAddress, scopeOf } from './socket-address.ts';

const SOCK_RAW_NONBLOCK = 3 | 0o4000;
const IPPROTO_IPV6 = 41;
const IPPROTO_ICMPV6 = 58;
const ICMP6_FILTER = 1;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const IPV6_ADD_MEMBERSHIP = 20;
const MSG_DONTWAIT = 0x40;
const READABLE = 1;
const HOP_LIMIT = 255;
const PACKET_BYTES = 1500;
const ROUNDS_PER_WAKE = 16;
/** A link that has just come up has no address yet: duplicates are looked for first (RFC 4862). */
const RETRY_MS = 500;
const ALL_NODES = 'ff02::1';
const ALL_ROUTERS = 'ff02::2';
const GROUPS = { solicitation: ALL_ROUTERS, advertisement: ALL_NODES } as const;

export interface RouterDiscoveryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Absent: the calling thread's. */
  readonly namespace?: Namespace;
  /** The link's number; it is up. */
  readonly linkIndex: number;
  /** The router at the other end, at first and whenever it is another. */
  readonly onRouter: (address: IpAddress) => void;
  /** There are several, which take turns in being heard. */
  readonly onCrowd: (addresses: readonly IpAddress[]) => void;
}

/** Begins at once; disposing ends it. */
export class RouterDiscovery implements Disposable {
  readonly #options: RouterDiscoveryOptions;
  readonly #timers = new Map<DiscoveryTimer | DiscoveryMessage, Disposable>();
  readonly #poll: PollHandle;
  #fd: number;
  #state = NEW_DISCOVERY;

  /** Throws a SystemCallError, ENODEV if the link is not there any more. */
  constructor(options: RouterDiscoveryOptions) {
    this.#options = options;
    const addon = nativeAddon();
    this.#fd = addon.socket(AF_INET6, SOCK_RAW_NONBLOCK, IPPROTO_ICMPV6, options.namespace?.fd);
    try {
      this.#setOptions();
      this.#poll = addon.pollStart(this.#fd, READABLE, () => this.#wake());
    } catch (error) {
      addon.close(this.#fd);
      throw error;
    }
    // Whoever has made it is told nothing before it is made.
    this.#timers.set(
      'solicit',
      options.clock.setTimeout(0, () => this.#tell({ type: 'up' })),
    );
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    this.#clearTimers();
    nativeAddon().pollClose(this.#poll);
    nativeAddon().close(this.#fd);
    this.#fd = -1;
  }

  #setOptions(): void {
    const addon = nativeAddon();
    const { linkIndex } = this.#options;
    const set = (name: number, value: number): void =>
      addon.setsockopt(this.#fd, IPPROTO_IPV6, name, new Uint8Array(Int32Array.of(value).buffer));
    // A bit that is set keeps its type out (RFC 3542 section 3.2).
    const types = new Uint32Array(8).fill(0xffff_ffff);
    for (const type of [ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT])
      types[type >> 5] = (types[type >> 5] as number) & ~(1 << (type & 31));
    addon.setsockopt(this.#fd, IPPROTO_ICMPV6, ICMP6_FILTER, new Uint8Array(types.buffer));
    // RFC 4861 sections 6.1.1 and 6.1.2.
    addon.attachFilter(this.#fd, hopLimitFilter(6));
    set(IPV6_UNICAST_HOPS, HOP_LIMIT);
    set(IPV6_MULTICAST_HOPS, HOP_LIMIT);
    set(IPV6_MULTICAST_LOOP, 0);
    set(IPV6_MULTICAST_IF, linkIndex);
    const membership = new Uint8Array(20);
    membership.set(ipBytes(ALL_ROUTERS));
    new DataView(membership.buffer).setInt32(16, linkIndex, true);
    addon.setsockopt(this.#fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, membership);
  }

  #wake(): void {
    const buffer = new Uint8Array(PACKET_BYTES);
    const address = new Uint8Array(ADDRESS_BYTES);
    for (let round = 0; round < ROUNDS_PER_WAKE && this.#fd >= 0; round++) {
      const length = nativeAddon().recvfrom(this.#fd, buffer, MSG_DONTWAIT, address);
      if (length < 0) return;
      // The socket hears all links; only of a link-local sender it is told which, and RFC 4861 section 6.1.2 wants no other.
      if (scopeOf(address) === this.#options.linkIndex)
        this.#hear(buffer.subarray(0, length), addressOf(address));
    }
  }

  #hear(bytes: Uint8Array, from: IpAddress): void {
    let message: DiscoveryMessage;
    try {
      message = decodeDiscovery(bytes);
    } catch (error) {
      if (isDecodeError(error)) return;
      throw error;
    }
    this.#tell({ type: 'heard', message, from });
  }

  #tell(event: DiscoveryEvent): void {
    const { random } = this.#options;
    const { state, actions } = stepDiscovery(this.#state, event, random);
    this.#state = state;
    for (const action of actions) if (this.#fd >= 0) this.#carryOut(action);
  }

  #carryOut(action: DiscoveryAction): void {
    switch (action.type) {
      case 'send':
        return this.#send(action.message);
      case 'clear-timers':
        return this.#clearTimers();
      case 'set-timer': {
        const { timer, ms } = action;
        return this.#after(timer, ms, () => this.#tell({ type: 'timer', timer }));
      }
      case 'router':
        return this.#options.onRouter(action.address);
      case 'crowd':
        return this.#options.onCrowd(action.addresses);
    }
  }

  #send(message: DiscoveryMessage): void {
    const to = encodeSocketAddress(GROUPS[message], 0, this.#options.linkIndex);
    const sent = nativeAddon().sendto(this.#fd, encodeDiscovery(message), MSG_DONTWAIT, to);
    if (sent < 0) this.#after(message, RETRY_MS, () => this.#send(message));
  }

  #after(name: DiscoveryTimer | DiscoveryMessage, ms: number, work: () => void): void {
    this.#timers.get(name)?.[Symbol.dispose]();
    this.#timers.set(name, this.#options.clock.setTimeout(ms, work));
  }

  #clearTimers(): void {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    this.#timers.clear();
  }
}
