/** What a list, watch or deletecollection asks for: namespace, selectors, paging and versions, read from the query. */
import {
  badRequest,
  type ContinueToken,
  decodeContinue,
  type FieldSelector,
  isTrue,
  type LabelSelector,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  SelectorError,
  type ServedResource,
  wholeNumber,
} from '#core/kube/index.ts';
import type { KubeObject } from '#core/store/index.ts';

export interface Selection {
  readonly namespace?: string;
  readonly labels: LabelSelector;
  readonly fields: FieldSelector;
}

/** Whether every object of the namespace is selected, so that none needs to be looked into. */
export const selectsAll = (selection: Selection): boolean =>
  selection.labels.length === 0 && selection.fields.length === 0;

/** Whether the object has the labels and fields asked for; the namespace is the caller's to check. */
export const selects = (selection: Selection, object: KubeObject): boolean =>
  matchesLabels(selection.labels, object.metadata.labels) && matchesFields(selection.fields, object);

/** Reads namespace and selectors. Throws 400. */
export function selectionOf(
  resource: ServedResource,
  target: { readonly namespace?: string; readonly name?: string },
  query: URLSearchParams,
): Selection {
  try {
    const fields = parseFieldSelector(query.get('fieldSelector') ?? '', resource.selectableFields);
    return {
      ...(resource.namespaced && target.namespace !== undefined && { namespace: target.namespace }),
      labels: parseLabelSelector(query.get('labelSelector') ?? ''),
      fields:
        target.name === undefined
          ? fields
          : [...fields, { field: 'metadata.name', operator: '=', value: target.name }],
    };
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(error.message);
    throw error;
  }
}

/** The one name a selection can match, when it asks for one. */
export const selectedName = (selection: Selection): string | undefined =>
  selection.fields.find(({ field, operator }) => field === 'metadata.name' && operator === '=')?.value;

export interface Paging {
  readonly limit?: number;
  readonly from?: ContinueToken;
  /** A version the answer must show exactly. */
  readonly exactly?: number;
  /** A version the answer must not be older than. */
  readonly notBefore?: number;
}

/** Reads limit, continue, resourceVersion and resourceVersionMatch. Throws 400. */
export function pagingOf(query: URLSearchParams): Paging {
  const limit = wholeNumber(query, 'limit');
  const token = query.get('continue') ?? '';
  const version = wholeNumber(query, 'resourceVersion');
  const match = query.get('resourceVersionMatch') ?? '';
  if (match !== '' && match !== 'Exact' && match !== 'NotOlderThan') {
    throw badRequest(
      `resourceVersionMatch: unsupported value "${match}": supported values: "Exact", "NotOlderThan"`,
    );
  }
  if (match !== '' && version === undefined) {
    throw badRequest('resourceVersionMatch is forbidden unless resourceVersion is provided');
  }
  if (match === 'Exact' && version === 0) {
    throw badRequest('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"');
  }
  if (token !== '' && version !== undefined && version !== 0) {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  return {
    ...(limit !== undefined && limit > 0 && { limit }),
    ...(token !== '' && { from: decodeContinue(token) }),
    ...(match === 'Exact' && version !== undefined && { exactly: version }),
    ...(match !== 'Exact' && version !== undefined && version > 0 && { notBefore: version }),
  };
}

export interface WatchRequest extends Selection {
  /** Changes after this version; absent: from the present, with the present objects first unless `initial` is false. */
  readonly after?: number;
  readonly initial: boolean;
  /** A bookmark tells when the initial objects are complete. */
  readonly markInitial: boolean;
  readonly bookmarks: boolean;
  readonly timeoutSec?: number;
}

/** Reads the parameters of a watch. Throws 400. */
export function watchRequestOf(
  resource: ServedResource,
  target: { readonly namespace?: string; readonly name?: string },
  query: URLSearchParams,
): WatchRequest {
  const version = wholeNumber(query, 'resourceVersion') ?? 0;
  const timeoutSec = wholeNumber(query, 'timeoutSeconds');
  const sendInitial = query.get('sendInitialEvents');
  const bookmarks = isTrue(query.get('allowWatchBookmarks'));
  if (sendInitial !== null && query.get('resourceVersionMatch') !== 'NotOlderThan') {
    throw badRequest('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  const asked = isTrue(sendInitial);
  // without sendInitialEvents, no version (or 0) means "the present state first", any other means changes only
  const initial = sendInitial === null ? version === 0 : asked;
  return {
    ...selectionOf(resource, target, query),
    ...(!initial && version > 0 && { after: version }),
    initial,
    markInitial: asked && bookmarks,
    bookmarks,
    ...(timeoutSec !== undefined && timeoutSec > 0 && { timeoutSec }),
  };
}
