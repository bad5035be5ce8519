/** An API server that has everything in memory and answers at once, so that what is measured is the agent's own time. */
import type {
  Follower,
  KubeObject,
  ListOptions,
  ObjectList,
  ObjectStore,
  ResourcePath,
} from '#core/store/index.ts';
import { StoreError } from '#core/store/index.ts';

type Read = Pick<ObjectStore, 'get' | 'list' | 'follow'>;

export class ListStore implements Read {
  readonly #objects: readonly KubeObject[];
  readonly #followers = new Map<string, Follower>();

  constructor(objects: readonly KubeObject[]) {
    this.#objects = objects;
  }

  /** As the parts of the agent want it that only read. */
  get store(): ObjectStore {
    return this as unknown as ObjectStore;
  }

  change(object: KubeObject): void {
    this.#followers.get(object.kind)?.upsert(object);
  }

  async get<T extends KubeObject>({ kind }: ResourcePath, name: string): Promise<T> {
    const found = this.#objects.find((each) => each.kind === kind && each.metadata.name === name);
    if (found === undefined) throw new StoreError(404, 'NotFound', `no ${kind} ${name}`);
    return found as T;
  }

  async list<T extends KubeObject>(resource: ResourcePath): Promise<ObjectList<T>> {
    if (resource.group.includes('calico') || resource.group.startsWith('policy.'))
      throw new StoreError(404, 'NotFound', 'no such kind');
    return { items: [], resourceVersion: '1' };
  }

  async follow<T extends KubeObject>(
    { kind }: ResourcePath,
    { signal }: ListOptions & { signal: AbortSignal },
    follower: Follower<T>,
  ): Promise<void> {
    this.#followers.set(kind, follower);
    follower.sync(this.#objects.filter((each) => each.kind === kind) as T[]);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}
