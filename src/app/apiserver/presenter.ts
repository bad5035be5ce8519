/** Answers in the form the client asked for: objects and lists as they are, as Tables, or metadata only. */
import {
  type AnswerForm,
  apiVersionOf,
  badRequest,
  type IncludeObject,
  type JsonObject,
  partialObject,
  type ServedResource,
  tableOf,
} from '#core/kube/index.ts';
import { inVersion, parseObject } from './object-text.ts';

export interface Presentation {
  readonly form: AnswerForm;
  readonly include: IncludeObject;
}

/** The includeObject parameter of Table answers. Throws 400. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? '';
  if (value === '' || value === 'Metadata') return 'Metadata';
  if (value === 'Object' || value === 'None') return value;
  throw badRequest(
    `includeObject: unsupported value "${value}": supported values: "Metadata", "Object", "None"`,
  );
}

/** A single object's text in the form asked for. */
export function presentObject(
  text: string,
  resource: ServedResource,
  { form, include }: Presentation,
  nowMs: number,
): string {
  if (form === 'object' || form === 'discovery') return inVersion(text, resource);
  const object = parseObject(text, resource);
  if (form === 'partial') return JSON.stringify(partialObject(object));
  const metadata = { resourceVersion: object.metadata.resourceVersion };
  return JSON.stringify(tableOf([object], resource.columns, nowMs, include, metadata));
}

/** A list's text in the form asked for; `metadata` is the list's own. */
export function presentList(
  texts: readonly string[],
  resource: ServedResource,
  { form, include }: Presentation,
  nowMs: number,
  metadata: JsonObject,
): string {
  if (form === 'table') {
    const objects = texts.map((text) => parseObject(text, resource));
    return JSON.stringify(tableOf(objects, resource.columns, nowMs, include, metadata));
  }
  if (form === 'partial') {
    const items = texts.map((text) => partialObject(parseObject(text, resource)));
    return JSON.stringify({
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
      items,
    });
  }
  // texts are joined as they are stored: nothing is parsed
  const head = JSON.stringify({ kind: resource.listKind, apiVersion: apiVersionOf(resource), metadata });
  return `${head.slice(0, -1)},"items":[${texts.map((text) => inVersion(text, resource)).join(',')}]}`;
}
