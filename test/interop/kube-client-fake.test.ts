/**
 * The Kubernetes client keeps the object store contract over HTTP, against the fake store behind a plain server: what
 * fails here is the client's fault, not a real server's.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { KubeObject, ListOptions, PatchType, ResourcePath } from '#core/store/index.ts';
import { RESOURCES, StoreError } from '#core/store/index.ts';
import { systemClock } from '#io/clock/index.ts';
import { createKubeStore } from '#io/kube/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { describeObjectStore } from '#testing/object-store-contract.ts';

const PATCH_TYPES: Record<string, PatchType> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};

interface Target {
  readonly resource: ResourcePath;
  readonly namespace?: string;
  readonly name: string | undefined;
  readonly subresource?: 'status';
}

describeObjectStore('the kubernetes client, over HTTP to the fake store,', async () => {
  const fake = new FakeStore();
  let server = await listen(fake, 0);
  const { port } = server.address() as AddressInfo;
  const store = createKubeStore(
    { server: `http://127.0.0.1:${port}`, source: 'test' },
    { clock: systemClock, random: Math.random },
  );
  return {
    store,
    other: fake,
    compact: () => fake.compact(),
    outage: async (state) => {
      if (state === 'up') server = await listen(fake, port);
      else await close(server);
    },
    [Symbol.asyncDispose]: async () => {
      store.close();
      await close(server);
    },
  };
});

async function listen(fake: FakeStore, port: number): Promise<Server> {
  const server = createServer((request, response) => void answer(fake, request, response));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

async function answer(fake: FakeStore, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const reply = (code: number, value: object) =>
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  try {
    const url = new URL(request.url ?? '', 'http://fake');
    const target = parsePath(url.pathname);
    if (url.searchParams.has('watch')) await stream(fake, target, url.searchParams, response);
    else reply(request.method === 'POST' ? 201 : 200, await call(fake, target, url.searchParams, request));
  } catch (error) {
    const { code, reason, message } =
      error instanceof StoreError ? error : new StoreError(500, '', String(error));
    if (!response.headersSent) reply(code, statusOf(code, reason, message));
    else response.end(`${JSON.stringify({ type: 'ERROR', object: statusOf(code, reason, message) })}\n`);
  }
}

async function call(fake: FakeStore, target: Target, query: URLSearchParams, request: IncomingMessage) {
  const { resource, name = '', subresource, namespace } = target;
  const options = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(subresource ? { subresource } : {}),
  };
  const body = request.headers['content-length'] === undefined ? undefined : await json(request);
  switch (request.method) {
    case 'GET':
      return target.name === undefined ? list(fake, target, query) : fake.get(resource, name, options);
    case 'POST':
      return fake.create(resource, body as KubeObject, options);
    case 'PUT':
      return fake.replace(resource, body as KubeObject, options);
    case 'PATCH':
      return fake.patch(
        resource,
        name,
        PATCH_TYPES[request.headers['content-type'] ?? ''] ?? 'json',
        body,
        options,
      );
    case 'DELETE': {
      const { preconditions } = (body ?? {}) as { preconditions?: { resourceVersion: string } };
      await fake.delete(resource, name, { ...options, ...preconditions });
      return statusOf(200, '', '');
    }
    default:
      throw new StoreError(405, 'MethodNotAllowed', `no ${request.method} here`);
  }
}

/** A continue token is the place to go on from; items come without their type, as a real server sends them. */
async function list(fake: FakeStore, { resource, namespace }: Target, query: URLSearchParams) {
  const { items, resourceVersion } = await fake.list(resource, selectors(query, namespace));
  const from = Number(query.get('continue') ?? 0);
  const to = from + Number(query.get('limit') ?? items.length);
  const next = to < items.length ? String(to) : '';
  return {
    kind: `${resource.kind}List`,
    metadata: { resourceVersion, continue: next },
    items: items.slice(from, to).map(({ kind: _kind, apiVersion: _apiVersion, ...rest }) => rest),
  };
}

async function stream(
  fake: FakeStore,
  { resource, namespace }: Target,
  query: URLSearchParams,
  response: ServerResponse,
) {
  const stopping = new AbortController();
  response.on('close', () => stopping.abort(new Error('the client has gone')));
  const onOpen = () => response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
  const resourceVersion = query.get('resourceVersion') ?? '0';
  const options = { ...selectors(query, namespace), resourceVersion, signal: stopping.signal, onOpen };
  for await (const event of fake.watch(resource, options)) {
    const { type } = event;
    const object =
      type === 'BOOKMARK' ? { metadata: { resourceVersion: event.resourceVersion } } : event.object;
    response.write(`${JSON.stringify({ type, object })}\n`);
  }
  response.end();
}

function selectors(query: URLSearchParams, namespace: string | undefined): ListOptions {
  const labelSelector = query.get('labelSelector');
  const fieldSelector = query.get('fieldSelector');
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === null ? {} : { labelSelector }),
    ...(fieldSelector === null ? {} : { fieldSelector }),
  };
}

function parsePath(path: string): Target {
  const steps = path.split('/').map(decodeURIComponent);
  const group = steps[1] === 'apis' ? (steps[2] ?? '') : '';
  const rest = steps.slice(group === '' ? 3 : 4);
  const scoped = rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status';
  const [plural, name, subresource] = scoped ? rest.slice(2) : rest;
  const resource = Object.values(RESOURCES).find((each) => each.plural === plural && each.group === group);
  if (resource === undefined) throw new StoreError(404, 'NotFound', `there is nothing at ${path}`);
  return {
    resource,
    name,
    ...(scoped ? { namespace: rest[1] as string } : {}),
    ...(subresource === 'status' ? { subresource } : {}),
  };
}

function statusOf(code: number, reason: string, message: string): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    status: code < 400 ? 'Success' : 'Failure',
    code,
    reason,
    message,
  };
}
