/** The resources being served: the built-in ones, and those of the CustomResourceDefinitions in the store. */
import { createHash } from 'node:crypto';
import {
  BUILT_IN_RESOURCES,
  customResources,
  groupResources,
  noSuchPath,
  openApiPath,
  openApiV3,
  type ResourceTarget,
  type ServedGroup,
  type ServedResource,
  storedResource,
} from '#core/kube/index.ts';
import type { KubeObject } from '#core/store/index.ts';

interface OpenApiDocument {
  readonly text: string;
  readonly hash: string;
}

const keyOf = (group: string, version: string, plural: string): string => `${group}/${version}/${plural}`;

export class ResourceRegistry {
  readonly #custom = new Map<string, ServedResource[]>();
  /** By storage key, the version objects are stored in, whether it is served or not. */
  readonly #stored = new Map<string, ServedResource>();
  #byPath = new Map<string, ServedResource>();
  #groups: ServedGroup[] = [];
  #documents: Map<string, OpenApiDocument> | undefined;

  constructor() {
    for (const resource of BUILT_IN_RESOURCES) this.#stored.set(resource.storageKey, resource);
    this.#index();
  }

  get groups(): readonly ServedGroup[] {
    return this.#groups;
  }

  get resources(): Iterable<ServedResource> {
    return this.#byPath.values();
  }

  /** The resource a path names. Throws 404. */
  find({ group, version, plural }: ResourceTarget): ServedResource {
    const resource = this.#byPath.get(keyOf(group, version, plural));
    if (resource === undefined) throw noSuchPath(`${plural}.${version}.${group}`.replace(/\.$/, ''));
    return resource;
  }

  /** The resource, in its storage version, of what is stored under a key. */
  byStorageKey(key: string): ServedResource | undefined {
    return this.#stored.get(key);
  }

  /** What a new definition's names collide with, as text; undefined when they are free. */
  collision(definition: KubeObject): string | undefined {
    const [candidate] = customResources(definition);
    if (candidate === undefined) return undefined;
    for (const resource of this.#byPath.values()) {
      const isOwn = resource.storageKey === candidate.storageKey && !resource.builtIn;
      if (isOwn || resource.group !== candidate.group) continue;
      if (resource.kind === candidate.kind)
        return `kind "${candidate.kind}" is taken by ${resource.storageKey}`;
      if (resource.plural === candidate.plural) return `plural "${candidate.plural}" is taken`;
    }
    return undefined;
  }

  /** Serves a definition's resources, in place of those it had before. */
  define(definition: KubeObject): void {
    const { name } = definition.metadata;
    this.#custom.set(name, customResources(definition));
    const stored = storedResource(definition);
    if (stored !== undefined) this.#stored.set(name, stored);
    this.#index();
  }

  undefine(name: string): void {
    this.#custom.delete(name);
    this.#stored.delete(name);
    this.#index();
  }

  /** The OpenAPI v3 document under a path such as `api/v1`; its hash changes with its content. */
  openApi(path: string): OpenApiDocument | undefined {
    return this.#openApiDocuments().get(path);
  }

  openApiPaths(): ReadonlyMap<string, OpenApiDocument> {
    return this.#openApiDocuments();
  }

  #openApiDocuments(): Map<string, OpenApiDocument> {
    this.#documents ??= new Map(
      this.#groups.flatMap((group) =>
        group.versions.map(({ version, resources }): [string, OpenApiDocument] => {
          const text = JSON.stringify(openApiV3(resources));
          const hash = createHash('sha256').update(text).digest('hex').toUpperCase();
          return [openApiPath({ group: group.name, version }), { text, hash }];
        }),
      ),
    );
    return this.#documents;
  }

  #index(): void {
    const all = [...BUILT_IN_RESOURCES, ...[...this.#custom.values()].flat()];
    this.#byPath = new Map();
    for (const resource of all) {
      const key = keyOf(resource.group, resource.version, resource.plural);
      if (!this.#byPath.has(key)) this.#byPath.set(key, resource);
    }
    this.#groups = groupResources(this.#byPath.values());
    this.#documents = undefined;
  }
}
