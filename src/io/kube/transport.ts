/**
 * HTTP requests to one API server over node:http and node:https: connections kept alive, tokens, time limits, and the
 * retries a server asks for. It knows JSON and Status bodies, but no resources.
 */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { type Clock, delay, type Random } from '#base/clock.ts';
import { StoreError } from '#core/store/index.ts';
import { chunksOf, excerpt, Limit } from '#io/http/index.ts';
import type { KubeConfig } from './config.ts';
import { statusFailure, UnreachableError } from './errors.ts';
import { TokenCache } from './token-cache.ts';

/** What the client logs through: pino's shape. Tokens and bodies are never logged. */
export interface KubeLogger {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface TransportOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: KubeLogger;
  /** The longest a request may take, and a watch may take to begin, in milliseconds; 30,000 if absent. */
  readonly requestTimeoutMs?: number;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query below the server's own path: `/api/v1/nodes?limit=500`. */
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}

/** The body of an answer that comes bit by bit. Disposing it ends the connection. */
export interface AnswerStream extends Disposable {
  /** Throws only what `json` throws. After each piece the connection may rest: what comes meanwhile is read at once. */
  chunks(restMs?: number): AsyncIterable<Uint8Array>;
}

type Outcome<T> = { readonly value: T } | { readonly error: Error; readonly retryInMs: number };

const REQUEST_TIMEOUT_MS = 30_000;
/** First TCP probe after this silence; libuv sends ten, a second apart, so a dead peer is known after 25 s. */
const TCP_KEEPALIVE_MS = 15_000;
const MAX_ATTEMPTS = 5;
const MAX_RETRY_AFTER_MS = 60_000;

export class Transport {
  /** `host:port` of the server, for messages. */
  readonly server: string;
  readonly #url: URL;
  readonly #options: TransportOptions;
  readonly #agent: HttpAgent;
  readonly #tokens: TokenCache | undefined;
  readonly #closing = new AbortController();

  constructor(config: KubeConfig, options: TransportOptions) {
    this.#options = options;
    this.#url = new URL(config.server);
    const port = this.#url.port || (this.#url.protocol === 'https:' ? '443' : '80');
    this.server = `${this.#url.hostname}:${port}`;
    this.#agent = createAgent(this.#url, config);
    if (config.readToken) this.#tokens = new TokenCache(config.readToken, options.clock);
    if (config.insecureSkipTlsVerify)
      options.logger?.warn(
        { server: this.server, source: config.source },
        'the certificate of the kubernetes api server is not verified',
      );
  }

  /** Fails all calls and streams, now and from now on. */
  close(): void {
    this.#closing.abort(new Error(`the client of the kubernetes api at ${this.server} is closed`));
    this.#agent.destroy();
  }

  /** The JSON body of a 2xx answer; throws StoreError, UnreachableError or the signal's reason. */
  json(call: Call): Promise<unknown> {
    return this.#withRetries(call, () => this.#jsonOnce(call));
  }

  /** A 2xx answer as it arrives; it ends when the server ends it. Throws what `json` throws. */
  stream(call: Call): Promise<AnswerStream> {
    return this.#withRetries(call, () => this.#streamOnce(call));
  }

  async #withRetries<T>(call: Call, once: () => Promise<Outcome<T>>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await once();
      if ('value' in outcome) return outcome.value;
      if (attempt === MAX_ATTEMPTS) throw outcome.error;
      const { clock, logger } = this.#options;
      logger?.debug(
        {
          server: this.server,
          request: nameOf(call),
          error: outcome.error.message,
          retryInMs: outcome.retryInMs,
        },
        'kubernetes api request is repeated',
      );
      if (outcome.retryInMs === 0) continue;
      using wait = new Limit([call.signal, this.#closing.signal]);
      await delay(clock, outcome.retryInMs, wait.signal);
    }
  }

  async #jsonOnce(call: Call): Promise<Outcome<unknown>> {
    using limit = this.#limit(call);
    return await this.#guard(call, limit, async () => {
      const response = await this.#send(call, limit.signal);
      if (!isSuccess(response)) return this.#failure(call, response);
      return { value: parseBody(await readText(response), call) };
    });
  }

  async #streamOnce(call: Call): Promise<Outcome<AnswerStream>> {
    const limit = this.#limit(call);
    let open = false;
    try {
      return await this.#guard(call, limit, async () => {
        const response = await this.#send(call, limit.signal);
        if (!isSuccess(response)) return this.#failure(call, response);
        limit.lift();
        open = true;
        return { value: this.#answerStream(call, response, limit) };
      });
    } finally {
      if (!open) limit[Symbol.dispose]();
    }
  }

  #answerStream(call: Call, response: IncomingMessage, limit: Limit): AnswerStream {
    const toError = (error: unknown) => this.#toError(error, call, limit);
    const { clock } = this.#options;
    const { socket } = response;
    return {
      chunks: (ms = 0) => chunksOf(response, toError, ms > 0 ? { clock, ms, socket } : undefined),
      [Symbol.dispose]: () => {
        response.destroy();
        limit[Symbol.dispose]();
      },
    };
  }

  #limit(call: Call): Limit {
    const { clock, requestTimeoutMs = REQUEST_TIMEOUT_MS } = this.#options;
    const late = () =>
      new UnreachableError(this.server, nameOf(call), `no answer within ${requestTimeoutMs} ms`);
    return new Limit([call.signal, this.#closing.signal], { clock, ms: requestTimeoutMs, late });
  }

  async #guard<T>(call: Call, limit: Limit, work: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    try {
      limit.signal.throwIfAborted();
      return await work();
    } catch (error) {
      if (error instanceof StaleConnection && call.method === 'GET' && !limit.signal.aborted)
        return { error: this.#toError(error.cause, call, limit), retryInMs: 0 };
      throw this.#toError(error instanceof StaleConnection ? error.cause : error, call, limit);
    }
  }

  #toError(error: unknown, call: Call, limit: Limit): Error {
    if (limit.signal.aborted) return limit.signal.reason as Error;
    if (error instanceof StoreError || error instanceof UnreachableError) return error;
    return new UnreachableError(this.server, nameOf(call), error);
  }

  /** Sends the request and waits for the head of the answer. */
  #send(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const token = this.#tokens?.get();
    const options: RequestOptions = {
      method: call.method,
      protocol: this.#url.protocol,
      hostname: this.#url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: this.#url.port,
      path: this.#url.pathname.replace(/\/$/, '') + call.path,
      agent: this.#agent,
      signal,
      headers: {
        accept: 'application/json',
        'user-agent': 'poplin',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body
          ? { 'content-type': call.contentType ?? 'application/json', 'content-length': body.length }
          : {}),
      },
    };
    return new Promise((resolve, reject) => {
      const request = (this.#url.protocol === 'https:' ? httpsRequest : httpRequest)(options, resolve);
      request.on('socket', (socket) => socket.setKeepAlive(true, TCP_KEEPALIVE_MS));
      // The server may close a kept connection just as we use it again: such a request never reached it whole.
      request.on('error', (error) => reject(request.reusedSocket ? new StaleConnection(error) : error));
      request.end(body);
    });
  }

  /** What an answer other than 2xx means: an error, or a repetition the server asks for. */
  async #failure(call: Call, response: IncomingMessage): Promise<{ error: Error; retryInMs: number }> {
    const code = response.statusCode as number;
    const { error, retryAfterSeconds } = statusFailure(code, await readText(response), nameOf(call));
    if (code === 401 && this.#tokens?.refresh()) return { error, retryInMs: 0 };
    const header = retryAfterMs(response.headers['retry-after'], this.#options.clock.now());
    const asked = header ?? (retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000);
    if (code === 429 || (code === 503 && asked !== undefined)) {
      // Spread over a quarter more, so that clients refused together do not come back together.
      const wait = Math.min(MAX_RETRY_AFTER_MS, Math.max(1000, asked ?? 0));
      return { error, retryInMs: Math.round(wait * (1 + this.#options.random() / 4)) };
    }
    throw error;
  }
}

/** A request failed on a connection that had served others before. */
class StaleConnection extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

function createAgent(url: URL, config: KubeConfig): HttpAgent {
  const common = { keepAlive: true, keepAliveMsecs: TCP_KEEPALIVE_MS, maxFreeSockets: 4 };
  if (url.protocol === 'http:') return new HttpAgent(common);
  const { certificateAuthority, clientCertificate, clientKey, tlsServerName } = config;
  return new HttpsAgent({
    ...common,
    rejectUnauthorized: config.insecureSkipTlsVerify !== true,
    ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
    ...(clientCertificate === undefined ? {} : { cert: clientCertificate }),
    ...(clientKey === undefined ? {} : { key: clientKey }),
    ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
  });
}

function isSuccess(response: IncomingMessage): boolean {
  const code = response.statusCode ?? 0;
  return code >= 200 && code < 300;
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string, call: Call): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StoreError(502, 'Unknown', `${nameOf(call)}: the answer is not JSON: ${excerpt(text)}`, {
      cause,
    });
  }
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** `GET /api/v1/nodes`, without the query. */
function nameOf(call: Call): string {
  const query = call.path.indexOf('?');
  return `${call.method} ${query < 0 ? call.path : call.path.slice(0, query)}`;
}
