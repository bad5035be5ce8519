/**
 * What is known of the objects that policies are made of: in the engine, and on disk, so that an agent that starts without its API server
 * knows what the last one knew. Only what is something to policies counts as a change.
 */
import { hash } from 'node:crypto';
import type { Logger } from 'pino';
import { essenceOf, objectKey, type PolicyCluster, policyResourceOf } from '#core/policy/index.ts';
import type { KubeObject, ResourcePath } from '#core/store/index.ts';
import type { ObjectJournal } from '#io/object-journal/index.ts';

/** A list may be of ten thousand pods: a write for each takes as long as all the rest, and all in one takes memory. */
const KEPT_AT_ONCE = 200;

interface Known {
  readonly digest: string;
  readonly uid: string | undefined;
}

export class KnownObjects {
  readonly #cluster: PolicyCluster;
  readonly #journal: ObjectJournal;
  readonly #logger: Logger;
  readonly #known = new Map<string, Known>();
  /** Keys by `group plural`, to tell what a list has no more. */
  readonly #byResource = new Map<string, Set<string>>();
  #refusal: string | undefined;

  constructor(options: { cluster: PolicyCluster; journal: ObjectJournal; logger: Logger }) {
    this.#cluster = options.cluster;
    this.#journal = options.journal;
    this.#logger = options.logger;
  }

  /** Takes in what the disk has. False if nothing was ever known. */
  restore(): boolean {
    const { isThere, objects, problems } = this.#journal.load();
    for (const problem of problems) this.#logger.warn({ problem }, 'known policies not read from disk');
    for (const [key, object] of objects) {
      const resource = policyResourceOf(object);
      if (resource === undefined) continue;
      this.#note(key, object, JSON.stringify(object));
      this.#keysOf(resource).add(key);
      this.#cluster.upsert(object);
    }
    return isThere;
  }

  /** Why the disk does not take what is known; undefined if it does. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** The API's identity of a pod, which tells it from an earlier one of the same name. */
  uidOf(object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): string | undefined {
    return this.#known.get(objectKey(object))?.uid;
  }

  /** True if anything became another. */
  sync(resource: ResourcePath, objects: readonly KubeObject[]): boolean {
    const keys = this.#keysOf(resource);
    const there = new Set(objects.map(objectKey));
    let isChanged = false;
    for (const key of keys) if (!there.has(key) && this.#drop(key)) isChanged = true;
    for (let at = 0; at < objects.length; at += KEPT_AT_ONCE)
      if (this.#upsertAll(resource, objects.slice(at, at + KEPT_AT_ONCE))) isChanged = true;
    return isChanged;
  }

  upsert(resource: ResourcePath, object: KubeObject): boolean {
    return this.#upsertAll(resource, [object]);
  }

  remove(resource: ResourcePath, object: KubeObject): boolean {
    const key = objectKey(object);
    this.#keysOf(resource).delete(key);
    return this.#drop(key);
  }

  /** From now on an empty disk means that there is nothing. */
  settle(): void {
    this.#keep(() => this.#journal.begin());
  }

  #upsertAll(resource: ResourcePath, objects: readonly KubeObject[]): boolean {
    const keys = this.#keysOf(resource);
    const entries: [key: string, json: string][] = [];
    for (const object of objects) {
      const essence = essenceOf(object);
      const key = objectKey(essence);
      keys.add(key);
      const json = JSON.stringify(essence);
      if (!this.#note(key, essence, json)) continue;
      this.#cluster.upsert(essence);
      entries.push([key, json]);
    }
    if (entries.length > 0) this.#keep(() => this.#journal.put(entries));
    return entries.length > 0;
  }

  #drop(key: string): boolean {
    if (!this.#known.delete(key)) return false;
    for (const keys of this.#byResource.values()) keys.delete(key);
    this.#cluster.removeKey(key);
    this.#keep(() => this.#journal.remove(key));
    return true;
  }

  /** False if it is known to be like that. */
  #note(key: string, essence: KubeObject, json: string): boolean {
    const digest = hash('sha1', json, 'base64');
    if (this.#known.get(key)?.digest === digest) return false;
    this.#known.set(key, { digest, uid: essence.metadata.uid });
    return true;
  }

  #keep(write: () => void): void {
    try {
      write();
      this.#refusal = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (this.#refusal !== message) this.#logger.error({ err: error }, 'policies not kept on disk');
      this.#refusal = message;
    }
  }

  #keysOf({ group, plural }: ResourcePath): Set<string> {
    const name = `${group} ${plural}`;
    const found = this.#byResource.get(name);
    if (found !== undefined) return found;
    const keys = new Set<string>();
    this.#byResource.set(name, keys);
    return keys;
  }
}
