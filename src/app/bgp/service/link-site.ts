/**
 * The link that a neighbour is on, where its address means nothing without: whether packets can pass, and for a neighbour without an address
 * who is at the other end. That is heard from router advertisements, or seen when somebody connects.
 */
import type { Clock, Random } from '#base/clock.ts';
import { type IpAddress, LINK_LOCAL_PREFIX } from '#base/ip/index.ts';
import {
  type BgpEndpoint,
  type HopLimits,
  type LinkState,
  type LinkStates,
  RouterDiscovery,
  type TcpStream,
} from '#io/bgp/index.ts';
import type { Namespace } from '#io/namespace/index.ts';

export interface LinkSitePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace?: Namespace;
  /** Absent: nobody can connect to us. */
  readonly endpoint?: BgpEndpoint;
  /** Of the namespace, made when they are first asked for. */
  readonly links: () => LinkStates;
}

export interface LinkSiteHandlers {
  /** Packets can pass. */
  readonly onUp: () => void;
  /** They cannot any more, or the link is another one of the same name. */
  readonly onDown: () => void;
  /** The router at the other end; again when another is heard. */
  readonly onPeer: (address: IpAddress) => void;
  /** Somebody has connected who is not known yet. */
  readonly onStream: (stream: TcpStream) => void;
  readonly onFault: (text: string) => void;
}

/** Whom it looks for: nobody, if the address is known. */
export interface Sought {
  readonly link: string;
  readonly isUnnumbered: boolean;
  readonly password?: string;
  readonly hops?: HopLimits;
}

export class LinkSite implements Disposable {
  readonly #sought: Sought;
  readonly #ports: LinkSitePorts;
  readonly #handlers: LinkSiteHandlers;
  readonly #watch: Disposable;
  #state: LinkState | undefined;
  #discovery: RouterDiscovery | undefined;
  readonly #door: Disposable | undefined;

  /** No handler is called before it is made. */
  constructor(sought: Sought, ports: LinkSitePorts, handlers: LinkSiteHandlers) {
    this.#sought = sought;
    this.#ports = ports;
    this.#handlers = handlers;
    const { link, isUnnumbered, password, hops } = sought;
    this.#state = ports.links().stateOf(link);
    this.#watch = ports.links().watch(link, (state) => this.#change(state));
    // A key would have to be known for an address before somebody connects from it, and for all addresses of the prefix on all links.
    if (isUnnumbered && password === undefined)
      this.#door = ports.endpoint?.add({
        peer: LINK_LOCAL_PREFIX,
        link,
        ...(hops === undefined ? {} : { hops }),
        onStream: (stream) => handlers.onStream(stream),
      });
    this.#look();
  }

  get isUp(): boolean {
    return this.#state?.isUp === true;
  }

  /** What keeps the neighbour from being spoken to; undefined if nothing of the link does. */
  get lack(): string | undefined {
    const { link, isUnnumbered } = this.#sought;
    if (this.#state === undefined) return `there is no link ${link}`;
    if (!this.#state.isUp) return `link ${link} is down`;
    return isUnnumbered ? `no router is heard on link ${link}` : undefined;
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    this.#discovery?.[Symbol.dispose]();
    this.#door?.[Symbol.dispose]();
  }

  #change(state: LinkState | undefined): void {
    // It may have been looked at before others were told of it.
    if (state?.index === this.#state?.index && state?.isUp === this.#state?.isUp) return;
    const wasUp = this.isUp;
    this.#state = state;
    this.#discovery?.[Symbol.dispose]();
    this.#discovery = undefined;
    if (wasUp) this.#handlers.onDown();
    if (!this.isUp) return;
    this.#handlers.onUp();
    this.#look();
  }

  #look(): void {
    const { clock, random, namespace } = this.#ports;
    const { link, isUnnumbered } = this.#sought;
    if (!isUnnumbered || this.#state?.isUp !== true) return;
    try {
      this.#discovery = new RouterDiscovery({
        clock,
        random,
        ...(namespace === undefined ? {} : { namespace }),
        linkIndex: this.#state.index,
        onRouter: (address) => this.#handlers.onPeer(address),
        onCrowd: (addresses) =>
          this.#handlers.onFault(
            `${addresses.join(' and ')} are routers on link ${link}, where there is to be one: name the neighbor's address`,
          ),
      });
    } catch (error) {
      const text = (error as Error).message;
      setImmediate(() => this.#handlers.onFault(`no routers are looked for on link ${link}: ${text}`));
    }
  }
}
