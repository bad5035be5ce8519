/** Reading objects: all that is wrong at once with its place, and keys that nobody knows as warnings. */
import type { z } from 'zod';
import { suggestionText } from '#core/config/index.ts';

export interface Finding {
  /** Such as `BGPPeer tor spec.peerIP`. */
  readonly place: string;
  readonly message: string;
}

export interface Findings {
  /** The object, or the part of it, is not used. */
  readonly problems: Finding[];
  readonly warnings: Finding[];
}

/** The value as its schema has it; undefined, and problems, if it is not so. Keys that are unknown are told and left out. */
export function readValue<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  place: string,
  findings: Findings,
): z.output<Schema> | undefined {
  const copy: unknown = structuredClone(value ?? {});
  const first = schema.safeParse(copy);
  if (first.success) return first.data;
  let hasUnknown = false;
  for (const issue of first.error.issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    hasUnknown = true;
    const parent = at(copy, issue.path);
    for (const key of issue.keys) {
      findings.warnings.push({
        place: placeOf(place, [...issue.path, key]),
        message: 'unknown key, ignored',
      });
      if (typeof parent === 'object' && parent !== null) Reflect.deleteProperty(parent, key);
    }
  }
  const second = hasUnknown ? schema.safeParse(copy) : first;
  if (second.success) return second.data;
  for (const issue of second.error.issues)
    findings.problems.push({ place: placeOf(place, issue.path), message: uncapitalized(issue.message) });
  return undefined;
}

/** What to say of a name that is none of those there are. */
export function unknownName(name: string, known: Iterable<string>): string {
  return `no such filter: "${name}"${suggestionText(name, [...known])}`;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return found;
}

function placeOf(place: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`),
    place,
  );
}

function uncapitalized(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
