/** Requests about resources: from the parsed path to the verb's reader, writer or watch, and back to an answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  badRequest,
  bodyFormOf,
  type Deletion,
  deleted,
  fieldValidationOf,
  isDryRun,
  isObject,
  type JsonObject,
  methodNotAllowed,
  negotiate,
  noSuchPath,
  patchFormOf,
  type ResourceTarget,
  type ServedResource,
  type VersionedStore,
  verbOf,
  wholeNumber,
} from '#core/kube/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { timestamp } from './clock.ts';
import { type Answer, answerOf, decodeBody, readBody, warn } from './exchange.ts';
import { includeObjectOf, type Presentation, presentList, presentObject } from './presenter.ts';
import { ObjectReader, refuseFuture } from './reader.ts';
import type { ResourceRegistry } from './registry.ts';
import { pagingOf, selectionOf, watchRequestOf } from './selection.ts';
import type { WatchHub } from './watch-hub.ts';
import { type WatchLimits, WatchSession } from './watch-session.ts';
import { ObjectWriter, type WriteOptions, type WriteTarget } from './writer.ts';

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly resource: ServedResource;
  readonly target: ResourceTarget;
  /** Texts for Warning headers, filled as the request is served. */
  readonly warnings: string[];
}

const PROPAGATION = ['Background', 'Foreground', 'Orphan'];

export interface RouteParts {
  readonly store: VersionedStore;
  readonly registry: ResourceRegistry;
  readonly hub: WatchHub;
  readonly watchLimits: WatchLimits;
}

export class ResourceRoutes {
  readonly #parts: RouteParts;
  readonly #reader: ObjectReader;
  readonly #writer: ObjectWriter;

  constructor(parts: RouteParts) {
    this.#parts = parts;
    this.#reader = new ObjectReader(parts.store);
    this.#writer = new ObjectWriter(parts.store, parts.registry);
  }

  get writer(): ObjectWriter {
    return this.#writer;
  }

  /** Serves the request; undefined when it was a watch, which answers by itself. Throws StatusError. */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    target: ResourceTarget,
    query: URLSearchParams,
  ): Promise<Answer | undefined> {
    const resource = this.#parts.registry.find(target);
    const warnings = resource.deprecation === undefined ? [] : [resource.deprecation];
    const call = { request, response, query, resource, target, warnings };
    try {
      return await this.#serve(call);
    } finally {
      warn(response, warnings);
    }
  }

  async #serve(call: Call): Promise<Answer | undefined> {
    const { request, query, resource, target } = call;
    checkScope(call);
    const verb = verbOf(request.method ?? 'GET', target.name !== undefined, query, resource);
    const isPart = target.subresource !== undefined;
    if (isPart && !['get', 'update', 'patch'].includes(verb)) throw methodNotAllowed(resource, verb);
    switch (verb) {
      case 'get':
        return this.#get(call);
      case 'list':
        return this.#list(call);
      case 'watch':
        return this.#watch(call);
      case 'create':
        return this.#create(call);
      case 'update':
        return this.#update(call);
      case 'patch':
        return this.#patch(call);
      case 'delete':
        return this.#delete(call);
      case 'deletecollection':
        return this.#deleteCollection(call);
      default:
        return verb satisfies never;
    }
  }

  #get(call: Call): Answer {
    const { resource, target, query } = call;
    const presentation = presentationOf(call);
    refuseFuture(wholeNumber(query, 'resourceVersion'), this.#parts.store);
    const text = this.#reader.get(resource, target.namespace, target.name ?? '');
    return { code: 200, body: presentObject(text, resource, presentation, Date.now()) };
  }

  #list(call: Call): Answer {
    const { resource, target, query } = call;
    const presentation = presentationOf(call);
    const page = this.#reader.list(resource, selectionOf(resource, target, query), pagingOf(query));
    const body = presentList(page.texts, resource, presentation, Date.now(), page.metadata);
    return { code: 200, body };
  }

  async #watch(call: Call): Promise<undefined> {
    const { response, resource, target, query } = call;
    const { store, hub, watchLimits } = this.#parts;
    const request = watchRequestOf(resource, target, query);
    const presentation = presentationOf(call);
    response.statusCode = 200;
    warn(response, call.warnings);
    response.setHeader('content-type', 'application/json');
    response.setHeader('cache-control', 'no-cache, private');
    // without Content-Length, HTTP/1.1 sends chunks; each event is one line
    await new WatchSession({
      store,
      hub,
      resource,
      request,
      presentation,
      response,
      limits: watchLimits,
    }).run();
    return undefined;
  }

  async #create(call: Call): Promise<Answer> {
    const options = writeOptions(call);
    const presentation = presentationOf(call);
    const body = await decodedBody(call);
    const object = await this.#writer.create(writeTarget(call), body, options);
    return written(call, object, presentation, 201);
  }

  async #update(call: Call): Promise<Answer> {
    const options = writeOptions(call);
    const presentation = presentationOf(call);
    const body = await decodedBody(call);
    const object = await this.#writer.update(writeTarget(call), body, options);
    return written(call, object, presentation, 200);
  }

  async #patch(call: Call): Promise<Answer> {
    const { request, resource } = call;
    const options = writeOptions(call);
    const presentation = presentationOf(call);
    const form = patchFormOf(request.headers['content-type'], resource.builtIn);
    const body = decodeBody(await readBody(request), 'json');
    const object = await this.#writer.patch(writeTarget(call), { form, body }, options);
    return written(call, object, presentation, 200);
  }

  async #delete(call: Call): Promise<Answer> {
    const { resource } = call;
    const { deletion, options } = await deleteOptions(call);
    const { object, gone } = await this.#writer.delete(writeTarget(call), deletion, options);
    if (!gone) return answerOf(object);
    return answerOf(deleted(resource, object.metadata.name, object.metadata.uid ?? ''));
  }

  async #deleteCollection(call: Call): Promise<Answer> {
    const { resource, target, query } = call;
    const selection = selectionOf(resource, target, query);
    const limit = wholeNumber(query, 'limit') || undefined;
    const { options } = await deleteOptions(call);
    const objects = await this.#writer.deleteCollection(resource, selection, limit, options);
    const texts = objects.map((object) => JSON.stringify(object));
    const metadata = { resourceVersion: String(this.#parts.store.latestVersion) };
    return {
      code: 200,
      body: presentList(texts, resource, { form: 'object', include: 'None' }, 0, metadata),
    };
  }
}

function checkScope({ resource, target, request }: Call): void {
  const { namespace, name, subresource } = target;
  if (!resource.namespaced && namespace !== undefined) throw noSuchPath();
  if (subresource !== undefined && !(subresource === 'status' && resource.hasStatus)) throw noSuchPath();
  if (!resource.namespaced || namespace !== undefined) return;
  if (name !== undefined) throw noSuchPath();
  if (request.method === 'POST') throw badRequest('an empty namespace may not be set during creation');
}

const presentationOf = ({ request, query }: Call): Presentation => ({
  form: negotiate(request.headers.accept, ['object', 'table', 'partial']),
  include: includeObjectOf(query),
});

const writeOptions = (call: Call): WriteOptions => ({
  now: timestamp(),
  fieldValidation: fieldValidationOf(call.query),
  warnings: call.warnings,
  dryRun: isDryRun(call.query),
});

const writeTarget = ({ resource, target }: Call): WriteTarget => ({
  resource,
  ...(target.namespace !== undefined && { namespace: target.namespace }),
  ...(target.name !== undefined && { name: target.name }),
  ...(target.subresource === 'status' && { subresource: 'status' }),
});

async function decodedBody({ request }: Call): Promise<unknown> {
  const form = bodyFormOf(request.headers['content-type']);
  return decodeBody(await readBody(request), form);
}

function written({ resource }: Call, object: KubeObject, presentation: Presentation, code: number): Answer {
  const body = presentObject(JSON.stringify(object), resource, presentation, Date.now());
  return { code, body };
}

function preconditionsOf(body: JsonObject): Deletion {
  const given = body['preconditions'];
  if (!isObject(given)) return {};
  const { uid, resourceVersion } = given;
  return {
    ...(typeof uid === 'string' && { uid }),
    ...(typeof resourceVersion === 'string' && { resourceVersion }),
  };
}

/** DeleteOptions come in the body, or in part as query parameters. */
async function deleteOptions(call: Call): Promise<{ deletion: Deletion; options: WriteOptions }> {
  const { request, query } = call;
  const bytes = await readBody(request);
  const body = bytes.length === 0 ? {} : decodeBody(bytes, bodyFormOf(request.headers['content-type']));
  if (!isObject(body)) throw badRequest('the body of a delete must be a DeleteOptions object');
  const policy = query.get('propagationPolicy') ?? body['propagationPolicy'];
  if (typeof policy === 'string' && policy !== '' && !PROPAGATION.includes(policy)) {
    throw badRequest(
      `propagationPolicy: unsupported value "${policy}": supported values: ${PROPAGATION.map((word) => `"${word}"`).join(', ')}`,
    );
  }
  const options = writeOptions(call);
  const dryRun = options.dryRun || (Array.isArray(body['dryRun']) && body['dryRun'].includes('All'));
  return { deletion: preconditionsOf(body), options: { ...options, dryRun } };
}
