/**
 * Of an object, what its translation reads: enough to know the same of it after a restart without the API, and to tell whether a change
 * of it is one to policies. Pods and nodes change all the time in things that are nothing to them.
 */
import type { KubeObject, ObjectMeta } from '#core/store/index.ts';

/** Written by tools, long, and nothing to policies. */
const NOISE: ReadonlySet<string> = new Set([
  'managedFields',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'ownerReferences',
  'finalizers',
]);
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Objects never change. Of what people write each is asked for twice: for what it means, and for what is wrong with it. */
const written = new WeakMap<KubeObject, KubeObject>();

/** Another object; the one given is not changed. */
export function essenceOf(object: KubeObject): KubeObject {
  switch (object.apiVersion === 'v1' ? object.kind : '') {
    case 'Pod':
      return podEssence(object);
    case 'Node':
      return { ...named(object), status: picked(object['status'], ['addresses']) };
    case 'Namespace':
    case 'ServiceAccount':
      return named(object);
    default:
      return writtenEssence(object);
  }
}

function podEssence(object: KubeObject): KubeObject {
  const spec = fieldsOf(object['spec']);
  return {
    ...named(object),
    spec: {
      ...picked(spec, ['nodeName', 'hostNetwork', 'serviceAccountName']),
      containers: containers(spec['containers']),
      initContainers: containers(spec['initContainers']),
    },
    status: picked(object['status'], ['phase', 'podIP', 'podIPs']),
  };
}

/** Those that have ports: names of ports are all that is asked of them. */
function containers(list: unknown): unknown {
  if (!Array.isArray(list)) return list;
  return list
    .map((each) => picked(each, ['restartPolicy', 'ports']))
    .filter(({ ports }) => ports !== undefined && !(Array.isArray(ports) && ports.length === 0));
}

function writtenEssence(object: KubeObject): KubeObject {
  let essence = written.get(object);
  if (essence === undefined) written.set(object, (essence = withoutNoise(object)));
  return essence;
}

function withoutNoise(object: KubeObject): KubeObject {
  const { status: _, metadata, ...rest } = object;
  const kept = Object.entries(metadata).filter(([key]) => !NOISE.has(key));
  const { annotations, ...others } = Object.fromEntries(kept) as ObjectMeta;
  const told = Object.entries(annotations ?? {}).filter(([key]) => key !== LAST_APPLIED);
  return {
    ...rest,
    metadata: { ...others, ...(told.length > 0 && { annotations: Object.fromEntries(told) }) },
  };
}

function named({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, labels } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(labels !== undefined && { labels }),
    },
  };
}

function picked(value: unknown, keys: readonly string[]): Record<string, unknown> {
  const fields = fieldsOf(value);
  return Object.fromEntries(keys.flatMap((key) => (fields[key] === undefined ? [] : [[key, fields[key]]])));
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
