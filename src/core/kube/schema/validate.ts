/**
 * Checks a value against a schema and names every field that breaks it. Covers the words structural schemas use for
 * values; x-kubernetes-validations (CEL) rules are not evaluated.
 */
import { duplicate, invalidValue, notSupported, required, wrongType } from '../field-cause.ts';
import { equalJson, isObject, type JsonObject, typeOfJson } from '../json.ts';
import type { StatusCause } from '../status.ts';
import { formatProblem } from './format.ts';
import { childOf, type SchemaNode, type SchemaSource } from './node.ts';
import { joinPath } from './shape.ts';

const patterns = new WeakMap<SchemaNode, RegExp | null>();

/** The compiled pattern of a node, or null when it is no regular expression we can run. */
export function patternOf(node: SchemaNode): RegExp | null {
  let pattern = patterns.get(node);
  if (pattern === undefined) {
    try {
      pattern = new RegExp(node.pattern ?? '');
    } catch {
      pattern = null;
    }
    patterns.set(node, pattern);
  }
  return pattern;
}

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    default:
      return typeof value === type;
  }
}

const inBody = (path: string, what: string): string => `${path} in body ${what}`;

function numberCauses(value: number, node: SchemaNode, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const fail = (what: string) => causes.push(invalidValue(path, value, inBody(path, what)));
  if (node.minimum !== undefined) {
    if (node.exclusiveMinimum === true && value <= node.minimum)
      fail(`should be greater than ${node.minimum}`);
    else if (value < node.minimum) fail(`should be greater than or equal to ${node.minimum}`);
  }
  if (node.maximum !== undefined) {
    if (node.exclusiveMaximum === true && value >= node.maximum) fail(`should be less than ${node.maximum}`);
    else if (value > node.maximum) fail(`should be less than or equal to ${node.maximum}`);
  }
  if (node.multipleOf !== undefined && value % node.multipleOf !== 0) {
    fail(`should be a multiple of ${node.multipleOf}`);
  }
  return causes;
}

function stringCauses(value: string, node: SchemaNode, path: string): StatusCause[] {
  const causes: StatusCause[] = [];
  const fail = (what: string) => causes.push(invalidValue(path, value, inBody(path, what)));
  const length = node.minLength === undefined && node.maxLength === undefined ? 0 : Array.from(value).length;
  if (node.minLength !== undefined && length < node.minLength) {
    fail(`should be at least ${node.minLength} chars long`);
  }
  if (node.maxLength !== undefined && length > node.maxLength)
    fail(`should be at most ${node.maxLength} chars long`);
  if (node.pattern !== undefined && patternOf(node)?.test(value) === false)
    fail(`should match '${node.pattern}'`);
  const problem = node.format === undefined ? undefined : formatProblem(node.format, value);
  if (problem !== undefined) fail(problem);
  return causes;
}

function listTypeCauses(value: readonly unknown[], node: SchemaNode, path: string): StatusCause[] {
  const keys = node['x-kubernetes-list-map-keys'] ?? [];
  const isMap = node['x-kubernetes-list-type'] === 'map';
  if (!isMap && node['x-kubernetes-list-type'] !== 'set' && node.uniqueItems !== true) return [];
  const seen = new Set<string>();
  return value.flatMap((item, index) => {
    const identity = isMap && isObject(item) ? Object.fromEntries(keys.map((key) => [key, item[key]])) : item;
    const text = JSON.stringify(identity);
    if (seen.has(text)) return [duplicate(`${path}[${index}]`, identity)];
    seen.add(text);
    return [];
  });
}

function arrayCauses(
  value: readonly unknown[],
  node: SchemaNode,
  path: string,
  schemas: SchemaSource,
): StatusCause[] {
  const causes = listTypeCauses(value, node, path);
  if (node.minItems !== undefined && value.length < node.minItems) {
    causes.push(
      invalidValue(path, value.length, inBody(path, `should have at least ${node.minItems} items`)),
    );
  }
  if (node.maxItems !== undefined && value.length > node.maxItems) {
    causes.push(invalidValue(path, value.length, inBody(path, `should have at most ${node.maxItems} items`)));
  }
  const items = node.items;
  if (items === undefined) return causes;
  return [...causes, ...value.flatMap((item, index) => validate(item, items, `${path}[${index}]`, schemas))];
}

function objectCauses(
  value: JsonObject,
  node: SchemaNode,
  path: string,
  schemas: SchemaSource,
): StatusCause[] {
  const keys = Object.keys(value);
  const causes = (node.required ?? [])
    .filter((key) => value[key] === undefined)
    .map((key) => required(joinPath(path, key)));
  if (node.minProperties !== undefined && keys.length < node.minProperties) {
    causes.push(
      invalidValue(path, keys.length, inBody(path, `should have at least ${node.minProperties} properties`)),
    );
  }
  if (node.maxProperties !== undefined && keys.length > node.maxProperties) {
    causes.push(
      invalidValue(path, keys.length, inBody(path, `should have at most ${node.maxProperties} properties`)),
    );
  }
  for (const key of keys) {
    const child = childOf(node, key, schemas);
    if (child !== undefined) causes.push(...validate(value[key], child, joinPath(path, key), schemas));
  }
  return causes;
}

function combinationCauses(
  value: unknown,
  node: SchemaNode,
  path: string,
  schemas: SchemaSource,
): StatusCause[] {
  const holds = (part: SchemaNode) => validate(value, part, path, schemas).length === 0;
  const causes = (node.allOf ?? []).flatMap((part) => validate(value, part, path, schemas));
  const fail = (what: string) => causes.push(invalidValue(path, value, inBody(path, what)));
  if (node.anyOf !== undefined && !node.anyOf.some(holds)) fail('must validate at least one schema (anyOf)');
  if (node.oneOf !== undefined && node.oneOf.filter(holds).length !== 1) {
    fail('must validate one and only one schema (oneOf)');
  }
  if (node.not !== undefined && holds(node.not)) fail('must not validate the schema (not)');
  return causes;
}

function typeCause(value: unknown, node: SchemaNode, path: string): StatusCause | undefined {
  if (node['x-kubernetes-int-or-string'] === true) {
    const isQuantity = node.format === 'quantity' && typeof value === 'number';
    if (isQuantity || Number.isInteger(value) || typeof value === 'string') return undefined;
    return wrongType(path, value, inBody(path, `must be of type integer or string: "${typeOfJson(value)}"`));
  }
  if (node.type === undefined || hasType(value, node.type)) return undefined;
  return wrongType(path, value, inBody(path, `must be of type ${node.type}: "${typeOfJson(value)}"`));
}

/** Every complaint about the value, in document order; empty when it is valid. */
export function validate(
  value: unknown,
  reference: SchemaNode,
  path: string,
  schemas: SchemaSource,
): StatusCause[] {
  const node = schemas.resolve(reference);
  if (value === null && node.nullable === true) return [];
  const wrong = typeCause(value, node, path);
  if (wrong !== undefined) return [wrong];
  if (node.enum !== undefined && !node.enum.some((allowed) => equalJson(allowed, value))) {
    return [
      notSupported(
        path,
        value,
        node.enum.filter((allowed) => allowed !== ''),
      ),
    ];
  }
  const combined = combinationCauses(value, node, path, schemas);
  if (typeof value === 'number') return [...combined, ...numberCauses(value, node, path)];
  if (typeof value === 'string') return [...combined, ...stringCauses(value, node, path)];
  if (Array.isArray(value)) return [...combined, ...arrayCauses(value, node, path, schemas)];
  if (isObject(value)) return [...combined, ...objectCauses(value, node, path, schemas)];
  return combined;
}
