/** An embedded API server with a folder of its own, for tests that talk HTTP to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, type ApiServerOptions, startApiServer } from '#app/apiserver/index.ts';

export interface Reply {
  readonly code: number;
  readonly headers: Headers;
  readonly body: JsonReply;
}

/** A JSON answer whose members tests reach by name. */
export interface JsonReply {
  readonly [key: string]: unknown;
  readonly kind: string;
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly metadata: {
    readonly [key: string]: unknown;
    readonly name: string;
    readonly resourceVersion: string;
  };
  readonly items: readonly JsonReply[];
  readonly details: { readonly causes: readonly { readonly field: string; readonly message: string }[] };
}

export interface CallInit {
  readonly body?: unknown;
  readonly type?: string;
  readonly headers?: Record<string, string>;
}

export class ApiWorld implements AsyncDisposable {
  readonly folder: string;
  readonly #options: Partial<ApiServerOptions>;
  #server: ApiServer | undefined;
  #url = '';

  private constructor(folder: string, options: Partial<ApiServerOptions>) {
    this.folder = folder;
    this.#options = options;
  }

  static async open(options: Partial<ApiServerOptions> = {}): Promise<ApiWorld> {
    const world = new ApiWorld(await mkdtemp(join(tmpdir(), 'poplin-apiserver-')), options);
    await world.start();
    return world;
  }

  get url(): string {
    return this.#url;
  }

  async start(): Promise<void> {
    this.#server = await startApiServer({
      host: '127.0.0.1',
      port: 0,
      databasePath: join(this.folder, 'objects.db'),
      ...this.#options,
    });
    this.#url = this.#server.url;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  /** One request with a JSON answer; a string body is sent as it is. */
  async call(method: string, path: string, init: CallInit = {}): Promise<Reply> {
    const response = await fetch(this.#url + path, {
      method,
      headers: {
        ...(init.body !== undefined && { 'content-type': init.type ?? 'application/json' }),
        ...init.headers,
      },
      ...(init.body !== undefined && {
        body: typeof init.body === 'string' ? init.body : JSON.stringify(init.body),
      }),
    });
    const text = await response.text();
    const isJson = (response.headers.get('content-type') ?? '').startsWith('application/json');
    return {
      code: response.status,
      headers: response.headers,
      body: (isJson ? JSON.parse(text) : { message: text }) as JsonReply,
    };
  }

  get = (path: string, headers: Record<string, string> = {}): Promise<Reply> =>
    this.call('GET', path, { headers });
  post = (path: string, body: unknown, type?: string): Promise<Reply> =>
    this.call('POST', path, { body, ...(type !== undefined && { type }) });
  put = (path: string, body: unknown): Promise<Reply> => this.call('PUT', path, { body });
  delete = (path: string, body?: unknown): Promise<Reply> =>
    this.call('DELETE', path, body === undefined ? {} : { body });
  patch = (path: string, form: 'json' | 'merge' | 'strategic', body: unknown): Promise<Reply> =>
    this.call('PATCH', path, {
      body,
      type: `application/${form === 'strategic' ? 'strategic-merge' : form}-patch+json`,
    });

  /** Creates an object and gives its version. */
  async create(path: string, object: object): Promise<string> {
    const { code, body } = await this.post(path, object);
    if (code !== 201) throw new Error(`POST ${path}: ${code} ${body.message}`);
    return body.metadata.resourceVersion;
  }

  /** Creates a namespace and gives its path. */
  async namespace(name: string): Promise<string> {
    await this.create('/api/v1/namespaces', { metadata: { name } });
    return `/api/v1/namespaces/${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export interface WatchLine {
  readonly type: string;
  readonly object: JsonReply;
}

/** A watch read line by line. */
export class WatchReader implements AsyncDisposable {
  readonly lines: WatchLine[] = [];
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;
  #wake: () => void = () => {};
  #isEnded = false;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#ended = this.#read(url, headers)
      .catch(() => {})
      .then(() => {
        this.#isEnded = true;
        this.#wake();
      });
  }

  async #read(url: string, headers: Record<string, string>): Promise<void> {
    const response = await fetch(url, { signal: this.#abort.signal, headers });
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk as Uint8Array, { stream: true });
      const complete = rest.split('\n');
      rest = complete.pop() ?? '';
      for (const line of complete) this.lines.push(JSON.parse(line) as WatchLine);
      this.#wake();
    }
  }

  /** Waits until there are this many lines; fails when the stream ends before. */
  async take(count: number): Promise<WatchLine[]> {
    while (this.lines.length < count) {
      if (this.#isEnded) throw new Error(`the watch ended after ${this.lines.length} of ${count} lines`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.lines.slice(0, count);
  }

  /** Waits for the server to end the stream. */
  ended(): Promise<void> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#ended;
  }
}

/** What a test compares of an event: `ADDED web`. */
export const summary = ({ type, object }: WatchLine): string => `${type} ${object.metadata.name}`;

export const configMap = (name: string, extra: object = {}) => ({
  metadata: { name, ...extra },
  data: { key: 'value' },
});

export const pod = (name: string, labels: Record<string, string> = {}) => ({
  metadata: { name, labels },
  spec: { containers: [{ name: 'c', image: 'web:1' }] },
});
