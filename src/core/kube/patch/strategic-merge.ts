/**
 * Strategic merge patch: a merge patch in which lists merge by key where the schema says so
 * (x-kubernetes-patch-strategy, x-kubernetes-patch-merge-key), with the directives $patch, $retainKeys,
 * $deleteFromPrimitiveList/FIELD and $setElementOrder/FIELD.
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 */
import { arrayOr, cloneJson, equalJson, isObject, type JsonObject } from '../json.ts';
import { childOf, type SchemaNode, type SchemaSource } from '../schema/node.ts';
import { PatchError } from './patch-error.ts';

const DIRECTIVE = '$patch';
const RETAIN = '$retainKeys';
const DELETE_PREFIX = '$deleteFromPrimitiveList/';
const ORDER_PREFIX = '$setElementOrder/';

interface Place {
  readonly node: SchemaNode | undefined;
  readonly schemas: SchemaSource;
  readonly path: string;
}

const within = (place: Place, key: string): Place => ({
  node: childOf(place.node, key, place.schemas),
  schemas: place.schemas,
  path: place.path === '' ? key : `${place.path}.${key}`,
});

const itemOf = (place: Place, index: number): Place => ({
  node: place.node?.items === undefined ? undefined : place.schemas.resolve(place.node.items),
  schemas: place.schemas,
  path: `${place.path}[${index}]`,
});

const malformed = (path: string, why: string): PatchError =>
  new PatchError('malformed', `${path === '' ? 'patch' : path}: ${why}`);

/** Removes directives and nulls from a part of the patch that has nothing to merge with. */
function withoutDirectives(value: unknown, place: Place): unknown {
  if (isObject(value)) return mergeObject({}, value, place);
  if (!Array.isArray(value)) return value;
  return value
    .filter((item) => !(isObject(item) && Object.hasOwn(item, DIRECTIVE)))
    .map((item, index) => withoutDirectives(item, itemOf(place, index)));
}

function sameElement(a: unknown, b: unknown, mergeKey: string | undefined): boolean {
  if (mergeKey === undefined) return equalJson(a, b);
  return isObject(a) && isObject(b) && a[mergeKey] !== undefined && equalJson(a[mergeKey], b[mergeKey]);
}

/** Puts the elements the patch knows into its order; elements only the server has keep their place before what they preceded. */
function reorder(
  merged: readonly unknown[],
  order: readonly unknown[],
  before: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const indexIn = (list: readonly unknown[], item: unknown) =>
    list.findIndex((other) => sameElement(item, other, mergeKey));
  const ranked = merged.filter((item) => indexIn(order, item) >= 0);
  ranked.sort((a, b) => indexIn(order, a) - indexIn(order, b));
  const others = merged.filter((item) => indexIn(order, item) < 0);
  const result: unknown[] = [];
  for (const item of ranked) {
    const place = indexIn(before, item);
    while (others.length > 0 && place >= 0) {
      const otherPlace = indexIn(before, others[0]);
      if (otherPlace < 0 || otherPlace >= place) break;
      result.push(others.shift());
    }
    result.push(item);
  }
  return [...result, ...others];
}

function mergeKeyedList(
  original: readonly unknown[],
  patch: readonly unknown[],
  mergeKey: string,
  place: Place,
): unknown[] {
  const items = patch.map((item, index) => {
    if (!isObject(item)) throw malformed(`${place.path}[${index}]`, 'expected an object');
    return item;
  });
  // a `$patch: replace` element makes the rest of the patch the whole list
  if (items.some((item) => item[DIRECTIVE] === 'replace')) {
    return items
      .filter((item) => item[DIRECTIVE] !== 'replace')
      .map((item, index) => withoutDirectives(item, itemOf(place, index)));
  }
  let result = [...original];
  for (const [index, item] of items.entries()) {
    const itemPlace = itemOf(place, index);
    if (item[mergeKey] === undefined) {
      throw malformed(itemPlace.path, `the element does not contain the merge key "${mergeKey}"`);
    }
    if (item[DIRECTIVE] === 'delete') {
      result = result.filter((existing) => !sameElement(existing, item, mergeKey));
      continue;
    }
    const at = result.findIndex((existing) => sameElement(existing, item, mergeKey));
    const existing = at < 0 ? undefined : result[at];
    const merged = mergeObject(isObject(existing) ? existing : {}, item, itemPlace);
    if (at < 0) result.push(merged);
    else result[at] = merged;
  }
  return result;
}

function mergePrimitives(original: readonly unknown[], patch: readonly unknown[]): unknown[] {
  const added = patch.filter((item) => !original.some((existing) => equalJson(existing, item)));
  return [...original, ...added];
}

interface ListStrategy {
  readonly merges: boolean;
  readonly mergeKey: string | undefined;
}

const strategyOf = (node: SchemaNode | undefined): ListStrategy => ({
  merges: (node?.['x-kubernetes-patch-strategy'] ?? '').split(',').includes('merge'),
  mergeKey: node?.['x-kubernetes-patch-merge-key'],
});

function mergeList(original: readonly unknown[], patch: readonly unknown[], place: Place): unknown[] {
  const { merges, mergeKey } = strategyOf(place.node);
  if (!merges) return cloneJson([...patch]);
  if (mergeKey === undefined) return mergePrimitives(original, patch);
  return mergeKeyedList(original, patch, mergeKey, place);
}

function mergeField(existing: unknown, value: unknown, place: Place): unknown {
  if (isObject(value)) {
    const replaces = place.node?.['x-kubernetes-patch-strategy'] === 'replace';
    return mergeObject(isObject(existing) && !replaces ? existing : {}, value, place);
  }
  if (Array.isArray(value)) return mergeList(arrayOr(existing), value, place);
  return value;
}

function listDirective(patch: JsonObject, key: string, path: string): readonly unknown[] {
  const value = patch[key];
  if (!Array.isArray(value)) throw malformed(path, `${key} must be a list`);
  return value;
}

/** $deleteFromPrimitiveList first, then the fields, then $setElementOrder: the order in which the directives are defined. */
function mergeObject(original: JsonObject, patch: JsonObject, place: Place): JsonObject {
  const directive = patch[DIRECTIVE];
  if (directive === 'replace') {
    const { [DIRECTIVE]: _, ...rest } = patch;
    return cloneJson(rest);
  }
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') {
    throw malformed(place.path, `$patch must be replace, delete or merge, not ${JSON.stringify(directive)}`);
  }
  const result: JsonObject = { ...original };
  if (Object.hasOwn(patch, RETAIN)) {
    const retained = listDirective(patch, RETAIN, place.path);
    for (const key of Object.keys(result)) if (!retained.includes(key)) delete result[key];
  }
  for (const key of Object.keys(patch).filter((name) => name.startsWith(DELETE_PREFIX))) {
    const field = key.slice(DELETE_PREFIX.length);
    const removed = listDirective(patch, key, place.path);
    if (!Array.isArray(result[field])) continue;
    result[field] = arrayOr(result[field]).filter((item) => !removed.some((gone) => equalJson(gone, item)));
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key === DIRECTIVE || key === RETAIN) continue;
    if (key.startsWith(DELETE_PREFIX) || key.startsWith(ORDER_PREFIX)) continue;
    if (value === null) delete result[key];
    else result[key] = mergeField(result[key], value, within(place, key));
  }
  for (const key of Object.keys(patch).filter((name) => name.startsWith(ORDER_PREFIX))) {
    const field = key.slice(ORDER_PREFIX.length);
    const order = listDirective(patch, key, place.path);
    if (!Array.isArray(result[field])) continue;
    const { mergeKey } = strategyOf(within(place, field).node);
    result[field] = reorder(arrayOr(result[field]), order, arrayOr(original[field]), mergeKey);
  }
  return result;
}

/** The object with the strategic patch merged in by the schema's list keys. Throws PatchError. */
export function applyStrategicMergePatch(
  original: JsonObject,
  patch: unknown,
  schema: SchemaNode | undefined,
  schemas: SchemaSource,
): JsonObject {
  if (!isObject(patch)) throw new PatchError('malformed', 'a strategic merge patch must be an object');
  return mergeObject(original, patch, { node: schema, schemas, path: '' });
}
