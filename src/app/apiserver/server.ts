/** The API server as a running thing: its database, its HTTP listener, and the way from a request to its answer. */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { DEFINITIONS, EVENTS, NAMESPACES, parseResourcePath, type StoredChange } from '#core/kube/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { SqliteStore } from '#io/sqlite/index.ts';
import { Gatekeeper } from './access.ts';
import { timestamp } from './clock.ts';
import { documentAnswer } from './documents.ts';
import { startEventExpiry } from './event-expiry.ts';
import { send, statusOf } from './exchange.ts';
import { parseObject } from './object-text.ts';
import { type ApiServerOptions, checkListening, type Logger } from './options.ts';
import { ResourceRegistry } from './registry.ts';
import { ResourceRoutes } from './resource-routes.ts';
import { WatchHub } from './watch-hub.ts';
import { WATCH_LIMITS } from './watch-session.ts';

export interface ApiServer {
  /** Where clients reach it: http(s)://host:port, with the real port. */
  readonly url: string;
  /** Lets running requests finish, ends watches, and closes the database. */
  close(): Promise<void>;
}

const INITIAL_NAMESPACES = ['default', 'kube-system'];
const CLOSE_GRACE_MS = 5_000;

class RunningServer {
  readonly #registry = new ResourceRegistry();
  readonly #hub = new WatchHub();
  readonly #store: SqliteStore;
  readonly #routes: ResourceRoutes;
  readonly #gate: Gatekeeper;
  readonly #log: Logger;
  readonly #http: Server;
  #ready = false;
  #stopExpiry = () => {};

  constructor(options: ApiServerOptions) {
    this.#log = options.logger ?? pino({ level: 'silent' });
    this.#gate = new Gatekeeper(options.token);
    this.#store = new SqliteStore({
      path: options.databasePath,
      // a database made later starts higher, so that versions of a lost one are too old in it, not wrong
      firstVersion: Date.now(),
      ...(options.historyLimit !== undefined && { historyLimit: options.historyLimit }),
      onCommit: (changes) => this.#committed(changes),
    });
    this.#routes = new ResourceRoutes({
      store: this.#store,
      registry: this.#registry,
      hub: this.#hub,
      watchLimits: { ...WATCH_LIMITS, ...options.watchLimits },
    });
    const handler = (request: IncomingMessage, response: ServerResponse) =>
      void this.#handle(request, response);
    this.#http =
      options.tls === undefined
        ? createHttpServer(handler)
        : createHttpsServer({ ...options.tls, minVersion: 'TLSv1.2' }, handler);
    // longer than clients keep idle connections, so that they close first
    this.#http.keepAliveTimeout = 120_000;
  }

  async start(host: string, port: number, isTls: boolean): Promise<string> {
    await this.#prepare();
    this.#stopExpiry = startEventExpiry(this.#routes.writer, EVENTS, (error) =>
      this.#log.error({ err: error }, 'events could not be expired'),
    );
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen(port, host, () => resolve());
    });
    this.#ready = true;
    const address = this.#http.address() as AddressInfo;
    const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    const url = `${isTls ? 'https' : 'http'}://${shown}:${address.port}`;
    this.#log.info({ url, version: this.#store.latestVersion }, 'api server listening');
    return url;
  }

  async close(): Promise<void> {
    this.#ready = false;
    this.#stopExpiry();
    const closed = new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
    });
    this.#hub.endAll();
    this.#http.closeIdleConnections();
    const force = setTimeout(() => this.#http.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(force);
    await this.#store.close();
    this.#log.info({}, 'api server stopped');
  }

  /** Brings the registry up to the store, makes the namespaces everyone expects, and finishes what was being deleted. */
  async #prepare(): Promise<void> {
    for (const { json } of this.#store.list(DEFINITIONS.storageKey)) {
      this.#registry.define(parseObject(json, DEFINITIONS));
    }
    for (const name of INITIAL_NAMESPACES) {
      if (this.#store.get(NAMESPACES.storageKey, '', name) !== undefined) continue;
      const options = { now: timestamp(), fieldValidation: 'Ignore', warnings: [], dryRun: false } as const;
      await this.#routes.writer.create(
        { resource: NAMESPACES },
        { metadata: { name } },
        { ...options, warnings: [] },
      );
    }
    await this.#routes.writer.resumeDeletions(timestamp());
  }

  #committed(changes: readonly StoredChange[]): void {
    for (const change of changes) {
      if (change.resource === DEFINITIONS.storageKey) this.#redefine(change);
      this.#hub.publish(change);
    }
  }

  #redefine(change: StoredChange): void {
    const definition = parseObject(change.json, DEFINITIONS);
    const previous = change.previous === undefined ? undefined : parseObject(change.previous, DEFINITIONS);
    if (change.removed) this.#registry.undefine(change.name);
    else this.#registry.define(definition);
    const isReshaped = (before: KubeObject) => before.metadata.generation !== definition.metadata.generation;
    // streams of the old shape end; clients come back and get the new one, or 404
    if (change.removed || (previous !== undefined && isReshaped(previous)))
      this.#hub.endResource(change.name);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = performance.now();
    const [path, search] = splitUrl(request.url ?? '/');
    try {
      this.#gate.check(request, path);
      const target = parseResourcePath(path);
      const query = new URLSearchParams(search);
      const answer =
        target === undefined
          ? documentAnswer(this.#registry, request, path, this.#ready)
          : await this.#routes.serve(request, response, target, query);
      if (answer !== undefined) send(response, answer);
    } catch (error) {
      this.#refuse(request, response, error);
    }
    this.#log.debug(
      {
        method: request.method,
        path,
        code: response.statusCode,
        ms: Math.round(performance.now() - startedMs),
      },
      'request',
    );
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const status = statusOf(error);
    if (status.code >= 500 && status.reason === 'InternalError') {
      this.#log.error({ err: error, method: request.method, url: request.url }, 'request failed');
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // what is left of a refused body must not be taken for the next request
    if (!request.complete) response.setHeader('connection', 'close');
    send(response, { code: status.code, body: JSON.stringify(status) });
  }
}

function splitUrl(url: string): [path: string, search: string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

/** Starts the server. Throws ListeningError, DatabaseError, or the listener's own error. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  checkListening(options);
  const server = new RunningServer(options);
  try {
    const url = await server.start(options.host, options.port, options.tls !== undefined);
    return { url, close: () => server.close() };
  } catch (error) {
    await server.close();
    throw error;
  }
}
