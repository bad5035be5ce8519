/**
 * Tells people of policies that cannot be used as they are: in the log, as Events, and as a condition of the kinds that have some. Each node
 * waits a while of its own first, and writes only what nobody has written until then.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import { essenceOf, objectKey, POLICY_CONTEXT, translate } from '#core/policy/index.ts';
import {
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubeObject,
  type ObjectStore,
  type ResourcePath,
} from '#core/store/index.ts';
import type { PolicySink } from './feed.ts';
import { conditionsOf, eventsOf, type Finding } from './report-objects.ts';

/** How long a node waits at most before it writes. */
const SPREAD_MS = 10_000;
const EVENTS: ResourcePath = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true };
/** The group whose kinds have conditions. */
const WITH_CONDITIONS = 'policy.networking.k8s.io';

export interface PolicyReportsOptions {
  readonly store: Pick<ObjectStore, 'create' | 'patch'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** A policy of which there is something to tell. */
interface Case {
  readonly resource: ResourcePath;
  readonly object: KubeObject;
  readonly findings: readonly Finding[];
  /** What this node has written of the object, or found written. */
  readonly told: Set<string>;
}

export class PolicyReports {
  readonly #options: PolicyReportsOptions;
  readonly #cases = new Map<string, Case>();
  readonly #due = new Set<string>();
  #isWaiting = false;
  #refusal: string | undefined;

  constructor(options: PolicyReportsOptions) {
    this.#options = options;
  }

  /** A sink that hears what this one is told, after it. */
  beside(sink: PolicySink): PolicySink {
    return {
      sync: (resource, objects) => {
        sink.sync(resource, objects);
        if (POLICY_CONTEXT.has(resource)) return;
        const keys = new Set(objects.map(objectKey));
        for (const [key, each] of this.#cases)
          if (each.resource === resource && !keys.has(key)) this.#cases.delete(key);
        for (const object of objects) this.#hear(resource, object);
      },
      upsert: (resource, object) => {
        sink.upsert(resource, object);
        if (!POLICY_CONTEXT.has(resource)) this.#hear(resource, object);
      },
      remove: (resource, object) => {
        sink.remove(resource, object);
        this.#cases.delete(objectKey(object));
      },
    };
  }

  #hear(resource: ResourcePath, object: KubeObject): void {
    const key = objectKey(object);
    const { problems, warnings } = translate(essenceOf(object));
    const findings: readonly Finding[] = [
      ...problems.map((each) => ({ ...each, isUsed: false })),
      ...warnings.map((each) => ({ ...each, isUsed: true })),
    ];
    const before = this.#cases.get(key);
    this.#cases.delete(key);
    if (findings.length === 0 && resource.group !== WITH_CONDITIONS) return;
    const isSame = before?.object.metadata.uid === object.metadata.uid;
    const told = isSame && before !== undefined ? before.told : new Set<string>();
    this.#log(object, findings, isSame ? (before?.findings ?? []) : []);
    this.#cases.set(key, { resource, object, findings, told });
    this.#due.add(key);
    this.#wait();
  }

  #log({ kind, metadata }: KubeObject, findings: readonly Finding[], before: readonly Finding[]): void {
    const { namespace, name } = metadata;
    const policy = `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
    for (const { path, message, isUsed } of findings) {
      if (before.some((each) => each.path === path && each.message === message)) continue;
      this.#options.logger.warn(
        { policy, path, problem: message },
        isUsed ? 'policy is doubtful' : 'policy is not used',
      );
    }
  }

  #wait(): void {
    const { clock, random, signal } = this.#options;
    if (this.#isWaiting || signal.aborted) return;
    this.#isWaiting = true;
    const end = (): void => timer[Symbol.dispose]();
    const timer = clock.setTimeout(random() * SPREAD_MS, () => {
      signal.removeEventListener('abort', end);
      void this.#tellAll();
    });
    signal.addEventListener('abort', end, { once: true });
  }

  /** One after the other: of many policies that are wrong nobody reads at once. */
  async #tellAll(): Promise<void> {
    const keys = [...this.#due];
    this.#due.clear();
    for (const key of keys) {
      const each = this.#cases.get(key);
      if (each === undefined || this.#options.signal.aborted) continue;
      await this.#tellEvents(each);
      if (each.resource.group === WITH_CONDITIONS) await this.#tellCondition(each);
    }
    this.#isWaiting = false;
    if (this.#due.size > 0) this.#wait();
  }

  async #tellEvents({ object, findings, told }: Case): Promise<void> {
    const { store, clock, signal } = this.#options;
    for (const event of eventsOf(object, findings, clock.now())) {
      const { name, namespace = '' } = event.metadata;
      if (told.has(name)) continue;
      told.add(name);
      try {
        await store.create(EVENTS, event, { namespace, signal });
      } catch (error) {
        if (!isAlreadyExists(error)) this.#fail(error, () => told.delete(name));
      }
    }
  }

  /** Once for each generation of the object: agents of two versions do not write against each other for ever. */
  async #tellCondition({ resource, object, findings, told }: Case): Promise<void> {
    const { store, clock, signal } = this.#options;
    const { name, resourceVersion, generation } = object.metadata;
    const mark = `condition ${generation}`;
    if (told.has(mark)) return;
    told.add(mark);
    const conditions = conditionsOf(object, findings, clock.now());
    if (conditions === undefined) return;
    try {
      const patch = { metadata: { resourceVersion }, status: { conditions } };
      await store.patch(resource, name, 'merge', patch, { subresource: 'status', signal });
    } catch (error) {
      // What the object is like by now is told next.
      if (isConflict(error)) told.delete(mark);
      // It is gone, or its kind has no conditions here.
      else if (!isNotFound(error)) this.#fail(error, () => told.delete(mark));
    }
  }

  /** It is tried again when the API tells of the object the next time. */
  #fail(error: unknown, forget: () => void): void {
    const { signal, logger } = this.#options;
    forget();
    const { message } = error as Error;
    if (!signal.aborted && this.#refusal !== message) logger.warn({ err: error }, 'policy not reported on');
    this.#refusal = message;
  }
}
