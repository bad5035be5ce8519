/** Content negotiation: which form of answer an Accept header asks for, and which form a body has. */
import { notAcceptable, unsupportedMediaType } from './status.ts';

/** The forms an answer can take. */
export type AnswerForm = 'object' | 'table' | 'partial' | 'discovery';

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = rest.map((part): [string, string] => {
    const at = part.indexOf('=');
    return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
  });
  return { type: type.toLowerCase(), parameters: new Map(parameters) };
}

function formOf({ type, parameters }: MediaRange, forms: readonly AnswerForm[]): AnswerForm | undefined {
  if (!['application/json', 'application/*', '*/*'].includes(type)) return undefined;
  const wanted = parameters.get('as');
  if (wanted === undefined || wanted === '') return 'object';
  const isMeta = parameters.get('g') === 'meta.k8s.io' && parameters.get('v') === 'v1';
  const isList = wanted === 'PartialObjectMetadata' || wanted === 'PartialObjectMetadataList';
  let form: AnswerForm | undefined;
  if (isMeta && wanted === 'Table') form = 'table';
  else if (isMeta && isList) form = 'partial';
  else if (wanted === 'APIGroupDiscoveryList' && parameters.get('g') === 'apidiscovery.k8s.io') {
    form = parameters.get('v') === 'v2' ? 'discovery' : undefined;
  }
  return form !== undefined && forms.includes(form) ? form : undefined;
}

/** The first form the header names that the endpoint has. Throws 406. */
export function negotiate(accept: string | undefined, forms: readonly AnswerForm[]): AnswerForm {
  if (accept === undefined || accept.trim() === '') return 'object';
  for (const range of accept.split(',')) {
    const form = formOf(parseRange(range), forms);
    if (form !== undefined) return form;
  }
  throw notAcceptable('application/json');
}

export type BodyForm = 'json' | 'yaml' | 'protobuf';

/** The form of a written object's body. Throws 415. */
export function bodyFormOf(contentType: string | undefined): BodyForm {
  const type = parseRange(contentType ?? '').type;
  switch (type) {
    case '':
    case 'application/json':
    case '*/*':
      return 'json';
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/yaml':
      return 'yaml';
    case 'application/vnd.kubernetes.protobuf':
      return 'protobuf';
    default:
      throw unsupportedMediaType(
        `the body of the request was in an unknown format "${type}"; accepted media types: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
      );
  }
}

export type PatchForm = 'json' | 'merge' | 'strategic';

/** The patch format a Content-Type names. Throws 415 that says what to use instead. */
export function patchFormOf(contentType: string | undefined, allowsStrategic: boolean): PatchForm {
  const type = parseRange(contentType ?? '').type;
  const accepted = `application/json-patch+json, application/merge-patch+json${
    allowsStrategic ? ', application/strategic-merge-patch+json' : ''
  }`;
  switch (type) {
    case 'application/json-patch+json':
      return 'json';
    case 'application/merge-patch+json':
      return 'merge';
    case 'application/strategic-merge-patch+json':
      if (allowsStrategic) return 'strategic';
      throw unsupportedMediaType(
        `strategic merge patches exist for built-in resources only; use one of: ${accepted}`,
      );
    case 'application/apply-patch+yaml':
    case 'application/apply-patch+cbor':
      throw unsupportedMediaType(
        `server-side apply is not supported by this server; use kubectl apply --server-side=false, or one of: ${accepted}`,
      );
    default:
      throw unsupportedMediaType(`the patch format "${type}" is unknown; use one of: ${accepted}`);
  }
}
