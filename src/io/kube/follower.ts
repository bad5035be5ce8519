/**
 * Keeps a Follower in step with a resource: list, then watch from the list's version, for ever. It survives the end of
 * watches, expired versions and outages; the follower sees every object's last state, through single changes or a new sync.
 *
 * After an outage the watch goes on from the last version seen, which brings what happened meanwhile, deletions too. Where
 * the server no longer has that history (410) or answers anything else but "try later", the whole list is taken anew.
 */
import { Backoff, type BackoffOptions } from '#base/backoff.ts';
import { type Clock, delay, type Random } from '#base/clock.ts';
import type {
  CallOptions,
  Follower,
  KubeObject,
  ListOptions,
  ObjectStore,
  ResourcePath,
  WatchEvent,
  WatchPace,
} from '#core/store/index.ts';
import { isGone, StoreError } from '#core/store/index.ts';
import { isUnreachable } from './errors.ts';

export interface WatchOpenOptions {
  /** Called once when the server has accepted the watch, before its first event. */
  readonly onOpen?: () => void;
}

/** The two calls following needs. */
export interface FollowSource extends Pick<ObjectStore, 'list'> {
  watch<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & CallOptions & WatchPace & WatchOpenOptions & { resourceVersion: string },
  ): AsyncIterable<WatchEvent<T>>;
}

export interface FollowOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** 0.8 s to 30 s if absent. */
  readonly backoff?: BackoffOptions;
}

const DEFAULT_BACKOFF: BackoffOptions = { initialMs: 800, maxMs: 30_000, factor: 2, jitter: 0.5 };
/** A watch that lived this long was a success, even without events. */
const HEALTHY_WATCH_MS = 5_000;

/** Resolves when the signal aborts; rejects with what the follower throws, or with an error that is not the store's. */
export async function followStore<T extends KubeObject>(
  source: FollowSource,
  options: FollowOptions,
  resource: ResourcePath,
  scope: ListOptions & WatchPace & { signal: AbortSignal },
  follower: Follower<T>,
): Promise<void> {
  await new Following(source, options, resource, scope, follower).run();
}

class Following<T extends KubeObject> {
  readonly #source: FollowSource;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #resource: ResourcePath;
  readonly #scope: ListOptions & WatchPace & { signal: AbortSignal };
  readonly #follower: Follower<T>;
  #up = true;
  /** Where to watch from; undefined: list first. */
  #version: string | undefined;

  constructor(
    source: FollowSource,
    options: FollowOptions,
    resource: ResourcePath,
    scope: ListOptions & WatchPace & { signal: AbortSignal },
    follower: Follower<T>,
  ) {
    this.#source = source;
    this.#clock = options.clock;
    this.#backoff = new Backoff(options.backoff ?? DEFAULT_BACKOFF, options.random);
    this.#resource = resource;
    this.#scope = scope;
    this.#follower = follower;
  }

  async run(): Promise<void> {
    const { signal } = this.#scope;
    while (!signal.aborted) {
      try {
        const waitMs = await this.#round();
        if (waitMs > 0) await delay(this.#clock, waitMs, signal);
      } catch (error) {
        if (signal.aborted && !(error instanceof FollowerFailure)) return;
        throw error instanceof FollowerFailure ? error.cause : error;
      }
    }
  }

  /** One list (where needed) and one watch; returns how long to wait before the next, in milliseconds. */
  async #round(): Promise<number> {
    const failuresBefore = this.#backoff.failures;
    try {
      if (this.#version === undefined) await this.#list();
      return (await this.#watch()) ? 0 : this.#backoff.next();
    } catch (error) {
      if (this.#scope.signal.aborted || !(error instanceof StoreError || isUnreachable(error))) throw error;
      if (isGone(error)) {
        this.#version = undefined;
        // At once the first time; a server that goes on saying so is asked less and less often.
        const waitMs = this.#backoff.next();
        return failuresBefore === 0 ? 0 : waitMs;
      }
      if (error instanceof StoreError && !isTryLater(error)) this.#version = undefined;
      this.#setConnection('down', error);
      return this.#backoff.next();
    }
  }

  async #list(): Promise<void> {
    const list = await this.#source.list<T>(this.#resource, this.#scope);
    this.#setConnection('up');
    this.#tell(() => this.#follower.sync(list.items));
    this.#version = list.resourceVersion;
  }

  /** One watch to its end; false if it was too short and empty to count as a success. */
  async #watch(): Promise<boolean> {
    const start = this.#clock.now();
    let fruitful = false;
    const events = this.#source.watch<T>(this.#resource, {
      ...this.#scope,
      resourceVersion: this.#version as string,
      onOpen: () => this.#setConnection('up'),
    });
    for await (const event of events) {
      this.#setConnection('up');
      this.#backoff.reset();
      fruitful = true;
      this.#deliver(event);
    }
    this.#scope.signal.throwIfAborted();
    const healthy = fruitful || this.#clock.now() - start >= HEALTHY_WATCH_MS;
    if (healthy) this.#backoff.reset();
    return healthy;
  }

  #deliver(event: WatchEvent<T>): void {
    const version = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion;
    if (event.type === 'DELETED') this.#tell(() => this.#follower.remove(event.object));
    else if (event.type !== 'BOOKMARK') this.#tell(() => this.#follower.upsert(event.object));
    if (version) this.#version = version;
  }

  #setConnection(state: 'up' | 'down', cause?: Error): void {
    if (this.#up === (state === 'up')) return;
    this.#up = state === 'up';
    this.#tell(() => this.#follower.connection?.(state, cause));
  }

  /** Errors the follower throws are its own: they end the following and are not taken for the store's. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (cause) {
      throw new FollowerFailure(cause);
    }
  }
}

class FollowerFailure extends Error {
  constructor(cause: unknown) {
    super('the follower failed', { cause });
  }
}

/** The server is there and keeps our version, but is overloaded or starting. */
function isTryLater(error: StoreError): boolean {
  return error.code === 429 || error.code === 500 || error.code === 503;
}
