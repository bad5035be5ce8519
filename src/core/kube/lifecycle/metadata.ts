/** The metadata of objects: what a writer may set, what the server sets, and the order it is written in. */
import type { KubeObject, ObjectMeta } from '#core/store/index.ts';
import { forbiddenField, invalidValue, required } from '../field-cause.ts';
import { arrayOr, isObject, objectOr } from '../json.ts';
import { annotationCauses, labelCauses, labelKeyProblem, subdomainProblem } from '../names.ts';
import type { ServedResource } from '../resource/served-resource.ts';
import type { StatusCause } from '../status.ts';

/** Keys the server writes first, in this order; the rest follows as it came. */
const ORDER = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
];

const DROPPED = new Set(['managedFields', 'selfLink']);

/** The object with apiVersion, kind and metadata first: the text form relies on it, and people read it so. */
export function inOrder(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata, ...rest } = object;
  const ordered: Record<string, unknown> = {};
  for (const key of ORDER) if (metadata[key] !== undefined) ordered[key] = metadata[key];
  for (const key of Object.keys(metadata)) {
    if (!(key in ordered) && !DROPPED.has(key) && !isEmptyCollection(metadata[key]))
      ordered[key] = metadata[key];
  }
  return { apiVersion, kind, metadata: ordered as unknown as ObjectMeta, ...rest };
}

const isEmptyCollection = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0);

function ownerCauses(metadata: ObjectMeta): StatusCause[] {
  const owners = arrayOr(metadata['ownerReferences']).filter(isObject);
  const causes = owners.flatMap((owner, index) =>
    ['apiVersion', 'kind', 'name', 'uid']
      .filter((field) => (owner[field] ?? '') === '')
      .map((field) => required(`metadata.ownerReferences[${index}].${field}`, 'must not be empty')),
  );
  if (owners.filter((owner) => owner['controller'] === true).length > 1) {
    causes.push(
      invalidValue(
        'metadata.ownerReferences',
        owners.length,
        'only one reference can have controller set to true',
      ),
    );
  }
  return causes;
}

/** Complaints about names, labels, annotations, finalizers and owners. */
export function metadataCauses(resource: ServedResource, metadata: ObjectMeta): StatusCause[] {
  const nameProblem = (resource.rules.nameProblem ?? subdomainProblem)(metadata.name);
  const finalizers = arrayOr(metadata.finalizers).flatMap((finalizer, index) => {
    const problem = typeof finalizer === 'string' ? labelKeyProblem(finalizer) : 'must be text';
    return problem === undefined ? [] : [invalidValue(`metadata.finalizers[${index}]`, finalizer, problem)];
  });
  return [
    ...(nameProblem === undefined ? [] : [invalidValue('metadata.name', metadata.name, nameProblem)]),
    ...labelCauses('metadata.labels', metadata.labels),
    ...annotationCauses('metadata.annotations', metadata.annotations),
    ...finalizers,
    ...ownerCauses(metadata),
  ];
}

/** While an object is being deleted, finalizers may only go. */
export function finalizerCauses(metadata: ObjectMeta, current: ObjectMeta): StatusCause[] {
  if (current.deletionTimestamp === undefined) return [];
  const known = current.finalizers ?? [];
  const added = (metadata.finalizers ?? []).filter((finalizer) => !known.includes(finalizer));
  return added.length === 0
    ? []
    : [
        forbiddenField(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
        ),
      ];
}

/** The writer's metadata with the facts that only the server may set taken from the stored object. */
export function keepSystemFields(metadata: ObjectMeta, current: ObjectMeta): ObjectMeta {
  const kept: Record<string, unknown> = { ...objectOr(metadata) };
  for (const key of ['name', 'generateName', 'namespace', 'uid', 'generation', 'creationTimestamp']) {
    if (current[key] === undefined) delete kept[key];
    else kept[key] = current[key];
  }
  for (const key of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'resourceVersion']) {
    if (current[key] === undefined) delete kept[key];
    else kept[key] = current[key];
  }
  return kept as unknown as ObjectMeta;
}
