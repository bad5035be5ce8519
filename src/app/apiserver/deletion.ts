/**
 * Deletion and what follows from it, inside one unit of work: finalizers hold an object back; a namespace and a
 * CustomResourceDefinition take their contents with them and go when the last of it is gone.
 */
import {
  cloneJson,
  DEFINITIONS,
  type Deletion,
  equalJson,
  forbidden,
  inOrder,
  NAMESPACES,
  objectOr,
  prepareDelete,
  type ServedResource,
  type StoredObject,
  type UnitOfWork,
} from '#core/kube/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { keyNamespace, mayBeTerminating, parseObject, storedText } from './object-text.ts';
import type { ResourceRegistry } from './registry.ts';

const PROTECTED = ['default', 'kube-system'];
const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io';

export interface DeletedObject {
  readonly object: KubeObject;
  /** False while finalizers or contents hold the object back. */
  readonly gone: boolean;
}

export class ObjectRemover {
  readonly #registry: ResourceRegistry;

  constructor(registry: ResourceRegistry) {
    this.#registry = registry;
  }

  /** Deletes an object as far as its finalizers and contents allow. Throws StatusError. */
  delete(
    unit: UnitOfWork,
    resource: ServedResource,
    stored: StoredObject,
    deletion: Deletion,
    now: string,
  ): DeletedObject {
    const object = parseObject(stored.json, resource);
    const outcome = prepareDelete(resource, object, deletion, now);
    if (resource.storageKey === NAMESPACES.storageKey) return this.#deleteNamespace(unit, object, now);
    if (resource.storageKey === DEFINITIONS.storageKey) return this.#deleteDefinition(unit, object, now);
    if (outcome.kind === 'already-marked') return { object, gone: false };
    if (outcome.kind === 'mark') return { object: this.put(unit, resource, outcome.object), gone: false };
    this.remove(unit, resource, object, now);
    return { object, gone: true };
  }

  /** Writes an object and gives it back with its new version. */
  put(unit: UnitOfWork, resource: ServedResource, object: KubeObject): KubeObject {
    const { name, namespace } = object.metadata;
    const stored = unit.put(resource.storageKey, keyNamespace(resource, namespace), name, (version) =>
      storedText(object, resource, version),
    );
    return parseObject(stored.json, resource);
  }

  /** Removes an object now, and with it a namespace or definition that waited for it. */
  remove(unit: UnitOfWork, resource: ServedResource, object: KubeObject, now: string): void {
    const { name, namespace } = object.metadata;
    unit.remove(resource.storageKey, keyNamespace(resource, namespace), name, (version) =>
      storedText(object, resource, version),
    );
    if (resource.namespaced) this.#finishNamespace(unit, namespace ?? '', now);
    if (!resource.builtIn) this.#finishDefinition(unit, resource.storageKey, now);
  }

  /** Writes the mark of deletion, unless the object bears it already. */
  #marked(
    unit: UnitOfWork,
    resource: ServedResource,
    object: KubeObject,
    now: string,
    change: (marked: KubeObject) => void,
  ): KubeObject {
    const marked = cloneJson(object);
    marked.metadata.deletionTimestamp ??= now;
    change(marked);
    return equalJson(marked, object) ? object : this.put(unit, resource, inOrder(marked));
  }

  #deleteNamespace(unit: UnitOfWork, namespace: KubeObject, now: string): DeletedObject {
    const { name } = namespace.metadata;
    if (PROTECTED.includes(name)) throw forbidden(NAMESPACES, name, 'this namespace may not be deleted');
    const object = this.#marked(unit, NAMESPACES, namespace, now, (marked) => {
      marked['status'] = { ...objectOr(marked['status']), phase: 'Terminating' };
    });
    for (const key of unit.resourcesIn(name)) {
      const resource = this.#registry.byStorageKey(key);
      if (resource === undefined) continue;
      for (const stored of unit.list(key, { namespace: name })) this.delete(unit, resource, stored, {}, now);
    }
    return { object, gone: this.#finishNamespace(unit, name, now) };
  }

  /** Removes a terminating namespace that has become empty. */
  #finishNamespace(unit: UnitOfWork, name: string, now: string): boolean {
    const stored = unit.get(NAMESPACES.storageKey, '', name);
    if (stored === undefined) return true;
    if (!mayBeTerminating(stored) || unit.hasObjectsIn(name)) return false;
    const namespace = parseObject(stored.json, NAMESPACES);
    if (namespace.metadata.deletionTimestamp === undefined) return false;
    if ((namespace.metadata.finalizers ?? []).length > 0) return false;
    this.remove(unit, NAMESPACES, namespace, now);
    return true;
  }

  #deleteDefinition(unit: UnitOfWork, definition: KubeObject, now: string): DeletedObject {
    const object = this.#marked(unit, DEFINITIONS, definition, now, (marked) => {
      marked.metadata.finalizers = [...new Set([...(marked.metadata.finalizers ?? []), CLEANUP])];
    });
    const key = definition.metadata.name;
    const resource = this.#registry.byStorageKey(key);
    if (resource !== undefined) {
      for (const stored of unit.list(key)) this.delete(unit, resource, stored, {}, now);
    }
    return { object, gone: this.#finishDefinition(unit, key, now) };
  }

  /** Removes a terminating definition that has no objects left. */
  #finishDefinition(unit: UnitOfWork, name: string, now: string): boolean {
    const stored = unit.get(DEFINITIONS.storageKey, '', name);
    if (stored === undefined) return true;
    if (!mayBeTerminating(stored) || unit.list(name, { limit: 1 }).length > 0) return false;
    const definition = parseObject(stored.json, DEFINITIONS);
    if (definition.metadata.deletionTimestamp === undefined) return false;
    const others = (definition.metadata.finalizers ?? []).filter((finalizer) => finalizer !== CLEANUP);
    if (others.length > 0) return false;
    this.remove(unit, DEFINITIONS, definition, now);
    return true;
  }
}
