/**
 * A schema in OpenAPI v3 words, as CRDs write it (structural schemas) and as our built-in types compile to. Only the
 * words the server acts on are typed; others pass through to /openapi/v3 untouched.
 */

export interface SchemaNode {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly additionalProperties?: SchemaNode | boolean;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly nullable?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly SchemaNode[];
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly not?: SchemaNode;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-group-version-kind'?: readonly unknown[];
}

/** Follows references between named schemas. */
export interface SchemaSource {
  /** The node itself, or the schema its $ref names. */
  resolve(node: SchemaNode): SchemaNode;
}

/** A source for schemas without references, such as a CRD's. */
export const NO_REFERENCES: SchemaSource = { resolve: (node) => node };

/** The schema of a field of an object: a declared property or the additionalProperties schema. */
export function childOf(
  node: SchemaNode | undefined,
  key: string,
  schemas: SchemaSource,
): SchemaNode | undefined {
  if (node === undefined) return undefined;
  const properties = node.properties;
  if (properties !== undefined && Object.hasOwn(properties, key)) {
    const property = properties[key];
    return property && schemas.resolve(property);
  }
  const additional = node.additionalProperties;
  return typeof additional === 'object' ? schemas.resolve(additional) : undefined;
}
