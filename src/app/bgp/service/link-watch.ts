/**
 * The way to a neighbour, as BFD sees it (RFC 5882). It begins with the first session and outlasts it: through a restart of the peer it says
 * whether packets still get there.
 */
import type { BfdPhase } from '#core/bgp/bfd/index.ts';
import { CEASE, ceaseOf, hardResetOf, type Notification } from '#core/bgp/wire/index.ts';
import type { BfdEndpoint, BfdHandle, BfdPeer } from '#io/bgp/index.ts';

/** RFC 5880 section 6.8.1: No Diagnostic. */
const NO_DIAGNOSTIC = 0;

type Wish = Omit<BfdPeer, 'onPhase'>;

export class LinkWatch implements Disposable {
  readonly #endpoint: () => BfdEndpoint;
  readonly #onLost: (reason: string, notification: Notification) => void;
  #wish = '';
  #handle: BfdHandle | undefined;

  /** `onLost`: packets do not get there any more; with what to tell the peer. */
  constructor(endpoint: () => BfdEndpoint, onLost: (reason: string, notification: Notification) => void) {
    this.#endpoint = endpoint;
    this.#onLost = onLost;
  }

  get phase(): BfdPhase | undefined {
    return this.#handle?.state.phase;
  }

  /** Watches this from now on, or nothing. What is watched already goes on undisturbed. */
  watch(wish: Wish | undefined): void {
    const text = JSON.stringify(wish);
    if (this.#handle !== undefined && text === this.#wish) return;
    this[Symbol.dispose]();
    if (wish === undefined) return;
    this.#wish = text;
    let wasUp = false;
    this.#handle = this.#endpoint().add({
      ...wish,
      onPhase: (phase, diagnostic) => {
        if (phase === 'up') wasUp = true;
        if (phase !== 'down' || !wasUp || diagnostic === NO_DIAGNOSTIC) return;
        wasUp = false;
        // RFC 5882 sections 3.2 and 4.2: a peer that ends BFD on purpose says nothing of the way to it.
        if (this.#handle?.state.remotePhase === 'admin-down') return;
        // RFC 5882 section 4.3: routes are not to outlast it.
        const reason = 'BFD: packets do not reach the neighbor any more';
        this.#onLost(reason, hardResetOf(ceaseOf(CEASE.bfdDown)));
      },
    });
  }

  [Symbol.dispose](): void {
    this.#handle?.[Symbol.dispose]();
    this.#handle = undefined;
  }
}
