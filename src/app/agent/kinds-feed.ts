/**
 * Kinds of objects as the API server has them. Those that the server does not have are asked for again now and then, in case somebody
 * brings them; a kind may be in one of several places.
 */
import type { Logger } from 'pino';
import { type Clock, delay, type Random } from '#base/clock.ts';
import { isNotFound, type KubeObject, type ObjectStore, type ResourcePath } from '#core/store/index.ts';

/** How often a server is asked for a kind that it does not have, and for one that it refuses; spread by as much again. */
const ABSENT_MS = 60_000;
const REFUSED_MS = 5_000;

/** What is told. Objects of lists have their apiVersion and kind. */
export interface KindsSink {
  /** All objects of a resource, in place of those that there were. */
  sync(resource: ResourcePath, objects: readonly KubeObject[]): void;
  upsert(resource: ResourcePath, object: KubeObject): void;
  remove(resource: ResourcePath, object: KubeObject): void;
}

export interface KindsFeedOptions {
  readonly store: ObjectStore;
  readonly sink: KindsSink;
  /** Where else a kind may be kept. */
  readonly elsewhere: (resource: ResourcePath) => ResourcePath | undefined;
  /** What is not followed if the server refuses: the beginning of a sentence. */
  readonly subject: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export class KindsFeed {
  readonly #options: KindsFeedOptions;
  /** What was told of once, by name; the server has none of those that it does not know. */
  readonly #told = new Set<string>();
  readonly #refused = new Map<string, string>();

  constructor(options: KindsFeedOptions) {
    this.#options = options;
  }

  /** From now on, until the signal aborts. */
  follow(resource: ResourcePath): void {
    void this.#follow(resource);
  }

  /** It has been told once what there is of a kind. */
  isTold(resource: ResourcePath): boolean {
    return this.#told.has(nameOf(resource));
  }

  /** What the server does not let us see, one sentence each. */
  problemTexts(): readonly string[] {
    const { subject } = this.#options;
    return [...this.#refused].map(([name, reason]) => `${subject} not followed: ${name}: ${reason}`);
  }

  async #follow(resource: ResourcePath): Promise<void> {
    const { signal, clock, random, logger } = this.#options;
    while (!signal.aborted) {
      const waitMs = await this.#followOnce(resource).catch((error: unknown) => {
        this.#refuse(resource, error as Error);
        return REFUSED_MS;
      });
      if (signal.aborted) return;
      logger.debug({ resource: nameOf(resource), waitMs }, 'kind not followed');
      await delay(clock, waitMs * (1 + random()), signal).catch(() => undefined);
    }
  }

  /** Follows for as long as that goes; returns how long to wait before the next attempt. */
  async #followOnce(resource: ResourcePath): Promise<number> {
    const { store, sink, signal } = this.#options;
    const place = await this.#placeOf(resource);
    if (place === undefined) {
      this.#tell(resource, []);
      return ABSENT_MS;
    }
    const ended = new AbortController();
    const apiVersion = place.group === '' ? place.version : `${place.group}/${place.version}`;
    const whole = (object: KubeObject): KubeObject => ({ ...object, apiVersion, kind: resource.kind });
    await store.follow(
      place,
      { signal: AbortSignal.any([signal, ended.signal]) },
      {
        sync: (items) => this.#tell(resource, items.map(whole)),
        upsert: (object) => sink.upsert(resource, whole(object)),
        remove: (object) => sink.remove(resource, whole(object)),
        connection: (state, cause) => {
          if (state === 'up') this.#refused.delete(nameOf(resource));
          else if (isNotFound(cause)) ended.abort();
          else if (cause !== undefined) this.#refuse(resource, cause);
        },
      },
    );
    return ended.signal.aborted ? 0 : REFUSED_MS;
  }

  /** Where the server has such objects; undefined if it knows nothing of them. */
  async #placeOf(resource: ResourcePath): Promise<ResourcePath | undefined> {
    if (!resource.group.includes('.')) return resource; // every server has them
    for (const place of [resource, this.#options.elsewhere(resource)])
      if (place !== undefined && (await this.#isThere(place))) return place;
    return undefined;
  }

  async #isThere(place: ResourcePath): Promise<boolean> {
    const { store, signal } = this.#options;
    try {
      await store.list(place, { signal, labelSelector: 'none-has-this' });
      return true;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return false;
    }
  }

  #tell(resource: ResourcePath, objects: readonly KubeObject[]): void {
    this.#told.add(nameOf(resource));
    this.#refused.delete(nameOf(resource));
    this.#options.sink.sync(resource, objects);
  }

  #refuse(resource: ResourcePath, cause: Error): void {
    if (this.#options.signal.aborted) return;
    const name = nameOf(resource);
    if (this.#refused.get(name) !== cause.message)
      this.#options.logger.warn({ resource: name, err: cause }, 'kind not followed');
    this.#refused.set(name, cause.message);
  }
}

function nameOf({ group, plural }: ResourcePath): string {
  return group === '' ? plural : `${plural}.${group}`;
}
