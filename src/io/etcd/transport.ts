/**
 * Requests to etcd's JSON gateway over node:http and node:https: several endpoints, connections kept alive, tokens, time limits.
 * What may have been carried out is never repeated here.
 */
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '#base/clock.ts';
import { EtcdError } from '#core/lease/etcd/index.ts';
import { chunksOf, Limit } from '#io/http/index.ts';
import { answerFailure, isStaleToken, unreachable } from './errors.ts';
import { checkEtcdOptions, type EtcdOptions, TlsFiles } from './options.ts';

/** What the client logs through: pino's shape. Passwords, tokens and bodies are never logged. */
export interface EtcdLogger {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface EtcdTransportOptions {
  readonly clock: Clock;
  readonly logger?: EtcdLogger;
  /** The longest a request may take at one endpoint, and a watch may take to begin, in milliseconds; 10,000 if absent. */
  readonly requestTimeoutMs?: number;
}

export interface EtcdCall {
  /** `/v3/kv/range` */
  readonly path: string;
  readonly body: object;
  /** It changes nothing: another endpoint may be asked whatever became of it. */
  readonly isRead?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The body of an answer that comes bit by bit. Disposing it ends the connection. */
export interface EtcdStream extends Disposable {
  /** After each piece the connection rests for so long, absent for not at all: what comes meanwhile is read at once, which costs less than one by one. */
  chunks(restMs?: number): AsyncIterable<Uint8Array>;
}

const REQUEST_TIMEOUT_MS = 10_000;
/** First TCP probe after this silence; libuv sends ten, a second apart, so a dead peer is known after 25 s. */
const TCP_KEEPALIVE_MS = 15_000;
/** Far above the largest page of keys. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** The gateway's sign that an answer is not to come from a member without a leader. */
const NEED_LEADER = { 'grpc-metadata-hasleader': 'true' };

interface Endpoint {
  readonly url: URL;
  agent: HttpAgent | undefined;
  agentVersion: number;
}

export class EtcdTransport {
  readonly #options: EtcdTransportOptions;
  readonly #credentials: { readonly name: string; readonly password: string } | undefined;
  readonly #endpoints: readonly Endpoint[];
  readonly #tls: TlsFiles;
  readonly #closing = new AbortController();
  #token: Promise<string> | undefined;
  /** The endpoint that answered last. */
  #current = 0;

  /** Throws EtcdOptionsError. */
  constructor(etcd: EtcdOptions, options: EtcdTransportOptions) {
    const urls = checkEtcdOptions(etcd);
    this.#options = options;
    this.#endpoints = urls.map((url) => ({ url, agent: undefined, agentVersion: 0 }));
    this.#tls = new TlsFiles(etcd, options.clock, (fields, message) => options.logger?.warn(fields, message));
    if (urls.some((url) => url.protocol === 'https:')) this.#tls.current();
    if (etcd.username !== undefined && etcd.username !== '')
      this.#credentials = { name: etcd.username, password: etcd.password ?? '' };
    const plain = urls.find((url) => url.protocol === 'http:' && !isLoopback(url));
    if (plain !== undefined)
      options.logger?.warn({ endpoint: plain.host }, 'etcd is reached without encryption');
  }

  /** Fails all calls and streams, now and from now on. */
  close(): void {
    this.#closing.abort(new EtcdError('unavailable', 'the client of etcd is closed'));
    for (const { agent } of this.#endpoints) agent?.destroy();
  }

  /** The JSON of a 2xx answer; throws EtcdError or the signal's reason. */
  json(call: EtcdCall): Promise<unknown> {
    return this.#authenticated(call, (headers) =>
      this.#anywhere(call, async (endpoint) => {
        using limit = this.#limit(call, endpoint);
        return await this.#guard(call, endpoint, limit, async () => {
          const response = await this.#send(call, endpoint, headers, limit.signal);
          const text = await readText(response);
          if (!isSuccess(response))
            throw answerFailure(response.statusCode ?? 0, text, nameOf(call, endpoint));
          return parseBody(text, nameOf(call, endpoint));
        });
      }),
    );
  }

  /** A 2xx answer as it arrives; throws what `json` throws, and so do its chunks. */
  stream(call: EtcdCall): Promise<EtcdStream> {
    return this.#authenticated(call, (headers) =>
      this.#anywhere(call, (endpoint) => this.#streamFrom(call, endpoint, headers)),
    );
  }

  /** The token is not good any more: the next call gets a new one. */
  forgetToken(): void {
    this.#token = undefined;
  }

  async #streamFrom(call: EtcdCall, endpoint: Endpoint, headers: object): Promise<EtcdStream> {
    const limit = this.#limit(call, endpoint);
    let open = false;
    try {
      return await this.#guard(call, endpoint, limit, async () => {
        const response = await this.#send(call, endpoint, { ...headers, ...NEED_LEADER }, limit.signal);
        if (!isSuccess(response))
          throw answerFailure(response.statusCode ?? 0, await readText(response), nameOf(call, endpoint));
        limit.lift();
        open = true;
        return this.#streamOf(call, endpoint, response, limit);
      });
    } finally {
      if (!open) limit[Symbol.dispose]();
    }
  }

  #streamOf(call: EtcdCall, endpoint: Endpoint, response: IncomingMessage, limit: Limit): EtcdStream {
    const guard = (error: unknown) => this.#toError(error, call, endpoint, limit);
    const { clock } = this.#options;
    const { socket } = response;
    return {
      chunks: (ms = 0) => chunksOf(response, guard, ms > 0 ? { clock, ms, socket } : undefined),
      [Symbol.dispose]: () => {
        response.destroy();
        limit[Symbol.dispose]();
      },
    };
  }

  /** With a token, where there are credentials; once more with a new one, where etcd does not know it any more. */
  async #authenticated<T>(call: EtcdCall, work: (headers: object) => Promise<T>): Promise<T> {
    if (this.#credentials === undefined) return work({});
    for (let attempt = 1; ; attempt++) {
      const token = this.#token ?? this.#authenticate();
      this.#token = token;
      let authorization: string;
      try {
        authorization = await token;
      } catch (error) {
        if (this.#token === token) this.#token = undefined;
        throw error;
      }
      try {
        return await work(authorization === '' ? {} : { authorization });
      } catch (error) {
        // etcd checks the token before it does anything
        if (!isStaleToken(error) || attempt === 2) throw error;
        if (this.#token === token) this.#token = undefined;
        this.#options.logger?.debug({ request: call.path }, 'etcd token is renewed');
      }
    }
  }

  async #authenticate(): Promise<string> {
    const call: EtcdCall = {
      path: '/v3/auth/authenticate',
      body: this.#credentials ?? {},
      isRead: true,
    };
    const answer = (await this.#anywhere(call, async (endpoint) => {
      using limit = this.#limit(call, endpoint);
      return await this.#guard(call, endpoint, limit, async () => {
        const response = await this.#send(call, endpoint, {}, limit.signal);
        const text = await readText(response);
        // Without authentication there is nothing to be known by.
        if (text.includes('authentication is not enabled')) return {};
        if (!isSuccess(response)) throw answerFailure(response.statusCode ?? 0, text, nameOf(call, endpoint));
        return parseBody(text, nameOf(call, endpoint));
      });
    })) as { token?: unknown };
    return typeof answer.token === 'string' ? answer.token : '';
  }

  /** At the endpoint that answered last, then at the others, as long as nothing can have come of it. */
  async #anywhere<T>(call: EtcdCall, once: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    const count = this.#endpoints.length;
    const failures: EtcdError[] = [];
    for (let step = 0; step < count; step++) {
      const index = (this.#current + step) % count;
      try {
        const value = await once(this.#endpoints[index] as Endpoint);
        this.#current = index;
        return value;
      } catch (error) {
        if (!(error instanceof EtcdError) || error.failure !== 'unavailable') throw error;
        if (this.#closing.signal.aborted || call.signal?.aborted) throw error;
        failures.push(error);
        this.#options.logger?.debug({ reason: error.message }, 'etcd endpoint does not answer');
        if (error.mayBeDone && call.isRead !== true) {
          // The next call begins elsewhere.
          this.#current = (index + 1) % count;
          throw error;
        }
      }
    }
    const [only] = failures;
    if (failures.length === 1 && only !== undefined) throw only;
    throw new EtcdError('unavailable', failures.map(({ message }) => message).join('; '));
  }

  #limit(call: EtcdCall, endpoint: Endpoint): Limit {
    const { clock, requestTimeoutMs = REQUEST_TIMEOUT_MS } = this.#options;
    const late = () =>
      new EtcdError('unavailable', `${nameOf(call, endpoint)}: no answer within ${requestTimeoutMs} ms`, {
        mayBeDone: true,
      });
    return new Limit([call.signal, this.#closing.signal], { clock, ms: requestTimeoutMs, late });
  }

  async #guard<T>(call: EtcdCall, endpoint: Endpoint, limit: Limit, work: () => Promise<T>): Promise<T> {
    try {
      limit.signal.throwIfAborted();
      return await work();
    } catch (error) {
      throw this.#toError(error, call, endpoint, limit);
    }
  }

  #toError(error: unknown, call: EtcdCall, endpoint: Endpoint, limit: Limit): Error {
    if (limit.signal.aborted) return limit.signal.reason as Error;
    if (error instanceof EtcdError || !(error instanceof Error)) return error as Error;
    return unreachable(error, nameOf(call, endpoint));
  }

  /** Sends the request and waits for the head of the answer. */
  #send(call: EtcdCall, endpoint: Endpoint, headers: object, signal: AbortSignal): Promise<IncomingMessage> {
    const { url } = endpoint;
    const body = Buffer.from(JSON.stringify(call.body));
    const options: RequestOptions = {
      method: 'POST',
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port,
      path: call.path,
      agent: this.#agentOf(endpoint),
      signal,
      headers: {
        accept: 'application/json',
        'user-agent': 'poplin',
        'content-type': 'application/json',
        'content-length': body.length,
        ...headers,
      },
    };
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(options, resolve);
      request.on('socket', (socket) => socket.setKeepAlive(true, TCP_KEEPALIVE_MS));
      request.on('error', reject);
      request.end(body);
    });
  }

  #agentOf(endpoint: Endpoint): HttpAgent {
    const { url } = endpoint;
    const common = { keepAlive: true, keepAliveMsecs: TCP_KEEPALIVE_MS, maxFreeSockets: 4 };
    if (url.protocol === 'http:') {
      endpoint.agent ??= new HttpAgent(common);
      return endpoint.agent;
    }
    const { secrets, version } = this.#tls.current();
    if (endpoint.agent === undefined || endpoint.agentVersion !== version) {
      // Connections of the earlier certificates serve what they have begun; nothing new comes to them.
      endpoint.agent = new HttpsAgent({ ...common, ...secrets, rejectUnauthorized: true });
      endpoint.agentVersion = version;
    }
    return endpoint.agent;
  }
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
}

function isSuccess(response: IncomingMessage): boolean {
  const code = response.statusCode ?? 0;
  return code >= 200 && code < 300;
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new RangeError(`the answer is longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EtcdError('unavailable', `${what}: the answer is not JSON`, { cause, mayBeDone: true });
  }
}

function nameOf(call: EtcdCall, { url }: Endpoint): string {
  return `${url.origin}${call.path}`;
}
