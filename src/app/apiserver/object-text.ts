/**
 * Objects as the JSON texts they are stored as. A text always begins with apiVersion and kind, so that it can be served
 * in another version of its resource without being parsed.
 */
import { apiVersionOf, type ServedResource, type StoredObject } from '#core/kube/index.ts';
import type { KubeObject } from '#core/store/index.ts';

const BODY = ',"metadata":';

const headOf = (resource: ServedResource): string =>
  `{"apiVersion":${JSON.stringify(apiVersionOf(resource))},"kind":${JSON.stringify(resource.kind)}`;

/** The stored text as the text of this version of the resource. */
export function inVersion(text: string, resource: ServedResource): string {
  const head = headOf(resource);
  return text.startsWith(head) ? text : head + text.slice(text.indexOf(BODY));
}

/** The object behind a stored text, in this version of the resource. */
export const parseObject = (text: string, resource: ServedResource): KubeObject =>
  JSON.parse(inVersion(text, resource)) as KubeObject;

/** The text to store: the object in its storage version, with its resourceVersion. */
export function storedText(object: KubeObject, resource: ServedResource, version: number): string {
  const apiVersion = apiVersionOf({ group: resource.group, version: resource.storageVersion });
  const metadata = { ...object.metadata, resourceVersion: String(version) };
  return JSON.stringify({ ...object, apiVersion, kind: resource.kind, metadata });
}

/** The namespace part of an object's key; empty for cluster-wide resources. */
export const keyNamespace = (resource: ServedResource, namespace: string | undefined): string =>
  resource.namespaced ? (namespace ?? '') : '';

/** A cheap look into the text for a mark that only objects under deletion carry. */
export const mayBeTerminating = (stored: StoredObject): boolean =>
  stored.json.includes('"deletionTimestamp":');
