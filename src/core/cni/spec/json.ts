/**
 * JSON as CNI uses it: comments and trailing commas are accepted, null means absent (as in Go, where most writers live),
 * and a value of the wrong shape is a CniError that lists every problem with its path.
 */
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import type { z } from 'zod';
import { CNI_ERROR, CniError } from './error.ts';

export type JsonObject = { readonly [key: string]: unknown };

/** True for an object that is no array and not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** More levels would be too many for whoever walks through the value. */
const MAX_LEVELS = 1000;

/** The value of a JSON text, comments allowed; throws CniError 6 that names what, line and column, or says that it is too deep. */
export function parseJson(text: string, what: string): unknown {
  if (text.length > MAX_LEVELS && levelsOf(text) > MAX_LEVELS) {
    const details = `it has more than ${MAX_LEVELS} levels of objects and lists`;
    throw new CniError(CNI_ERROR.decodingFailure, `cannot decode ${what}`, details);
  }
  try {
    return JSON.parse(text); // the usual case, and many times faster
  } catch {
    const errors: ParseError[] = [];
    const value: unknown = parse(text, errors, { allowTrailingComma: true });
    const first = errors[0];
    if (first === undefined) return value;
    const before = text.slice(0, first.offset).split('\n');
    const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    throw new CniError(
      CNI_ERROR.decodingFailure,
      `cannot decode ${what}`,
      `${printParseErrorCode(first.error)} at ${place}`,
    );
  }
}

/** The most brackets that are open at once, strings apart. */
function levelsOf(text: string): number {
  let open = 0;
  let most = 0;
  let isString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (isString && char === '\\') at++;
    else if (char === '"') isString = !isString;
    else if (!isString && (char === '[' || char === '{')) most = Math.max(most, ++open);
    else if (!isString && (char === ']' || char === '}')) open--;
  }
  return most;
}

/** Like parseJson, for a text that must be an object. */
export function parseJsonObject(text: string, what: string): JsonObject {
  const value = parseJson(text, what);
  if (isJsonObject(value)) return value;
  throw new CniError(CNI_ERROR.decodingFailure, `cannot decode ${what}`, 'it is not a JSON object');
}

/** A copy without the members that are null, at any depth. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls);
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutNulls(member)]));
}

/** What values have been decoded to, by the value and the schema: a configuration comes with each call, and is kept (app/cni). */
const decoded = new WeakMap<object, Map<z.ZodType, unknown>>();

/**
 * The value as the schema has it, nulls taken as absent; throws a CniError that lists all problems as `path: problem`. One value is decoded
 * to one and the same result, so neither may be changed.
 */
export function decodeWith<S extends z.ZodType>(
  schema: S,
  value: unknown,
  msg: string,
  code: number = CNI_ERROR.invalidNetworkConfig,
): z.output<S> {
  const known = isJsonObject(value) ? decoded.get(value)?.get(schema) : undefined;
  if (known !== undefined) return known as z.output<S>;
  const outcome = schema.safeParse(withoutNulls(value));
  if (outcome.success) {
    if (isJsonObject(value)) remember(value, schema, outcome.data);
    return outcome.data;
  }
  const problems = outcome.error.issues.map((issue) => {
    const path = pathText(issue.path);
    return path === '' ? issue.message : `${path}: ${issue.message}`;
  });
  throw new CniError(code, msg, problems.join('; '));
}

function remember(value: object, schema: z.ZodType, result: unknown): void {
  const results = decoded.get(value);
  if (results === undefined) decoded.set(value, new Map([[schema, result]]));
  else results.set(schema, result);
}

/** `['ipam', 'ranges', 0]` as `ipam.ranges[0]`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
