/**
 * BGP as a part of the agent: it begins when it is wanted, by flag or by an object of Calico's that says so, and nothing of it is loaded
 * before. Where it is not wanted, routes that an earlier run left are taken away.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { delay } from '#base/clock.ts';
import { BGP } from '#core/kernel/index.ts';
import { isNotFound, type ObjectStore, StoreError } from '#core/store/index.ts';
import { sendJson } from '#io/http/index.ts';
import type { BgpKeeper, BgpKeeperOptions } from './keeper.ts';
import { BGP_SIGNS, storedKind } from './kinds.ts';
import type { BgpPlace } from './place.ts';
import type { BgpStatus } from './status.ts';

export interface BgpPartOptions extends Omit<BgpKeeperOptions, 'isForced' | 'store'> {
  /** Absent: leases are kept elsewhere, and BGP is not wanted. */
  readonly store?: ObjectStore;
  /** Absent: if one of Calico's objects is there. */
  readonly isWanted?: boolean;
}

/** Between two looks for Calico's objects. */
const LOOK_MS = 60_000;
const RETRY_MS = 5_000;

export class BgpPart implements AsyncDisposable {
  readonly #options: BgpPartOptions;
  #keeper: BgpKeeper | undefined;
  #place: BgpPlace | undefined;

  constructor(options: BgpPartOptions) {
    this.#options = options;
    void this.#begin();
  }

  settle(place: BgpPlace | undefined): void {
    this.#place = place;
    this.#keeper?.settle(place);
  }

  status(): BgpStatus | undefined {
    return this.#keeper?.status();
  }

  /** The MTU that pods get, where pools' tunnels carry their packets. */
  podMtuBytes(mtuBytes: number): number {
    return mtuBytes - (this.#keeper?.overheadBytes ?? 0);
  }

  problemTexts(): readonly string[] {
    return this.#keeper?.problemTexts() ?? [];
  }

  /** Answers what is asked below `/bgp/`. */
  answer(incoming: IncomingMessage, response: ServerResponse): void {
    if (this.#keeper !== undefined) return this.#keeper.answer(incoming, response);
    const { isWanted, store } = this.#options;
    const why =
      isWanted === false || store === undefined
        ? 'it was told not to, or keeps its leases in etcd'
        : 'there is no BGPConfiguration and no BGPPeer, and no --bgp';
    sendJson(response, 503, { error: `this agent does not speak BGP: ${why}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeper?.[Symbol.asyncDispose]();
  }

  async #begin(): Promise<void> {
    const { isWanted, loop, logger, store } = this.#options;
    if (isWanted === false || store === undefined) return loop.own(BGP);
    if (isWanted === undefined) await this.#untilThere(store);
    if (this.#options.signal.aborted) return;
    try {
      const { BgpKeeper: Keeper } = await import('./keeper.ts');
      if (this.#options.signal.aborted) return;
      this.#keeper = new Keeper({ ...this.#options, store, isForced: isWanted === true });
      this.#keeper.settle(this.#place);
    } catch (error) {
      logger.error({ err: error }, 'BGP cannot begin');
    }
  }

  async #untilThere(store: ObjectStore): Promise<void> {
    const { clock, random, signal, loop } = this.#options;
    while (!signal.aborted) {
      const found = await isThereAny(store, signal).catch((error: unknown) => error as Error);
      if (found === true) return;
      // Whoever may not see them is not meant to speak. A server that does not answer says nothing of routes that are there.
      const isAnswer = found === false || (found instanceof StoreError && found.code === 403);
      if (isAnswer) loop.own(BGP);
      const waitMs = (isAnswer ? LOOK_MS : RETRY_MS) * (1 + random());
      await delay(clock, waitMs, signal).catch(() => undefined);
    }
  }
}

/** Whether one of Calico's objects that speak of BGP is there. Rejects with StoreError if the server does not say. */
async function isThereAny(store: ObjectStore, signal: AbortSignal): Promise<boolean> {
  for (const resource of BGP_SIGNS) {
    for (const place of [resource, storedKind(resource)]) {
      if (place === undefined) continue;
      try {
        const { items } = await store.list(place, { signal });
        if (items.length > 0) return true;
        break;
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }
  return false;
}
