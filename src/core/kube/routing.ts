/** From a request's method and path to what it asks of which resource; query parameters become typed options. */
import { badRequest, methodNotAllowed, type ResourceName } from './status.ts';

/** The place a path names; nothing is looked up yet. */
export interface ResourceTarget {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** Reads `/api/v1/...` and `/apis/GROUP/VERSION/...`; undefined for a path that names no resource. */
export function parseResourcePath(path: string): ResourceTarget | undefined {
  const segments = path.split('/').slice(1);
  if (segments.at(-1) === '') segments.pop();
  if (segments.some((segment) => segment === '')) return undefined;
  const [root, ...after] = segments.map(decodeSegment);
  const [group, version, ...rest] = root === 'api' ? ['', ...after] : root === 'apis' ? after : [];
  if (group === undefined || version === undefined || rest.length === 0) return undefined;
  return parseRest(group, version, rest);
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest(`the path segment "${segment}" is not valid percent-encoding`);
  }
}

function parseRest(group: string, version: string, rest: readonly string[]): ResourceTarget | undefined {
  const [first, namespace, plural, name, subresource, ...more] = rest;
  if (more.length > 0) return undefined;
  // `namespaces/x` and `namespaces/x/status` are the namespace itself, `namespaces/x/pods` is inside it
  const isInside = first === 'namespaces' && plural !== undefined;
  if (isInside && !(group === '' && (plural === 'status' || plural === 'finalize'))) {
    return {
      group,
      version,
      plural,
      ...(namespace !== undefined && { namespace }),
      ...(name !== undefined && { name }),
      ...(subresource !== undefined && { subresource }),
    };
  }
  if (first === undefined || name !== undefined) return undefined;
  return {
    group,
    version,
    plural: first,
    ...(namespace !== undefined && { name: namespace }),
    ...(plural !== undefined && { subresource: plural }),
  };
}

/** The verb of a request; `watch=true` turns a list into a watch. Throws 405. */
export function verbOf(
  method: string,
  hasName: boolean,
  query: URLSearchParams,
  resource: ResourceName,
): Verb {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (isTrue(query.get('watch'))) return 'watch';
      return hasName ? 'get' : 'list';
    case 'POST':
      if (hasName) throw methodNotAllowed(resource, 'create');
      return 'create';
    case 'PUT':
      if (!hasName) throw methodNotAllowed(resource, 'update');
      return 'update';
    case 'PATCH':
      if (!hasName) throw methodNotAllowed(resource, 'patch');
      return 'patch';
    case 'DELETE':
      return hasName ? 'delete' : 'deletecollection';
    default:
      throw methodNotAllowed(resource, method.toLowerCase());
  }
}

/** Query flags as Kubernetes reads them: absent, `0`, `false` are false, anything else is true. */
export const isTrue = (text: string | null): boolean =>
  text !== null && text.toLowerCase() !== 'false' && text !== '0';

/** A query parameter that must be a whole number from 0 up; undefined when absent. */
export function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name}: "${text}" is not a whole number from 0 up`);
  return Number(text);
}

/** The dryRun parameter: only `All` exists. */
export function isDryRun(query: URLSearchParams): boolean {
  const values = query.getAll('dryRun').filter((value) => value !== '');
  const unknown = values.find((value) => value !== 'All');
  if (unknown !== undefined)
    throw badRequest(`dryRun: unsupported value "${unknown}": supported values: "All"`);
  return values.length > 0;
}

/** The fieldValidation parameter; Warn when absent. */
export function fieldValidationOf(query: URLSearchParams): 'Ignore' | 'Warn' | 'Strict' {
  const value = query.get('fieldValidation') ?? '';
  if (value === '') return 'Warn';
  if (value === 'Ignore' || value === 'Warn' || value === 'Strict') return value;
  throw badRequest(
    `fieldValidation: unsupported value "${value}": supported values: "Ignore", "Strict", "Warn"`,
  );
}
