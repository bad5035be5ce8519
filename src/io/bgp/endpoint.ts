/**
 * Where peers connect to us: listening sockets on some addresses of a namespace, and the neighbours that may come. Who is not one of them is
 * turned away before a byte is read.
 */
import type { Clock } from '#base/clock.ts';
import {
  familyOf,
  formatScopedIp,
  type IpAddress,
  type IpPrefix,
  isLinkLocal,
  prefixContains,
  prefixParts,
} from '#base/ip/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon, type PollHandle } from '#io/native/index.ts';
import { linkNameOn } from './link-names.ts';
import { ADDRESS_BYTES, addressOf, domainOf, encodeSocketAddress, scopeOf } from './socket-address.ts';
import { type HopLimits, MAX_HOPS, setCommonOptions, setHopLimits, setPassword } from './socket-options.ts';
import { TcpStream } from './tcp-stream.ts';

const SOCK_STREAM_NONBLOCK = 1 | 0o4000;
const READABLE = 1;
const BACKLOG = 128;
/** Accepted in one wake-up. */
const ROUNDS_PER_WAKE = 32;

export interface EndpointOptions {
  readonly clock: Clock;
  /** Absent: the calling thread's. */
  readonly namespace?: Namespace;
  readonly port: number;
  /** `0.0.0.0` and `::` stand for all of their family. */
  readonly addresses: readonly IpAddress[];
  /** Somebody who is no neighbour. */
  readonly onStranger?: (remote: IpAddress) => void;
}

/** One peer, or with a prefix any number of them (dynamic neighbours); of several the narrowest counts. */
export interface Neighbour {
  readonly peer: IpAddress | IpPrefix;
  /** The link it is on, if it is link-local: the same address may be on several. Of a prefix: absent for any. */
  readonly link?: string;
  readonly password?: string;
  readonly hops?: HopLimits;
  readonly onStream: (stream: TcpStream) => void;
}

interface Listener {
  readonly fd: number;
  readonly domain: number;
  readonly poll: PollHandle;
}

export class BgpEndpoint implements Disposable {
  readonly #options: EndpointOptions;
  #listeners: Listener[] = [];
  readonly #neighbours = new Map<string, Neighbour>();

  private constructor(options: EndpointOptions) {
    this.#options = options;
  }

  /** Throws a SystemCallError, EADDRINUSE if somebody else listens there. */
  static open(options: EndpointOptions): BgpEndpoint {
    const endpoint = new BgpEndpoint(options);
    try {
      for (const address of options.addresses) endpoint.#listen(address);
      return endpoint;
    } catch (error) {
      endpoint.close();
      throw error;
    }
  }

  /**
   * Lets a neighbour in until what is returned is disposed of. Throws a RangeError if there is one for the same peer, or one with the same
   * address on another link and another password: the kernel tells keys apart by address alone.
   */
  add(neighbour: Neighbour): Disposable {
    const { peer, password } = neighbour;
    const key = keyOf(neighbour);
    if (this.#neighbours.has(key)) throw new RangeError(`neighbour ${key} is there twice`);
    const others = this.#namesakes(peer);
    const other = others.find((each) => each.password !== password);
    if (other !== undefined)
      throw new RangeError(`neighbours ${keyOf(other)} and ${key} have one address and not one password`);
    if (password !== undefined && others.length === 0) this.#setPassword(peer, password);
    this.#neighbours.set(key, neighbour);
    return {
      [Symbol.dispose]: () => {
        if (this.#neighbours.get(key) !== neighbour) return;
        this.#neighbours.delete(key);
        if (password !== undefined && this.#namesakes(peer).length === 0) this.#setPassword(peer, undefined);
      },
    };
  }

  /** Of the same link-local address, on whichever link. */
  #namesakes(peer: IpAddress | IpPrefix): readonly Neighbour[] {
    if (!isLinkLocal(peer)) return [];
    return [...this.#neighbours.values()].filter((each) => each.peer === peer);
  }

  /** Streams that are open stay so. Harmless if repeated. */
  close(): void {
    for (const { fd, poll } of this.#listeners) {
      nativeAddon().pollClose(poll);
      nativeAddon().close(fd);
    }
    this.#listeners = [];
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #listen(address: IpAddress): void {
    const addon = nativeAddon();
    const domain = domainOf(address);
    const fd = addon.socket(domain, SOCK_STREAM_NONBLOCK, 0, this.#options.namespace?.fd);
    try {
      setCommonOptions(fd, domain);
      // A peer with a hop limit looks at our part of the handshake already, when we do not know yet who it is.
      setHopLimits(fd, familyOf(address), { ttl: MAX_HOPS });
      addon.bind(fd, encodeSocketAddress(address, this.#options.port));
      addon.listen(fd, BACKLOG);
      const poll = addon.pollStart(fd, READABLE, () => this.#wake(fd));
      this.#listeners.push({ fd, domain, poll });
    } catch (error) {
      addon.close(fd);
      throw error;
    }
  }

  #setPassword(peer: string, password: string | undefined): void {
    for (const { fd, domain } of this.#listeners)
      if (domain === domainOf(peer)) setPassword(fd, peer, password);
  }

  #wake(listener: number): void {
    const from = new Uint8Array(ADDRESS_BYTES);
    for (let round = 0; round < ROUNDS_PER_WAKE; round += 1) {
      const fd = nativeAddon().accept(listener, from);
      // Nobody is left, or whoever was there has gone: the kernel tells again when there is somebody.
      if (fd < 0) return;
      this.#receive(fd, from.slice());
    }
  }

  #receive(fd: number, from: Uint8Array): void {
    const addon = nativeAddon();
    const remote = addressOf(from);
    const link = isLinkLocal(remote) ? linkNameOn(fd, scopeOf(from)) : undefined;
    const neighbour = this.#neighbourOf(remote, link);
    if (neighbour === undefined) {
      addon.close(fd);
      this.#options.onStranger?.(remote);
      return;
    }
    try {
      setHopLimits(fd, familyOf(remote), neighbour.hops ?? {});
    } catch {
      // It is gone already.
      addon.close(fd);
      return;
    }
    const local = addon.getsockname(fd);
    neighbour.onStream(new TcpStream(fd, { local, remote: from, link }, this.#options.clock));
  }

  #neighbourOf(remote: IpAddress, link: string | undefined): Neighbour | undefined {
    const exact = this.#neighbours.get(formatScopedIp(remote, link));
    if (exact !== undefined) return exact;
    let best: { readonly rank: number; readonly neighbour: Neighbour } | undefined;
    for (const neighbour of this.#neighbours.values()) {
      const { peer } = neighbour;
      if (!peer.includes('/') || (neighbour.link ?? link) !== link || !prefixContains(peer, remote)) continue;
      // Of two that are as narrow the one that names the link.
      const rank = 2 * prefixParts(peer).length + (neighbour.link === undefined ? 0 : 1);
      if (best === undefined || rank > best.rank) best = { rank, neighbour };
    }
    return best?.neighbour;
  }
}

function keyOf({ peer, link }: Neighbour): string {
  return formatScopedIp(peer, link);
}
