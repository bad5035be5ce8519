/** The text of a journal of objects: a head, then `{"key":…,"object":…}` for what is there and `{"key":…}` for what is gone. */
import type { KubeObject } from '#core/store/index.ts';

export interface JournalLine {
  readonly line: string;
  readonly object: KubeObject;
}

/** What counts, by key; undefined if it does not begin with the head. What is behind the last line end was broken off, and does not count. */
export function readLines(
  text: string,
  head: string,
): { readonly lines: Map<string, JournalLine> | undefined; readonly wrong: readonly string[] } {
  const [first, ...rest] = text.split('\n').slice(0, -1);
  if (first !== head) return { lines: undefined, wrong: ['it does not begin as one'] };
  const lines = new Map<string, JournalLine>();
  const wrong: string[] = [];
  for (const [at, line] of rest.entries()) {
    const entry = parsed(line);
    if (entry === undefined) wrong.push(`line ${at + 2}: no entry`);
    else if (entry.object === undefined) lines.delete(entry.key);
    else lines.set(entry.key, { line, object: entry.object });
  }
  return { lines, wrong };
}

function parsed(line: string): { readonly key: string; readonly object?: KubeObject } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { key, object } = (value ?? {}) as { readonly key?: unknown; readonly object?: unknown };
  if (typeof key !== 'string') return undefined;
  if (object === undefined) return { key };
  return isObject(object) ? { key, object } : undefined;
}

function isObject(value: unknown): value is KubeObject {
  const { apiVersion, kind, metadata } = (value ?? {}) as Partial<Record<keyof KubeObject, unknown>>;
  return (
    typeof apiVersion === 'string' &&
    typeof kind === 'string' &&
    typeof (metadata as { readonly name?: unknown } | null | undefined)?.name === 'string'
  );
}
