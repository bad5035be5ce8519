/** Connecting to a peer, with all options set before the first segment. */
import { getSystemErrorName } from 'node:util';
import type { Clock } from '#base/clock.ts';
import { familyOf, type IpAddress, isLinkLocal } from '#base/ip/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon, type PollHandle } from '#io/native/index.ts';
import { linkIndexOn } from './link-names.ts';
import { domainOf, encodeSocketAddress } from './socket-address.ts';
import {
  type HopLimits,
  pendingErrno,
  setCommonOptions,
  setHopLimits,
  setPassword,
} from './socket-options.ts';
import { TcpStream } from './tcp-stream.ts';

const SOCK_STREAM_NONBLOCK = 1 | 0o4000;
const WRITABLE = 2;

export interface DialOptions {
  readonly clock: Clock;
  /** Absent: the calling thread's. */
  readonly namespace?: Namespace;
  readonly remote: IpAddress;
  readonly port: number;
  /** Absent: what the route to the peer prefers. */
  readonly local?: IpAddress;
  /** Of a link-local peer: the link's name. */
  readonly link?: string;
  readonly password?: string;
  readonly hops?: HopLimits;
}

/** One of both is called, once and never before dial() has returned, unless the attempt is disposed of first. */
export interface DialHandlers {
  readonly onStream: (stream: TcpStream) => void;
  readonly onFailure: (reason: string) => void;
}

/** Begins to connect; disposing ends the attempt. */
export function dial(options: DialOptions, handlers: DialHandlers): Disposable {
  const attempt = new Attempt(options, handlers);
  attempt.begin();
  return attempt;
}

class Attempt implements Disposable {
  readonly #options: DialOptions;
  readonly #handlers: DialHandlers;
  #fd = -1;
  #remote: Uint8Array = new Uint8Array(0);
  #poll: PollHandle | undefined;
  #isOver = false;

  constructor(options: DialOptions, handlers: DialHandlers) {
    this.#options = options;
    this.#handlers = handlers;
  }

  begin(): void {
    try {
      this.#open();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      process.nextTick(() => this.#fail(code ?? message));
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#release();
  }

  #open(): void {
    const { namespace, remote, port, local, link, password, hops } = this.#options;
    const addon = nativeAddon();
    const domain = domainOf(remote);
    this.#fd = addon.socket(domain, SOCK_STREAM_NONBLOCK, 0, namespace?.fd);
    const scope = link !== undefined && isLinkLocal(remote) ? linkIndexOn(this.#fd, link) : 0;
    this.#remote = encodeSocketAddress(remote, port, scope);
    setCommonOptions(this.#fd, domain);
    if (hops !== undefined) setHopLimits(this.#fd, familyOf(remote), hops);
    if (password !== undefined) setPassword(this.#fd, remote, password);
    if (local !== undefined) addon.bind(this.#fd, encodeSocketAddress(local, 0, scope));
    try {
      addon.connect(this.#fd, this.#remote);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINPROGRESS') throw error;
    }
    this.#poll = addon.pollStart(this.#fd, WRITABLE, () => this.#onReady());
  }

  #onReady(): void {
    const errno = pendingErrno(this.#fd);
    if (errno !== 0) return this.#fail(getSystemErrorName(-errno));
    const local = nativeAddon().getsockname(this.#fd);
    const fd = this.#fd;
    this.#stopPolling();
    this.#fd = -1;
    this.#isOver = true;
    this.#handlers.onStream(new TcpStream(fd, { local, remote: this.#remote }, this.#options.clock));
  }

  #fail(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    this.#handlers.onFailure(reason);
  }

  #stopPolling(): void {
    if (this.#poll !== undefined) nativeAddon().pollClose(this.#poll);
    this.#poll = undefined;
  }

  #release(): void {
    this.#stopPolling();
    if (this.#fd >= 0) nativeAddon().close(this.#fd);
    this.#fd = -1;
  }
}
