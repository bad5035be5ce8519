/**
 * Brings a value into the shape of its schema: unknown fields are dropped and reported, nulls of built-in types are
 * dropped, defaults of custom types are filled in. Constraints are validate.ts's business.
 */
import { cloneJson, isObject, type JsonObject } from '../json.ts';
import { childOf, type SchemaNode, type SchemaSource } from './node.ts';

export interface Shaped<T> {
  readonly value: T;
  /** Paths of the fields the schema does not know: `spec.containers[0].imgae`. */
  readonly unknown: readonly string[];
}

interface ShapeContext {
  readonly schemas: SchemaSource;
  /** Built-in types read null as absent; a custom type may be nullable and has no such rule. */
  readonly dropNulls: boolean;
  readonly unknown: string[];
}

const EMBEDDED = new Set(['apiVersion', 'kind', 'metadata']);

export const joinPath = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

function isOpen(node: SchemaNode): boolean {
  return (
    node['x-kubernetes-preserve-unknown-fields'] === true ||
    node.additionalProperties === true ||
    // a schema that says nothing about the kind of value, such as {} or an int-or-string, restricts nothing
    (node.type === undefined && node.properties === undefined && node.additionalProperties === undefined)
  );
}

function shapeField(key: string, value: unknown, node: SchemaNode, path: string, context: ShapeContext) {
  const child = childOf(node, key, context.schemas);
  if (child !== undefined) return shape(value, child, path, context);
  if (node['x-kubernetes-embedded-resource'] === true && EMBEDDED.has(key)) return cloneJson(value);
  if (isOpen(node)) return cloneJson(value);
  context.unknown.push(path);
  return undefined;
}

function shape(value: unknown, node: SchemaNode, path: string, context: ShapeContext): unknown {
  if (Array.isArray(value)) {
    const items = node.items && context.schemas.resolve(node.items);
    if (items === undefined) return cloneJson(value);
    return value.map((item, index) => shape(item, items, `${path}[${index}]`, context));
  }
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const key of Object.keys(value)) {
    if (value[key] === null && context.dropNulls && !isOpen(node)) continue;
    const shaped = shapeField(key, value[key], node, joinPath(path, key), context);
    if (shaped !== undefined) result[key] = shaped;
  }
  return result;
}

/** A copy of the value without the fields its schema does not declare. */
export function shapeValue(
  value: unknown,
  node: SchemaNode,
  schemas: SchemaSource,
  options: { readonly dropNulls: boolean; readonly path?: string },
): Shaped<unknown> {
  const unknown: string[] = [];
  const context = { schemas, dropNulls: options.dropNulls, unknown };
  return { value: shape(value, schemas.resolve(node), options.path ?? '', context), unknown };
}

/** A copy of the value with the schema's `default`s for absent fields, and for nulls that are not allowed. */
export function withDefaults(value: unknown, node: SchemaNode): unknown {
  if (Array.isArray(value)) {
    const items = node.items;
    return items === undefined ? value : value.map((item) => withDefaults(item, items));
  }
  if (!isObject(value)) return value;
  const result: JsonObject = { ...value };
  for (const [key, property] of Object.entries(node.properties ?? {})) {
    const isNull = result[key] === null && property.nullable !== true;
    if (property.default !== undefined && (result[key] === undefined || isNull)) {
      result[key] = cloneJson(property.default);
    }
    if (result[key] !== undefined) result[key] = withDefaults(result[key], property);
  }
  const additional = node.additionalProperties;
  if (typeof additional === 'object') {
    for (const key of Object.keys(result)) {
      if (!Object.hasOwn(node.properties ?? {}, key)) result[key] = withDefaults(result[key], additional);
    }
  }
  return result;
}
