/**
 * The writing verbs. Each runs as one unit of work: it reads the stored object, decides with the pure rules of core,
 * and writes, with nothing in between.
 */
import {
  alreadyExists,
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  DEFINITIONS,
  type Deletion,
  definitionWarnings,
  forbidden,
  invalid,
  isObject,
  methodNotAllowed,
  NAMESPACES,
  notFound,
  type PatchForm,
  parseJsonPatch,
  prepareCreate,
  prepareUpdate,
  type ServedResource,
  type StoredObject,
  type UnitOfWork,
  type VersionedStore,
  type WriteContext,
} from '#core/kube/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { nameSuffix, newUid } from './clock.ts';
import { type DeletedObject, ObjectRemover } from './deletion.ts';
import { keyNamespace, mayBeTerminating, parseObject } from './object-text.ts';
import type { ResourceRegistry } from './registry.ts';
import { type Selection, selects } from './selection.ts';

/** Which object a write is about. */
export interface WriteTarget {
  readonly resource: ServedResource;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: 'status';
}

export interface WriteOptions extends WriteContext {
  readonly dryRun: boolean;
}

export interface Patch {
  readonly form: PatchForm;
  readonly body: unknown;
}

const NAME_TRIES = 8;
const EXPIRY_BATCH = 1_000;

export class ObjectWriter {
  readonly #store: VersionedStore;
  readonly #registry: ResourceRegistry;
  readonly #remover: ObjectRemover;

  constructor(store: VersionedStore, registry: ResourceRegistry) {
    this.#store = store;
    this.#registry = registry;
    this.#remover = new ObjectRemover(registry);
  }

  create(target: WriteTarget, body: unknown, options: WriteOptions): Promise<KubeObject> {
    const { resource, namespace } = target;
    return this.#store.submit((unit) => {
      const create = () =>
        prepareCreate(
          resource,
          body,
          { ...(namespace !== undefined && { namespace }), uid: newUid(), suffix: nameSuffix() },
          options,
        );
      let object = create();
      const isTaken = () =>
        unit.get(resource.storageKey, keyNamespace(resource, namespace), object.metadata.name) !== undefined;
      for (let tries = 1; isTaken(); tries++) {
        const isGenerated = isObject(body) && isObject(body['metadata']) && !body['metadata']['name'];
        if (!isGenerated || tries === NAME_TRIES) throw alreadyExists(resource, object.metadata.name);
        object = create();
      }
      this.#admit(unit, resource, object, options);
      return options.dryRun ? object : this.#remover.put(unit, resource, object);
    });
  }

  update(target: WriteTarget, body: unknown, options: WriteOptions): Promise<KubeObject> {
    return this.#store.submit((unit) => this.#replace(unit, target, () => body, false, options));
  }

  patch(target: WriteTarget, patch: Patch, options: WriteOptions): Promise<KubeObject> {
    return this.#store.submit((unit) =>
      this.#replace(unit, target, (current) => patched(target.resource, current, patch), true, options),
    );
  }

  delete(target: WriteTarget, deletion: Deletion, options: WriteOptions): Promise<DeletedObject> {
    return this.#store.submit((unit) => {
      const stored = this.#stored(unit, target);
      return this.#delete(unit, target.resource, stored, deletion, options);
    });
  }

  /** Deletes every selected object and gives back their last states. */
  deleteCollection(
    resource: ServedResource,
    selection: Selection,
    limit: number | undefined,
    options: WriteOptions,
  ): Promise<KubeObject[]> {
    return this.#store.submit((unit) => {
      const { namespace } = selection;
      return unit
        .list(resource.storageKey, namespace === undefined ? {} : { namespace })
        .filter((stored) => selects(selection, parseObject(stored.json, resource)))
        .slice(0, limit)
        .map((stored) => this.#delete(unit, resource, stored, {}, options).object);
    });
  }

  /** Goes on with deletions that another process was stopped in. */
  resumeDeletions(now: string): Promise<void> {
    return this.#store.submit((unit) => {
      for (const resource of [NAMESPACES, DEFINITIONS]) {
        for (const stored of unit.list(resource.storageKey).filter(mayBeTerminating)) {
          if (parseObject(stored.json, resource).metadata.deletionTimestamp === undefined) continue;
          this.#remover.delete(unit, resource, stored, {}, now);
        }
      }
    });
  }

  /** Deletes what a predicate finds expired, a bounded number at a time; gives back how many there were. */
  expire(resource: ServedResource, isExpired: (object: KubeObject) => boolean, now: string): Promise<number> {
    return this.#store.submit((unit) => {
      const expired = unit
        .list(resource.storageKey)
        .filter(({ json }) => isExpired(parseObject(json, resource)))
        .slice(0, EXPIRY_BATCH);
      for (const stored of expired) this.#remover.delete(unit, resource, stored, {}, now);
      return expired.length;
    });
  }

  #delete(
    unit: UnitOfWork,
    resource: ServedResource,
    stored: StoredObject,
    deletion: Deletion,
    options: WriteOptions,
  ): DeletedObject {
    if (!options.dryRun) return this.#remover.delete(unit, resource, stored, deletion, options.now);
    const object = parseObject(stored.json, resource);
    return { object, gone: (object.metadata.finalizers ?? []).length === 0 };
  }

  #stored(unit: UnitOfWork, { resource, namespace, name = '' }: WriteTarget): StoredObject {
    const stored = unit.get(resource.storageKey, keyNamespace(resource, namespace), name);
    if (stored === undefined) throw notFound(resource, name);
    return stored;
  }

  #replace(
    unit: UnitOfWork,
    target: WriteTarget,
    bodyFrom: (current: KubeObject) => unknown,
    fromPatch: boolean,
    options: WriteOptions,
  ): KubeObject {
    const { resource, subresource } = target;
    const current = parseObject(this.#stored(unit, target).json, resource);
    const update = { fromPatch, ...(subresource !== undefined && { subresource }) };
    const object = prepareUpdate(resource, bodyFrom(current), current, update, options);
    this.#warn(resource, object, options);
    if (object === current || options.dryRun) return object;
    const isReleased =
      object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length === 0;
    const isContainer =
      resource.storageKey === NAMESPACES.storageKey || resource.storageKey === DEFINITIONS.storageKey;
    if (!isReleased) return this.#remover.put(unit, resource, object);
    if (isContainer) {
      // its contents may still hold it back: write it, and let the deletion look at it again
      this.#remover.put(unit, resource, object);
      return this.#remover.delete(unit, resource, this.#stored(unit, target), {}, options.now).object;
    }
    this.#remover.remove(unit, resource, object, options.now);
    return object;
  }

  #warn(resource: ServedResource, object: KubeObject, options: WriteOptions): void {
    if (resource.storageKey === DEFINITIONS.storageKey) options.warnings.push(...definitionWarnings(object));
  }

  /** Whether a new object may come to where it wants to live. Throws 403, 404, 405 and 422. */
  #admit(unit: UnitOfWork, resource: ServedResource, object: KubeObject, options: WriteOptions): void {
    const { name, namespace = '' } = object.metadata;
    if (resource.namespaced) this.#admitToNamespace(unit, resource, name, namespace);
    if (!resource.builtIn) {
      const definition = unit.get(DEFINITIONS.storageKey, '', resource.storageKey);
      if (definition === undefined) throw notFound(resource, name);
      const { metadata } = parseObject(definition.json, DEFINITIONS);
      if (metadata.deletionTimestamp !== undefined) throw methodNotAllowed(resource, 'create');
    }
    if (resource.storageKey !== DEFINITIONS.storageKey) return;
    this.#warn(resource, object, options);
    const collision = this.#registry.collision(object);
    if (collision === undefined) return;
    throw invalid(resource, name, [
      { reason: 'FieldValueInvalid', message: `Invalid value: ${collision}`, field: 'spec.names' },
    ]);
  }

  #admitToNamespace(unit: UnitOfWork, resource: ServedResource, name: string, namespace: string): void {
    const stored = unit.get(NAMESPACES.storageKey, '', namespace);
    if (stored === undefined) throw notFound(NAMESPACES, namespace);
    if (!mayBeTerminating(stored)) return;
    if (parseObject(stored.json, NAMESPACES).metadata.deletionTimestamp === undefined) return;
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    throw forbidden(resource, name, why, [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ]);
  }
}

function patched(resource: ServedResource, current: KubeObject, { form, body }: Patch): unknown {
  switch (form) {
    case 'json':
      return applyJsonPatch(current, parseJsonPatch(body));
    case 'merge':
      return applyMergePatch(current, body);
    case 'strategic':
      return applyStrategicMergePatch(current, body, resource.schema, resource.schemas);
    default:
      return form satisfies never;
  }
}
