/**
 * The body of a watch: JSON values, one a line, as a Kubernetes API server streams them.
 */
import { type KubeObject, StoreError, type WatchEvent } from '#core/store/index.ts';
import { excerpt, statusError } from './errors.ts';

/** The longest line accepted, in bytes: far above the largest object a server stores. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** Splits bytes at line feeds, whatever the chunks; a last line without line feed counts. Empty lines are skipped. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes = MAX_LINE_BYTES,
): AsyncGenerator<string> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const take = () => {
    const line = Buffer.concat(held).toString('utf8').trim();
    held = [];
    heldBytes = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      held.push(chunk.subarray(from, end));
      from = end + 1;
      const line = take();
      if (line !== '') yield line;
    }
    held.push(chunk.subarray(from));
    heldBytes += chunk.length - from;
    if (heldBytes > maxBytes) throw new RangeError(`a line of the watch is longer than ${maxBytes} bytes`);
  }
  const last = take();
  if (last !== '') yield last;
}

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
