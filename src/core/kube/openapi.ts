/**
 * OpenAPI documents, as far as clients use them: kubectl explain reads the schemas, kubectl apply looks up which patch
 * formats a resource takes and whether the server checks fields (the fieldValidation parameter).
 */
import { isObject, type JsonObject } from './json.ts';
import { apiVersionOf, type ServedResource } from './resource/served-resource.ts';
import { BUILT_IN_TYPES } from './schema/library.ts';
import type { SchemaNode } from './schema/node.ts';

export const PATCH_TYPES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;

const INFO = { title: 'Poplin', version: 'v1' };

const patchTypesOf = (resource: ServedResource): string[] => [
  PATCH_TYPES.json,
  PATCH_TYPES.merge,
  ...(resource.builtIn ? [PATCH_TYPES.strategic] : []),
];

const gvkOf = ({ group, version, kind }: ServedResource): JsonObject => ({ group, version, kind });

const QUERY = (name: string): JsonObject => ({
  name,
  in: 'query',
  schema: { type: 'string', uniqueItems: true },
});

const WRITE_PARAMETERS = [QUERY('dryRun'), QUERY('fieldManager'), QUERY('fieldValidation')];
const LIST_PARAMETERS = [
  'continue',
  'fieldSelector',
  'labelSelector',
  'limit',
  'resourceVersion',
  'watch',
].map(QUERY);

const rootPath = (resource: ServedResource): string =>
  resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;

function operations(resource: ServedResource): Record<string, JsonObject> {
  const schema = { $ref: `#/components/schemas/${resource.openApiName}` };
  const json = { 'application/json': { schema } };
  const operation = (action: string, parameters: JsonObject[], extra: JsonObject = {}): JsonObject => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvkOf(resource),
    parameters,
    ...extra,
    responses: { '200': { description: 'OK', content: json } },
  });
  const patchContent = Object.fromEntries(
    patchTypesOf(resource).map((type) => [type, { schema: { type: 'object' } }]),
  );
  const base = `${rootPath(resource)}${resource.namespaced ? '/namespaces/{namespace}' : ''}/${resource.plural}`;
  const item = {
    get: operation('get', []),
    put: operation('put', WRITE_PARAMETERS, { requestBody: { content: json } }),
    patch: operation('patch', WRITE_PARAMETERS, { requestBody: { content: patchContent } }),
    delete: operation('delete', [QUERY('dryRun'), QUERY('propagationPolicy')]),
  };
  return {
    [base]: {
      get: operation('list', LIST_PARAMETERS),
      post: operation('post', WRITE_PARAMETERS, { requestBody: { content: json } }),
      delete: operation('deletecollection', LIST_PARAMETERS),
    },
    [`${base}/{name}`]: item,
    ...(resource.hasStatus && {
      [`${base}/{name}/status`]: { get: item.get, put: item.put, patch: item.patch },
    }),
  };
}

const META_FIELDS = (): Record<string, SchemaNode> => ({
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: BUILT_IN_TYPES.reference('ObjectMeta'),
});

function schemasOf(resource: ServedResource, into: Map<string, SchemaNode>): void {
  const mark = { 'x-kubernetes-group-version-kind': [gvkOf(resource)] };
  if (resource.builtIn) {
    BUILT_IN_TYPES.reachable(resource.kind, into);
    into.set(resource.openApiName, { ...resource.schema, ...mark });
    return;
  }
  BUILT_IN_TYPES.reachable('ObjectMeta', into);
  into.set(resource.openApiName, {
    ...resource.schema,
    properties: { ...resource.schema.properties, ...META_FIELDS() },
    ...mark,
  });
}

/** The OpenAPI v3 document of one group and version. */
export function openApiV3(resources: readonly ServedResource[]): JsonObject {
  const schemas = new Map<string, SchemaNode>();
  for (const resource of resources) schemasOf(resource, schemas);
  return {
    openapi: '3.0.0',
    info: INFO,
    paths: Object.assign({}, ...resources.map(operations)) as JsonObject,
    components: { schemas: Object.fromEntries(schemas) },
  };
}

/** The path segment under /openapi/v3 of a group and version: `api/v1`, `apis/apps/v1`. */
export const openApiPath = (resource: { readonly group: string; readonly version: string }): string =>
  resource.group === '' ? `api/${resource.version}` : `apis/${apiVersionOf(resource)}`;

function toV2(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toV2);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string'
        ? item.replace('#/components/schemas/', '#/definitions/')
        : toV2(item),
    ]),
  );
}

/** The OpenAPI v2 document of everything: definitions, and for each path its verbs. */
export function openApiV2(resources: readonly ServedResource[]): JsonObject {
  const schemas = new Map<string, SchemaNode>();
  for (const resource of resources) schemasOf(resource, schemas);
  const paths = resources.flatMap((resource) =>
    Object.entries(operations(resource)).map(([path, item]) => [
      path,
      Object.fromEntries(
        Object.entries(item).map(([verb, operation]) => [verb, v2Operation(operation, resource)]),
      ),
    ]),
  );
  return {
    swagger: '2.0',
    info: INFO,
    paths: Object.fromEntries(paths) as JsonObject,
    definitions: toV2(Object.fromEntries(schemas)),
  };
}

function v2Operation(operation: unknown, resource: ServedResource): JsonObject {
  if (!isObject(operation)) return {};
  const { parameters, requestBody } = operation;
  const content =
    isObject(requestBody) && isObject(requestBody['content']) ? requestBody['content'] : undefined;
  return {
    'x-kubernetes-action': operation['x-kubernetes-action'],
    'x-kubernetes-group-version-kind': operation['x-kubernetes-group-version-kind'],
    ...(content !== undefined && { consumes: Object.keys(content) }),
    produces: ['application/json'],
    parameters: (Array.isArray(parameters) ? parameters : [])
      .filter(isObject)
      .map(({ name, in: place }) => ({ name, in: place, type: 'string', uniqueItems: true })),
    responses: { '200': { description: 'OK', schema: { $ref: `#/definitions/${resource.openApiName}` } } },
  };
}
