/**
 * Policies and what they speak of, as the API server has them. Kinds that the server does not have are asked for again now and then, in
 * case somebody brings them; pods and the like are followed only once a policy is there to speak of them.
 */
import type { Logger } from 'pino';
import { type Clock, delay, type Random } from '#base/clock.ts';
import { apiVersionOf, POLICY_CONTEXT, POLICY_RESOURCES, storedResource } from '#core/policy/index.ts';
import { isNotFound, type KubeObject, type ObjectStore, type ResourcePath } from '#core/store/index.ts';

/** How often a server is asked for a kind that it does not have, and for one that it refuses; spread by as much again. */
const ABSENT_MS = 60_000;
const REFUSED_MS = 5_000;

/** What is told. Objects of lists have their apiVersion and kind. */
export interface PolicySink {
  /** All objects of a resource, in place of those that there were. */
  sync(resource: ResourcePath, objects: readonly KubeObject[]): void;
  upsert(resource: ResourcePath, object: KubeObject): void;
  remove(resource: ResourcePath, object: KubeObject): void;
}

export interface PolicyFeedOptions {
  readonly store: ObjectStore;
  readonly sink: PolicySink;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export class PolicyFeed {
  readonly #options: PolicyFeedOptions;
  /** What was told of once, by name; the server has none of those that it does not know. */
  readonly #told = new Set<string>();
  readonly #refused = new Map<string, string>();
  #isContextFollowed = false;

  constructor(options: PolicyFeedOptions) {
    this.#options = options;
  }

  start(): void {
    for (const resource of POLICY_RESOURCES) if (!POLICY_CONTEXT.has(resource)) void this.#follow(resource);
  }

  /** From now on what policies speak of is followed too. */
  followContext(): void {
    if (this.#isContextFollowed) return;
    this.#isContextFollowed = true;
    for (const resource of POLICY_CONTEXT) void this.#follow(resource);
  }

  /** All that is followed has been told of. */
  get isComplete(): boolean {
    return POLICY_RESOURCES.every(
      (resource) =>
        this.#told.has(nameOf(resource)) || (!this.#isContextFollowed && POLICY_CONTEXT.has(resource)),
    );
  }

  /** What the server does not let us see, one sentence each. */
  problemTexts(): readonly string[] {
    return [...this.#refused].map(([name, reason]) => `policies are not followed: ${name}: ${reason}`);
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
    const apiVersion = apiVersionOf(place);
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
    for (const place of [resource, storedResource(resource)])
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
