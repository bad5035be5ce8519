/**
 * One watch: the present objects or the missed changes first, then live changes, as one JSON line each. Live changes that
 * come while the client is still reading earlier ones wait in a queue of bounded size; a client that lets it overflow
 * is disconnected, and will list again.
 */
import type { ServerResponse } from 'node:http';
import {
  apiVersionOf,
  expired,
  internalError,
  type ServedResource,
  StatusError,
  type VersionedStore,
} from '#core/kube/index.ts';
import { parseObject } from './object-text.ts';
import { type Presentation, presentObject } from './presenter.ts';
import { selects, selectsAll, type WatchRequest } from './selection.ts';
import { eventLine, WatchEvent } from './watch-event.ts';
import type { Watcher, WatchHub } from './watch-hub.ts';

export interface WatchLimits {
  /** Bytes that may wait for a slow client. */
  readonly bufferBytes: number;
  readonly bookmarkSec: number;
}

export const WATCH_LIMITS: WatchLimits = { bufferBytes: 8 * 1024 * 1024, bookmarkSec: 60 };

const DEFAULT_TIMEOUT_SEC = 1800;
const PAGE_ROWS = 200;
const INITIAL_END = { 'k8s.io/initial-events-end': 'true' };

export interface WatchParts {
  readonly store: VersionedStore;
  readonly hub: WatchHub;
  readonly resource: ServedResource;
  readonly request: WatchRequest;
  readonly presentation: Presentation;
  readonly response: ServerResponse;
  readonly limits: WatchLimits;
}

export class WatchSession implements Watcher {
  readonly #parts: WatchParts;
  readonly #queue: string[] = [];
  #queuedBytes = 0;
  #version = 0;
  #caughtUp = false;
  #closed = false;
  #bookmarkTimer: NodeJS.Timeout | undefined;
  #timeoutTimer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** Streams until the client, the timeout or the server ends it. */
  async run(): Promise<void> {
    const { response, hub, resource, store } = this.#parts;
    response.on('close', () => this.#close());
    response.on('drain', () => this.#awake());
    response.on('error', () => this.#close());
    response.flushHeaders();
    // from here on live changes queue up: nothing can fall between the past and the present
    this.#version = store.latestVersion;
    hub.add(resource.storageKey, this);
    this.#startTimers();
    try {
      await this.#catchUp();
      this.#caughtUp = true;
      await this.#drainQueue();
    } catch (error) {
      this.#fail(error);
    }
  }

  offer(event: WatchEvent): void {
    if (this.#closed) return;
    const { resource, request, presentation } = this.#parts;
    if (this.#caughtUp) this.#version = event.version;
    const line = event.lineFor(resource, request, presentation);
    if (line !== undefined) this.#push(line);
  }

  end(): void {
    if (this.#closed) return;
    this.#close();
    this.#parts.response.end();
  }

  /** Everything that happened up to the moment the session joined the hub. */
  async #catchUp(): Promise<void> {
    const { store, request } = this.#parts;
    const start = this.#version;
    if (request.initial) {
      await this.#sendPresent(start);
      if (request.markInitial) await this.#send(this.#bookmark(start, INITIAL_END));
      return;
    }
    const after = request.after ?? start;
    if (after > start) {
      throw expired(
        `too large resource version: ${after} (current: ${start}): the server's database was replaced by an older one, list again`,
      );
    }
    if (after < store.oldestVersion) {
      throw expired(`too old resource version: ${after} (${store.oldestVersion})`);
    }
    await this.#sendPast(after, start);
  }

  async #sendPresent(version: number): Promise<void> {
    const { store, resource, request, presentation } = this.#parts;
    let after: { namespace: string; name: string } | undefined;
    do {
      if (version < store.oldestVersion) {
        throw expired(`the state of version ${version} was compacted while it was being sent: list again`);
      }
      const page = store.list(resource.storageKey, {
        version,
        limit: PAGE_ROWS,
        ...(request.namespace !== undefined && { namespace: request.namespace }),
        ...(after !== undefined && { after }),
      });
      for (const { json } of page) {
        if (!selectsAll(request) && !selects(request, parseObject(json, resource))) continue;
        await this.#send(eventLine('ADDED', presentObject(json, resource, presentation, Date.now())));
      }
      after = page.length < PAGE_ROWS ? undefined : page[page.length - 1];
    } while (after !== undefined && !this.#closed);
  }

  async #sendPast(after: number, until: number): Promise<void> {
    const { store, resource, request, presentation } = this.#parts;
    for (const change of store.changesAfter(after, resource.storageKey)) {
      if (change.version > until || this.#closed) return;
      const line = new WatchEvent(change).lineFor(resource, request, presentation);
      if (line !== undefined) await this.#send(line);
    }
  }

  #bookmark(version: number, annotations?: Record<string, string>): string {
    const { resource, presentation } = this.#parts;
    const metadata = {
      resourceVersion: String(version),
      creationTimestamp: null,
      ...(annotations && { annotations }),
    };
    if (presentation.form === 'table') {
      const object = { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata };
      const table = {
        kind: 'Table',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        columnDefinitions: [],
        rows: [{ cells: [], object }],
      };
      return eventLine('BOOKMARK', JSON.stringify(table));
    }
    const [kind, apiVersion] =
      presentation.form === 'partial'
        ? ['PartialObjectMetadata', 'meta.k8s.io/v1']
        : [resource.kind, apiVersionOf(resource)];
    return eventLine('BOOKMARK', JSON.stringify({ kind, apiVersion, metadata }));
  }

  #startTimers(): void {
    const { request, limits } = this.#parts;
    // spread over a factor of two, so that clients started together do not come back together
    const timeoutSec = request.timeoutSec ?? DEFAULT_TIMEOUT_SEC * (1 + Math.random());
    this.#timeoutTimer = setTimeout(() => this.#timeUp(), Math.min(timeoutSec * 1000, 2 ** 31 - 1));
    if (!request.bookmarks) return;
    this.#bookmarkTimer = setInterval(() => this.#offerBookmark(), limits.bookmarkSec * 1000);
  }

  #offerBookmark(): void {
    if (this.#caughtUp && this.#queue.length === 0) {
      this.#version = Math.max(this.#version, this.#parts.store.latestVersion);
      this.#push(this.#bookmark(this.#version));
    }
  }

  #timeUp(): void {
    if (this.#parts.request.bookmarks) this.#offerBookmark();
    this.end();
  }

  #push(line: string): void {
    const { response, limits } = this.#parts;
    if (this.#caughtUp && this.#queue.length === 0 && !response.writableNeedDrain) {
      response.write(line);
      return;
    }
    this.#queue.push(line);
    this.#queuedBytes += line.length;
    if (this.#queuedBytes <= limits.bufferBytes) return;
    this.#close();
    response.destroy();
  }

  async #drainQueue(): Promise<void> {
    while (!this.#closed) {
      const line = this.#queue.shift();
      if (line === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#queuedBytes -= line.length;
      await this.#send(line);
    }
  }

  /** Writes a line and waits until the client has taken what was written before. */
  async #send(line: string): Promise<void> {
    const { response } = this.#parts;
    if (this.#closed || response.write(line)) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    const { status } = error instanceof StatusError ? error : internalError('the watch failed');
    this.#parts.response.write(eventLine('ERROR', JSON.stringify(status)));
    this.end();
    if (!(error instanceof StatusError)) throw error;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timeoutTimer);
    clearInterval(this.#bookmarkTimer);
    this.#parts.hub.remove(this.#parts.resource.storageKey, this);
    this.#queue.length = 0;
    this.#awake();
  }
}
