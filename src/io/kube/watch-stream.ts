/**
 * The body of a watch: JSON values, one a line, as a Kubernetes API server streams them.
 */
import { type KubeObject, StoreError, type WatchEvent } from '#core/store/index.ts';
import { excerpt } from '#io/http/index.ts';
import { statusError } from './errors.ts';

/** One line as an event; undefined for types this client does not know. ERROR events throw their StoreError. */
export function parseWatchEvent<T extends KubeObject>(line: string, what: string): WatchEvent<T> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new StoreError(502, 'Unknown', `${what}: a line of the watch is not JSON: ${excerpt(line)}`, {
      cause,
    });
  }
  if (!isEvent(value))
    throw new StoreError(502, 'Unknown', `${what}: a line of the watch is no event: ${excerpt(line)}`);
  switch (value.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: value.type, object: value.object as T };
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: (value.object as T).metadata.resourceVersion ?? '' };
    case 'ERROR':
      throw statusError(value.object, 500, what);
    default:
      return undefined;
  }
}

function isEvent(value: unknown): value is { type: string; object: object } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    typeof value.type === 'string' &&
    'object' in value &&
    typeof value.object === 'object' &&
    value.object !== null
  );
}
