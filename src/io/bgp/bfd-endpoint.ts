/** BFD in one namespace: sessions with any number of peers, each kept by the state machine of core/bgp/bfd. */
import type { Clock, Random } from '#base/clock.ts';
import { formatScopedIp, type IpAddress } from '#base/ip/index.ts';
import {
  type BfdAction,
  type BfdEvent,
  type BfdPacket,
  type BfdPhase,
  type BfdState,
  type BfdTimer,
  decodeBfd,
  encodeBfd,
  newBfd,
  stepBfd,
} from '#core/bgp/bfd/index.ts';
import { isDecodeError } from '#core/codec/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { type BfdHops, BfdSender, listenForBfd } from './bfd-socket.ts';

export interface BfdEndpointOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Absent: the calling thread's. */
  readonly namespace?: Namespace;
}

export interface BfdPeer {
  readonly local: IpAddress;
  readonly remote: IpAddress;
  /** single: on the link (RFC 5881); multi: across routers (RFC 5883). */
  readonly hops: BfdHops;
  /** Of a link-local peer: the link's name. */
  readonly link?: string;
  readonly minTxMs: number;
  readonly minRxMs: number;
  readonly multiplier: number;
  readonly isPassive?: boolean;
  readonly onPhase: (phase: BfdPhase, diagnostic: number) => void;
}

/** A session; disposing tells the peer that it is administratively down, and ends it. */
export interface BfdHandle extends Disposable {
  readonly state: BfdState;
  /** Other intervals, in milliseconds. */
  change(intervals: { readonly minTxMs: number; readonly minRxMs: number }): void;
}

export class BfdEndpoint implements Disposable {
  readonly #options: BfdEndpointOptions;
  readonly #sockets: Disposable;
  readonly #sessions = new Map<number, Session>();
  /** By who it is with, for packets that do not know our discriminator yet. */
  readonly #byPeer = new Map<string, Session>();

  /** Throws a SystemCallError, EADDRINUSE if somebody else speaks BFD here. */
  constructor(options: BfdEndpointOptions) {
    this.#options = options;
    this.#sockets = listenForBfd(options.namespace, (bytes, from, scope, hops) =>
      this.#receive(bytes, from, scope, hops),
    );
  }

  /** Begins a session. Throws a RangeError if there is one with the same peer. */
  add(peer: BfdPeer): BfdHandle {
    const discriminator = this.#freeDiscriminator();
    const sender = new BfdSender({ ...peer, ...this.#options });
    const key = keyOf(peer.remote, sender.scope, peer.hops);
    if (this.#byPeer.has(key)) {
      sender[Symbol.dispose]();
      throw new RangeError(`bfd session with ${formatScopedIp(peer.remote, peer.link)} is there twice`);
    }
    const session = new Session(peer, sender, discriminator, this.#options, () => {
      this.#sessions.delete(discriminator);
      this.#byPeer.delete(key);
    });
    this.#sessions.set(discriminator, session);
    this.#byPeer.set(key, session);
    session.tell({ type: 'start' });
    return session;
  }

  /** Ends all sessions. */
  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session[Symbol.dispose]();
    this.#sockets[Symbol.dispose]();
  }

  /** RFC 5880 section 6.8.6: by our discriminator, else by who it comes from; what is malformed, or nobody's, is discarded. */
  #receive(bytes: Uint8Array, from: IpAddress, scope: number, hops: BfdHops): void {
    let packet: BfdPacket;
    try {
      packet = decodeBfd(bytes);
    } catch (error) {
      if (isDecodeError(error)) return;
      throw error;
    }
    const { yourDiscriminator } = packet;
    const session =
      yourDiscriminator === 0
        ? this.#byPeer.get(keyOf(from, scope, hops))
        : this.#sessions.get(yourDiscriminator);
    if (session?.isWith(from, scope, hops) === true) session.tell({ type: 'packet', packet });
  }

  #freeDiscriminator(): number {
    for (;;) {
      const number = Math.floor(this.#options.random() * 2 ** 32) >>> 0;
      if (number !== 0 && !this.#sessions.has(number)) return number;
    }
  }
}

class Session implements BfdHandle {
  readonly #peer: BfdPeer;
  readonly #options: BfdEndpointOptions;
  readonly #sender: BfdSender;
  readonly #timers = new Map<BfdTimer, Disposable>();
  readonly #forget: () => void;
  #state: BfdState;
  #isOver = false;

  constructor(
    peer: BfdPeer,
    sender: BfdSender,
    discriminator: number,
    options: BfdEndpointOptions,
    forget: () => void,
  ) {
    const { minTxMs, minRxMs, multiplier, isPassive = false } = peer;
    this.#peer = peer;
    this.#options = options;
    this.#forget = forget;
    this.#state = newBfd({ discriminator, minTxMs, minRxMs, multiplier, isPassive });
    this.#sender = sender;
  }

  get state(): BfdState {
    return this.#state;
  }

  isWith(remote: IpAddress, scope: number, hops: BfdHops): boolean {
    return this.#peer.remote === remote && this.#sender.scope === scope && this.#peer.hops === hops;
  }

  change(intervals: { readonly minTxMs: number; readonly minRxMs: number }): void {
    this.tell({ type: 'change', ...intervals });
  }

  tell(event: BfdEvent): void {
    if (this.#isOver) return;
    const { state, actions } = stepBfd(this.#state, event, this.#options.random);
    this.#state = state;
    for (const action of actions) this.#carryOut(action);
  }

  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.tell({ type: 'stop' });
    this.#isOver = true;
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    this.#sender[Symbol.dispose]();
    this.#forget();
  }

  #carryOut(action: BfdAction): void {
    switch (action.type) {
      case 'send':
        return this.#sender.send(encodeBfd(action.packet));
      case 'phase':
        return this.#peer.onPhase(action.phase, action.diagnostic);
      case 'clear-timer':
        this.#timers.get(action.timer)?.[Symbol.dispose]();
        this.#timers.delete(action.timer);
        return;
      case 'set-timer': {
        const { timer, ms } = action;
        this.#timers.get(timer)?.[Symbol.dispose]();
        const expire = () => this.tell({ type: 'timer', timer });
        this.#timers.set(timer, this.#options.clock.setTimeout(ms, expire));
      }
    }
  }
}

function keyOf(remote: IpAddress, scope: number, hops: BfdHops): string {
  return `${hops} ${remote} ${scope}`;
}
