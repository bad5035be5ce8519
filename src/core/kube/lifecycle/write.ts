/**
 * What happens to an object on its way into the store: create, replace (of the object or of its status) and delete,
 * as pure functions of the request and the stored object. Versions and times are the caller's.
 */
import type { KubeObject, ObjectMeta } from '#core/store/index.ts';
import { invalidValue, required } from '../field-cause.ts';
import { cloneJson, equalJson, isObject, type JsonObject, objectOr, stringOr } from '../json.ts';
import { apiVersionOf, type ServedResource } from '../resource/served-resource.ts';
import { BUILT_IN_TYPES } from '../schema/library.ts';
import { shapeValue, withDefaults } from '../schema/shape.ts';
import { validate } from '../schema/validate.ts';
import { badRequest, conflict, invalid, MODIFIED, type StatusCause, type StatusError } from '../status.ts';
import { finalizerCauses, inOrder, keepSystemFields, metadataCauses } from './metadata.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface WriteContext {
  /** RFC 3339, whole seconds. */
  readonly now: string;
  readonly fieldValidation: FieldValidation;
  /** Filled with texts for Warning headers. */
  readonly warnings: string[];
}

const META_SCHEMA = BUILT_IN_TYPES.reference('ObjectMeta');

function checkIdentity(resource: ServedResource, body: JsonObject): void {
  const expected = apiVersionOf(resource);
  const { apiVersion, kind } = body;
  if (kind !== undefined && kind !== resource.kind) {
    throw badRequest(
      `the kind in the data (${String(kind)}) does not match the expected kind (${resource.kind})`,
    );
  }
  if (apiVersion !== undefined && apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected})`,
    );
  }
}

/** Drops what the schema does not know, and says so the way the request wants it said. */
export function shapeObject(resource: ServedResource, body: unknown, context: WriteContext): KubeObject {
  if (!isObject(body)) throw badRequest(`the body must be a ${resource.kind} object`);
  checkIdentity(resource, body);
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = body;
  if (metadata !== undefined && metadata !== null && !isObject(metadata)) {
    throw badRequest(`the metadata of a ${resource.kind} must be an object`);
  }
  const schemas = resource.builtIn ? resource.schemas : BUILT_IN_TYPES;
  const meta = shapeValue(metadata ?? {}, META_SCHEMA, schemas, { dropNulls: true, path: 'metadata' });
  const shaped = shapeValue(rest, resource.schema, resource.schemas, { dropNulls: resource.builtIn });
  report([...meta.unknown, ...shaped.unknown], context);
  const content = resource.builtIn ? shaped.value : withDefaults(shaped.value, resource.schema);
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: meta.value as ObjectMeta,
    ...objectOr(content),
  };
}

function report(unknown: readonly string[], context: WriteContext): void {
  if (unknown.length === 0 || context.fieldValidation === 'Ignore') return;
  const texts = unknown.map((path) => `unknown field "${path}"`);
  if (context.fieldValidation === 'Strict') {
    throw badRequest(`strict decoding error: ${texts.join(', ')}`);
  }
  context.warnings.push(...texts);
}

/** Checks the schema, lets the resource fill in its defaults, then checks its rules: rules may trust the shapes. */
function complete(resource: ServedResource, object: KubeObject, current?: KubeObject): void {
  const { metadata, apiVersion: _version, kind: _kind, ...rest } = object;
  const refuse = (causes: StatusCause[]) => {
    if (causes.length > 0) throw invalid(resource, metadata.name, causes);
  };
  refuse([
    ...validate(metadata, META_SCHEMA, 'metadata', BUILT_IN_TYPES),
    ...metadataCauses(resource, metadata),
    ...validate(
      { ...rest, ...(!resource.builtIn && embedded(object)) },
      resource.schema,
      '',
      resource.schemas,
    ),
  ]);
  resource.rules.fillIn?.(object);
  refuse([
    ...(resource.rules.check?.(object) ?? []),
    ...(current === undefined
      ? []
      : [
          ...finalizerCauses(metadata, current.metadata),
          ...(resource.rules.checkUpdate?.(object, current) ?? []),
        ]),
  ]);
}

/** A custom schema may ask for apiVersion, kind and metadata, and may restrict metadata.name. */
const embedded = ({ apiVersion, kind, metadata }: KubeObject): JsonObject => ({ apiVersion, kind, metadata });

export interface Creation {
  /** The namespace of the request path. */
  readonly namespace?: string;
  readonly uid: string;
  /** Five random letters for generateName. */
  readonly suffix: string;
}

function nameOf(resource: ServedResource, metadata: ObjectMeta, suffix: string): string {
  const name = stringOr(metadata.name);
  if (name !== '') return name;
  const prefix = stringOr(metadata['generateName']);
  if (prefix === '') {
    throw invalid(resource, '', [required('metadata.name', 'name or generateName is required')]);
  }
  return prefix.slice(0, 63 - suffix.length) + suffix;
}

function namespaceOf(resource: ServedResource, metadata: ObjectMeta, namespace: string | undefined): void {
  const given = stringOr(metadata.namespace);
  if (!resource.namespaced) {
    if (given !== '') throw badRequest('namespace is not allowed on this type');
  } else if (given !== '' && given !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}

/** The object a create stores, without its resourceVersion. Throws StatusError. */
export function prepareCreate(
  resource: ServedResource,
  body: unknown,
  creation: Creation,
  context: WriteContext,
): KubeObject {
  const object = shapeObject(resource, body, context);
  const { metadata } = object;
  if (stringOr(metadata.resourceVersion) !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  namespaceOf(resource, metadata, creation.namespace);
  if (resource.hasStatus && !resource.keepsStatusOnCreate) delete object['status'];
  const {
    deletionTimestamp: _time,
    deletionGracePeriodSeconds: _grace,
    generation: _generation,
    ...kept
  } = metadata;
  object.metadata = {
    ...kept,
    name: nameOf(resource, metadata, creation.suffix),
    ...(resource.namespaced && { namespace: creation.namespace ?? '' }),
    uid: creation.uid,
    resourceVersion: '',
    creationTimestamp: context.now,
    ...(resource.hasGeneration && { generation: 1 }),
  };
  const ordered = inOrder(object);
  complete(resource, ordered);
  return ordered;
}

export interface Update {
  readonly subresource?: 'status';
  /** A patch was computed from the stored object, so it needs no resourceVersion of its own. */
  readonly fromPatch: boolean;
}

function checkPreconditions(
  resource: ServedResource,
  given: ObjectMeta,
  current: KubeObject,
  update: Update,
) {
  const { name, namespace, uid, resourceVersion } = current.metadata;
  const refuseName = (what: string, got: unknown, expected: unknown) =>
    badRequest(
      `the ${what} of the object (${String(got)}) does not match the ${what} on the URL (${String(expected)})`,
    );
  if (stringOr(given.name, name) !== name) throw refuseName('name', given.name, name);
  if (stringOr(given.namespace) !== '' && given.namespace !== namespace) {
    throw refuseName('namespace', given.namespace, namespace ?? '');
  }
  if (stringOr(given.uid) !== '' && given.uid !== uid) {
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${String(given.uid)}, UID in object meta: ${String(uid)}`,
    );
  }
  const version = stringOr(given.resourceVersion);
  if (version === '' || version === '0') {
    if (resource.allowsBlindUpdate || update.fromPatch) return;
    throw invalid(resource, name, [
      invalidValue('metadata.resourceVersion', version, 'must be specified for an update'),
    ]);
  }
  if (version !== resourceVersion) throw conflict(resource, name, MODIFIED);
}

/** Puts together what the writer may change with what it may not. */
function combine(
  resource: ServedResource,
  object: KubeObject,
  current: KubeObject,
  update: Update,
): KubeObject {
  if (update.subresource === undefined) {
    const { status: _status, ...main } = object;
    if (!resource.hasStatus) return object;
    return {
      ...main,
      ...(current['status'] !== undefined && { status: cloneJson(current['status']) }),
    };
  }
  const kept = cloneJson(current);
  if (object['status'] === undefined) delete kept['status'];
  else kept['status'] = object['status'];
  kept.apiVersion = object.apiVersion;
  // agents annotate nodes through the status subresource; custom resources take the status alone
  if (resource.builtIn) kept.metadata = object.metadata;
  return kept;
}

/** What a generation counts the changes of: all but metadata, and status where it is a subresource. */
const contentOf = (resource: ServedResource, object: KubeObject): JsonObject => {
  const { metadata: _metadata, status, apiVersion: _version, kind: _kind, ...rest } = object;
  return resource.hasStatus ? rest : { ...rest, status };
};

/** The object a replace stores, without a new resourceVersion; the stored object itself when nothing changes. */
export function prepareUpdate(
  resource: ServedResource,
  body: unknown,
  current: KubeObject,
  update: Update,
  context: WriteContext,
): KubeObject {
  const object = shapeObject(resource, body, context);
  checkPreconditions(resource, object.metadata, current, update);
  const combined = combine(resource, object, current, update);
  combined.metadata = keepSystemFields(combined.metadata, current.metadata);
  if (resource.hasGeneration) {
    const generation = current.metadata.generation ?? 1;
    combined.metadata.generation = generation;
  }
  const ordered = inOrder(combined);
  complete(resource, ordered, current);
  if (resource.hasGeneration && !equalJson(contentOf(resource, ordered), contentOf(resource, current))) {
    ordered.metadata.generation = (current.metadata.generation ?? 1) + 1;
  }
  return equalJson({ ...ordered, apiVersion: current.apiVersion }, current) ? current : ordered;
}

export interface Deletion {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export type DeleteOutcome =
  | { readonly kind: 'remove' }
  | { readonly kind: 'mark'; readonly object: KubeObject }
  | { readonly kind: 'already-marked' };

/** Whether a delete removes the object, marks it for its finalizers, or finds it marked. Throws StatusError. */
export function prepareDelete(
  resource: ServedResource,
  current: KubeObject,
  deletion: Deletion,
  now: string,
): DeleteOutcome {
  const { name, uid, resourceVersion, finalizers = [], deletionTimestamp } = current.metadata;
  if (deletion.uid !== undefined && deletion.uid !== uid) {
    throw preconditionFailed(resource, name, 'UID', deletion.uid, uid);
  }
  if (deletion.resourceVersion !== undefined && deletion.resourceVersion !== resourceVersion) {
    throw preconditionFailed(resource, name, 'ResourceVersion', deletion.resourceVersion, resourceVersion);
  }
  if (finalizers.length === 0) return { kind: 'remove' };
  if (deletionTimestamp !== undefined) return { kind: 'already-marked' };
  const object = cloneJson(current);
  object.metadata.deletionTimestamp = now;
  object.metadata['deletionGracePeriodSeconds'] = 0;
  if (resource.hasGeneration) object.metadata.generation = (object.metadata.generation ?? 1) + 1;
  return { kind: 'mark', object: inOrder(object) };
}

const preconditionFailed = (
  resource: ServedResource,
  name: string,
  what: string,
  wanted: string,
  found: string | undefined,
): StatusError =>
  conflict(
    resource,
    name,
    `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${found ?? ''}`,
  );
