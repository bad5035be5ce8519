/** Links by name in one namespace, followed: whether they are there and up, and when that changes. */
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';
import { NETLINK_ROUTE, NetlinkMonitor } from '#io/netlink/index.ts';
import { linkStateOn } from './link-names.ts';
import { AF_INET6 } from './socket-address.ts';

const SOCK_DGRAM = 2;
const RTNLGRP_LINK = 1;
const RECEIVE_BUFFER_BYTES = 256 * 1024;

/** A link that is there. Another index: another link that has come to the same name. */
export interface LinkState {
  readonly index: number;
  readonly isUp: boolean;
}

type Listener = (state: LinkState | undefined) => void;

export class LinkStates implements Disposable {
  readonly #fd: number;
  readonly #monitor: NetlinkMonitor;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #known = new Map<string, LinkState | undefined>();

  /** Throws a SystemCallError. */
  constructor(namespace: Namespace | undefined) {
    this.#fd = nativeAddon().socket(AF_INET6, SOCK_DGRAM, 0, namespace?.fd);
    try {
      const look = (): void => this.#look();
      this.#monitor = NetlinkMonitor.open({
        protocol: NETLINK_ROUTE,
        groups: [RTNLGRP_LINK],
        ...(namespace === undefined ? {} : { namespace }),
        receiveBufferBytes: RECEIVE_BUFFER_BYTES,
        // What the messages say is asked for by name: it is then what holds now.
        onMessages: look,
        onLost: look,
      });
    } catch (error) {
      nativeAddon().close(this.#fd);
      throw error;
    }
  }

  /** What a link is at now; undefined if there is none of that name. */
  stateOf(name: string): LinkState | undefined {
    return linkStateOn(this.#fd, name);
  }

  /** Tells of each change from now on, until what is returned is disposed of. */
  watch(name: string, listener: Listener): Disposable {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    if (!this.#known.has(name)) this.#known.set(name, this.stateOf(name));
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener);
        if (listeners.size > 0 || this.#listeners.get(name) !== listeners) return;
        this.#listeners.delete(name);
        this.#known.delete(name);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    this.#monitor.close();
    nativeAddon().close(this.#fd);
  }

  #look(): void {
    for (const [name, listeners] of this.#listeners) {
      const before = this.#known.get(name);
      const state = this.stateOf(name);
      if (before?.index === state?.index && before?.isUp === state?.isUp) continue;
      this.#known.set(name, state);
      for (const listener of [...listeners]) listener(state);
    }
  }
}
