/**
 * Resource paths of the Kubernetes API: `/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME/SUBRESOURCE?query`.
 */
import type { ListOptions, ResourcePath } from '#core/store/index.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The path of a collection: in one namespace, or (namespace absent) in all of them. */
export function collectionPath(resource: ResourcePath, namespace?: string): string {
  const root = resource.group === '' ? '/api' : `/apis/${encodeURIComponent(resource.group)}`;
  const scope =
    resource.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}/${resource.version}${scope}/${resource.plural}`;
}

/** The path of one object; throws a TypeError where a namespaced resource comes without namespace, or the name is none. */
export function objectPath(
  resource: ResourcePath,
  name: string,
  namespace: string | undefined,
  subresource?: string,
): string {
  // A URL would take these for steps of its path, escaped or not.
  if (name === '.' || name === '..') throw new TypeError(`${resource.plural}: "${name}" is no name`);
  const base = `${collectionPath(resource, needNamespace(resource, name, namespace))}/${encodeURIComponent(name)}`;
  return subresource === undefined ? base : `${base}/${subresource}`;
}

/** The namespace as given; throws a TypeError if it is absent and the resource needs one, or the name is empty. */
export function needNamespace(
  resource: ResourcePath,
  name: string,
  namespace: string | undefined,
): string | undefined {
  if (name === '') throw new TypeError(`${resource.plural}: the object has no name`);
  if (resource.namespaced && (namespace === undefined || namespace === ''))
    throw new TypeError(`${resource.plural} "${name}": no namespace given, and the resource is namespaced`);
  return namespace;
}

/** `?a=1&b=2` of the values that are there, or nothing. */
export function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== undefined) parameters.set(key, String(value));
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/** The query parameters of list options. */
export function selectorQuery(options: ListOptions): Query {
  return { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
}
