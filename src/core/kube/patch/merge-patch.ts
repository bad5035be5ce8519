/** JSON Merge Patch, RFC 7386: objects merge, null deletes, everything else replaces. */
import { cloneJson, equalJson, isObject, type JsonObject } from '../json.ts';

/** The document with the patch merged in; neither argument is changed. */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return cloneJson(patch);
  const result: JsonObject = isObject(document) ? { ...document } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applyMergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value);
  }
  return result;
}

/**
 * The merge patch that turns one document into another. A null inside the new document cannot be said by a merge
 * patch and is lost, as the RFC warns.
 */
export function diffMergePatch(from: unknown, to: unknown): unknown {
  if (!isObject(from) || !isObject(to)) return cloneJson(to);
  const patch: JsonObject = {};
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    if (!Object.hasOwn(from, key)) patch[key] = cloneJson(value);
    else if (!equalJson(from[key], value)) patch[key] = diffMergePatch(from[key], value);
  }
  return patch;
}
