/** Policies and what they speak of, as the API server has them; pods and the like are followed only once a policy is there to speak of them. */
import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import { POLICY_CONTEXT, POLICY_RESOURCES, storedResource } from '#core/policy/index.ts';
import type { ObjectStore } from '#core/store/index.ts';
import { KindsFeed, type KindsSink } from '../kinds-feed.ts';

/** What is told. Objects of lists have their apiVersion and kind. */
export type PolicySink = KindsSink;

export interface PolicyFeedOptions {
  readonly store: ObjectStore;
  readonly sink: PolicySink;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export class PolicyFeed {
  readonly #kinds: KindsFeed;
  #isContextFollowed = false;

  constructor(options: PolicyFeedOptions) {
    this.#kinds = new KindsFeed({ ...options, elsewhere: storedResource, subject: 'policies are' });
  }

  start(): void {
    for (const resource of POLICY_RESOURCES) if (!POLICY_CONTEXT.has(resource)) this.#kinds.follow(resource);
  }

  /** From now on what policies speak of is followed too. */
  followContext(): void {
    if (this.#isContextFollowed) return;
    this.#isContextFollowed = true;
    for (const resource of POLICY_CONTEXT) this.#kinds.follow(resource);
  }

  /** All that is followed has been told of. */
  get isComplete(): boolean {
    return POLICY_RESOURCES.every(
      (resource) =>
        this.#kinds.isTold(resource) || (!this.#isContextFollowed && POLICY_CONTEXT.has(resource)),
    );
  }

  /** What the server does not let us see, one sentence each. */
  problemTexts(): readonly string[] {
    return this.#kinds.problemTexts();
  }
}
