/** Policies and who has which address, as the API server has them, kept as they are there: lines are about what is so now. */
import { pino } from 'pino';
import { POLICY_RESOURCES, PolicyCluster } from '#core/policy/index.ts';
import { isNotFound, type KubeObject, type ResourcePath } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore, type KubeStore, kubeConfigFor } from '#io/kube/index.ts';
import { PolicyUsageError } from './objects.ts';

export class FollowedCluster implements Disposable {
  readonly cluster = new PolicyCluster();
  readonly #store: KubeStore;
  readonly #warn: (text: string) => void;
  readonly #end = new AbortController();
  /** What is there of each kind, by name, to see what has gone. */
  readonly #known = new Map<ResourcePath, Map<string, KubeObject>>();
  /** Kinds whose connection is lost. */
  readonly #lost = new Set<ResourcePath>();

  private constructor(store: KubeStore, warn: (text: string) => void) {
    this.#store = store;
    this.#warn = warn;
  }

  /**
   * Resolves when all there is is known; kinds that the server does not have are none. Throws PolicyUsageError if it does not tell, and
   * KubeconfigError. What goes wrong later is warned of, and tried again.
   */
  static async open(kubeconfig: string | undefined, warn: (text: string) => void): Promise<FollowedCluster> {
    const config = kubeConfigFor(kubeconfig === undefined ? {} : { kubeconfigPath: kubeconfig });
    const logger = pino({ level: 'silent' });
    const store = createKubeStore(config, { clock: systemClock, random: systemRandom, logger });
    const followed = new FollowedCluster(store, warn);
    try {
      await Promise.all(POLICY_RESOURCES.map((resource) => followed.#start(resource)));
    } catch (error) {
      followed[Symbol.dispose]();
      throw error;
    }
    return followed;
  }

  [Symbol.dispose](): void {
    this.#end.abort();
    this.#store.close();
  }

  /** Resolves at the first list, or if the server has no such kind. */
  async #start(resource: ResourcePath): Promise<void> {
    for (const place of placesOf(resource)) {
      const first = Promise.withResolvers<boolean>();
      void this.#follow(resource, place, first);
      if (await first.promise) return;
    }
  }

  /** `first` is told true when objects came, and false if there is no such place. */
  async #follow(
    resource: ResourcePath,
    place: ResourcePath,
    first: PromiseWithResolvers<boolean>,
  ): Promise<void> {
    let isKnown = false;
    const absent = new AbortController();
    const name = `${this.#store.server}: ${place.plural}`;
    const fail = (error: Error) => {
      if (isKnown) this.#lose(resource, `${name}: ${error.message}`);
      else first.reject(new PolicyUsageError(`${name}: ${error.message}`, { cause: error }));
    };
    try {
      await this.#store.follow(
        place,
        { signal: AbortSignal.any([this.#end.signal, absent.signal]) },
        {
          sync: (objects) => {
            isKnown = true;
            this.#sync(resource, objects);
            first.resolve(true);
          },
          upsert: (object) => this.#upsert(resource, object),
          remove: (object) => this.#remove(resource, object),
          connection: (state, cause) => {
            if (state === 'up') this.#lost.delete(resource);
            else if (!isKnown && isNotFound(cause)) absent.abort();
            else if (cause !== undefined) fail(cause);
          },
        },
      );
      first.resolve(false);
    } catch (error) {
      if (!this.#end.signal.aborted) fail(error as Error);
    }
  }

  /** Told once, however many kinds it is about. */
  #lose(resource: ResourcePath, reason: string): void {
    if (this.#lost.size === 0) this.#warn(`names and policies may be old until it is back: ${reason}`);
    this.#lost.add(resource);
  }

  #sync(resource: ResourcePath, objects: readonly KubeObject[]): void {
    const gone = new Map(this.#known.get(resource));
    for (const object of objects) {
      gone.delete(nameOf(object));
      this.#upsert(resource, object);
    }
    for (const object of gone.values()) this.#remove(resource, object);
  }

  #upsert(resource: ResourcePath, object: KubeObject): void {
    const whole = { ...object, ...headOf(resource) };
    const known = this.#known.get(resource) ?? new Map<string, KubeObject>();
    this.#known.set(resource, known.set(nameOf(object), whole));
    this.cluster.upsert(whole);
  }

  #remove(resource: ResourcePath, object: KubeObject): void {
    this.#known.get(resource)?.delete(nameOf(object));
    this.cluster.remove({ ...object, ...headOf(resource) });
  }
}

/** Where a kind may be: Calico's are in a group of their own where its own API server is not there. */
function placesOf(resource: ResourcePath): readonly ResourcePath[] {
  return resource.group === 'projectcalico.org'
    ? [resource, { ...resource, group: 'crd.projectcalico.org', version: 'v1' }]
    : [resource];
}

/** Items of lists say neither. */
function headOf({ group, version, kind }: ResourcePath): Pick<KubeObject, 'apiVersion' | 'kind'> {
  return { apiVersion: group === '' ? version : `${group}/${version}`, kind };
}

function nameOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
