/**
 * The Kubernetes client against small servers of this file's own, which answer as a test tells them: HTTP, TLS and
 * time limits, where a real API server cannot be made to misbehave.
 */
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { generate } from 'selfsigned';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isConflict, isGone, type KubeObject, RESOURCES, type WatchEvent } from '#core/store/index.ts';
import { systemClock } from '#io/clock/index.ts';
import { createKubeStore, isUnreachable, type KubeConfig, type KubeStoreOptions } from '#io/kube/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { rejectionOf } from '#testing/thrown.ts';

const { nodes, configMaps } = RESOURCES;

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The client's port: the same on a kept connection. */
  readonly port: number;
}

type Answer = (request: Seen, response: ServerResponse) => void;

const cleanups: Array<() => Promise<void> | void> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server whose n-th request gets the n-th answer, the last one for all that follow. */
async function serve(answers: Answer[], tls?: ServerOptions, host = '127.0.0.1') {
  const seen: Seen[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request);
    const { method = '', url = '', headers, socket } = request;
    const record = { method, url, headers, body, port: socket.remotePort ?? 0 };
    seen.push(record);
    const next = answers[seen.length - 1] ?? answers.at(-1);
    next?.(record, response);
  };
  const listener: RequestListener = (request, response) => void answer(request, response);
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.listen(0, host);
  await once(server, 'listening');
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { server, seen, authority, url: `${tls ? 'https' : 'http'}://${authority}` };
}

function client(config: Omit<KubeConfig, 'source'>, options: Partial<KubeStoreOptions> = {}) {
  const store = createKubeStore(
    { ...config, source: 'test' },
    { clock: systemClock, random: () => 0, ...options },
  );
  cleanups.push(() => store.close());
  return store;
}

const SUBJECT = [{ name: 'commonName', value: 'poplin test' }];
const altNames = (...names: object[]) => [{ name: 'subjectAltName', altNames: names }];
const certificateWith = (extensions: object[]) =>
  generate(SUBJECT, { keySize: 2048, algorithm: 'sha256', extensions } as Parameters<typeof generate>[1]);
const serverCertificate = () => certificateWith(altNames({ type: 7, ip: '127.0.0.1' }));
const keysOf = ({ private: key, cert }: Awaited<ReturnType<typeof serverCertificate>>) => ({ key, cert });

const json =
  (value: unknown, code = 200, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value));
  };
const status = (code: number, reason: string, headers: Record<string, string> = {}, details: object = {}) =>
  json(
    { kind: 'Status', status: 'Failure', code, reason, message: `as told: ${reason}`, details },
    code,
    headers,
  );
const node = (name: string, resourceVersion = '1'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, resourceVersion },
});
const page = (names: string[], resourceVersion: string, next = '') =>
  json({
    kind: 'NodeList',
    apiVersion: 'v1',
    metadata: { resourceVersion, continue: next },
    items: names.map((name) => ({ metadata: { name } })),
  });
const event = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`;

describe('requests', () => {
  it('bear the right path, type, body and no more than one connection', async () => {
    const { seen, url } = await serve([json(node('n'))]);
    const store = client({ server: `${url}/prefix/` });
    await store.get(nodes, 'n');
    await store.create(configMaps, { ...node('c'), metadata: { name: 'c', namespace: 'x' } });
    await store.replace(nodes, node('n'), { subresource: 'status' });
    await store.patch(nodes, 'n', 'json', [{ op: 'remove', path: '/x' }]);
    await store.patch(nodes, 'n', 'merge', {});
    await store.patch(nodes, 'n', 'strategic', {}, { subresource: 'status' });
    await store.delete(configMaps, 'c', { namespace: 'x', resourceVersion: '5' });
    await store.delete(nodes, 'n');
    expect(seen.map(({ method, url: path, headers }) => [method, path, headers['content-type']])).toEqual([
      ['GET', '/prefix/api/v1/nodes/n', undefined],
      ['POST', '/prefix/api/v1/namespaces/x/configmaps', 'application/json'],
      ['PUT', '/prefix/api/v1/nodes/n/status', 'application/json'],
      ['PATCH', '/prefix/api/v1/nodes/n', 'application/json-patch+json'],
      ['PATCH', '/prefix/api/v1/nodes/n', 'application/merge-patch+json'],
      ['PATCH', '/prefix/api/v1/nodes/n/status', 'application/strategic-merge-patch+json'],
      ['DELETE', '/prefix/api/v1/namespaces/x/configmaps/c', 'application/json'],
      ['DELETE', '/prefix/api/v1/nodes/n', undefined],
    ]);
    expect(seen[3]?.body).toBe('[{"op":"remove","path":"/x"}]');
    expect(JSON.parse(seen[6]?.body ?? '')).toMatchObject({ preconditions: { resourceVersion: '5' } });
    expect(new Set(seen.map(({ port }) => port)).size).toBe(1);
    expect(seen[0]?.headers).toMatchObject({ accept: 'application/json', 'user-agent': 'poplin' });
    expect(seen[0]?.headers).not.toHaveProperty('authorization');
  });

  it('reach a server over IPv6', async () => {
    const { url, authority } = await serve([json(node('n'))], undefined, '::1');
    const store = client({ server: url });
    expect(store.server).toBe(authority);
    expect((await store.get(nodes, 'n')).metadata.name).toBe('n');
  });

  it('fail with the Status of the answer, or with what a proxy says', async () => {
    const html: Answer = (_request, response) => response.writeHead(502).end('<html>\n bad gateway</html>');
    const surprise: Answer = (_request, response) => response.writeHead(200).end('surprise');
    const { url } = await serve([status(409, 'Conflict'), html, surprise]);
    const store = client({ server: url });
    const conflict = await rejectionOf(Error, store.get(nodes, 'n'));
    expect(isConflict(conflict)).toBe(true);
    expect(conflict).toMatchObject({ message: 'GET /api/v1/nodes/n: as told: Conflict' });
    expect(await rejectionOf(Error, store.get(nodes, 'n'))).toMatchObject({
      code: 502,
      message: 'GET /api/v1/nodes/n: 502 <html> bad gateway</html>',
    });
    await expect(store.get(nodes, 'n')).rejects.toThrow('the answer is not JSON: surprise');
  });

  it('name the server and the cause where there is none', async () => {
    const closed = createTcpServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    const error = await rejectionOf(Error, client({ server: `http://127.0.0.1:${port}` }).get(nodes, 'n'));
    expect(isUnreachable(error)).toBe(true);
    expect((error as Error).message).toBe(
      `kubernetes api at 127.0.0.1:${port}: GET /api/v1/nodes/n: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
  });

  it('are given up when nothing answers in time, also in the middle of an answer', async () => {
    const never: Answer = () => {};
    const half: Answer = (_request, response) => {
      response.writeHead(200);
      response.write('{"kind":');
    };
    const { url, seen } = await serve([never, half]);
    const clock = new SimClock();
    const store = client({ server: url }, { clock });
    for (const count of [1, 2]) {
      const failure = rejectionOf(Error, store.get(nodes, 'n'));
      await vi.waitFor(() => expect(seen).toHaveLength(count));
      await settle();
      clock.advance(30_000);
      expect((await failure) as Error).toMatchObject({
        message: expect.stringContaining('no answer within 30000 ms'),
      });
    }
    expect(clock.pending).toBe(0);
  });

  it('end with the reason of their signal, and with the client', async () => {
    const { url, seen } = await serve([() => {}]);
    const store = client({ server: url });
    const stopping = new AbortController();
    const first = store.get(nodes, 'n', { signal: stopping.signal });
    const second = store.get(nodes, 'n');
    await vi.waitFor(() => expect(seen).toHaveLength(2));
    stopping.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    store.close();
    await expect(second).rejects.toThrow('the client of the kubernetes api at 127.0.0.1');
    await expect(store.get(nodes, 'n')).rejects.toThrow('is closed');
  });

  it('are repeated on a connection the server closed while it was kept', async () => {
    const { url, seen, server } = await serve([
      json(node('n')),
      (_request, response) => void response.socket?.destroy(),
      json(node('n')),
    ]);
    server.keepAliveTimeout = 0;
    const store = client({ server: url });
    await store.get(nodes, 'n');
    await store.get(nodes, 'n');
    expect(seen).toHaveLength(3);
  });

  it('that change something are not repeated by themselves', async () => {
    const { url, seen } = await serve([
      json(node('n')),
      (_request, response) => void response.socket?.destroy(),
    ]);
    const store = client({ server: url });
    await store.get(nodes, 'n');
    expect(isUnreachable(await rejectionOf(Error, store.create(nodes, node('n'))))).toBe(true);
    expect(seen).toHaveLength(2);
  });
});

describe('a server that is overloaded', () => {
  it('is asked again after the time it names', async () => {
    const clock = new SimClock();
    const { url, seen } = await serve([
      status(429, 'TooManyRequests', { 'retry-after': '2' }),
      status(503, 'ServiceUnavailable', { 'retry-after': new Date(clock.now() + 7000).toUTCString() }),
      status(429, 'TooManyRequests', {}, { retryAfterSeconds: 3 }),
      json(node('n'), 201),
    ]);
    const store = client({ server: url }, { clock });
    const created = store.create(nodes, node('n'));
    for (const [count, ms] of [2000, 5000, 3000].entries()) {
      await vi.waitFor(() => expect(clock.nextIn).toBe(ms));
      expect(seen).toHaveLength(count + 1);
      clock.advance(ms);
    }
    expect((await created).metadata.name).toBe('n');
  });

  it('is not asked for ever, and not again where it names no time', async () => {
    const clock = new SimClock();
    const busy = await serve([status(429, 'TooManyRequests', { 'retry-after': '1' })]);
    const failure = rejectionOf(Error, client({ server: busy.url }, { clock }).get(nodes, 'n'));
    for (let attempt = 1; attempt < 5; attempt++) {
      await vi.waitFor(() => expect(clock.nextIn).toBe(1000));
      clock.advance(1000);
    }
    expect(await failure).toMatchObject({ code: 429 });
    const broken = await serve([status(503, 'ServiceUnavailable')]);
    expect(await rejectionOf(Error, client({ server: broken.url }).get(nodes, 'n'))).toMatchObject({
      code: 503,
    });
    expect([busy.seen.length, broken.seen.length]).toEqual([5, 1]);
  });

  it('does not hold up an abort', async () => {
    const clock = new SimClock();
    const { url } = await serve([status(429, 'TooManyRequests', { 'retry-after': '60' })]);
    const stopping = new AbortController();
    const call = client({ server: url }, { clock }).get(nodes, 'n', { signal: stopping.signal });
    await vi.waitFor(() => expect(clock.nextIn).toBe(60_000));
    stopping.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    expect(clock.pending).toBe(0);
  });
});

describe('lists', () => {
  it('are taken page by page, with the type each item leaves out', async () => {
    const { url, seen } = await serve([page(['a', 'b'], '7', 'token/1'), page(['c'], '7')]);
    const list = await client({ server: url }).list(nodes, { labelSelector: 'x in (y)' });
    expect(list.items.map((item) => `${item.apiVersion} ${item.kind} ${item.metadata.name}`)).toEqual([
      'v1 Node a',
      'v1 Node b',
      'v1 Node c',
    ]);
    expect(list.resourceVersion).toBe('7');
    expect(seen.map(({ url: path }) => path)).toEqual([
      '/api/v1/nodes?labelSelector=x+in+%28y%29&limit=500',
      '/api/v1/nodes?labelSelector=x+in+%28y%29&limit=500&continue=token%2F1',
    ]);
  });

  it('begin again when their continue token expires, at last without pages', async () => {
    const expired = status(410, 'Expired');
    const { url, seen } = await serve([
      page(['a'], '7', 't'),
      expired,
      page(['a'], '8', 'u'),
      expired,
      page(['b'], '9'),
    ]);
    const list = await client({ server: url }).list(nodes);
    expect([list.items.map((item) => item.metadata.name), list.resourceVersion]).toEqual([['b'], '9']);
    expect(seen.at(-1)?.url).toBe('/api/v1/nodes');
  });

  it('may be empty in any way a server writes it', async () => {
    const { url } = await serve([
      json({ kind: 'NodeList', metadata: { resourceVersion: '1' }, items: null }),
    ]);
    expect(await client({ server: url }).list(nodes)).toEqual({ items: [], resourceVersion: '1' });
  });
});

describe('watches', () => {
  const streaming =
    (...parts: string[]): Answer =>
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      for (const part of parts) response.write(part);
    };
  const take = async (events: AsyncIterable<WatchEvent>, count: number) => {
    const taken: WatchEvent[] = [];
    for await (const each of events) {
      taken.push(each);
      if (taken.length === count) break;
    }
    return taken;
  };

  it('ask for bookmarks and for an end within 5 to 10 minutes, and close their connection when left', async () => {
    const { url, seen, server } = await serve([
      streaming(event('ADDED', node('n', '8')), event('BOOKMARK', { metadata: { resourceVersion: '12' } })),
    ]);
    let opened = 0;
    for (const random of [0, 0.9999]) {
      const store = client({ server: url }, { random: () => random });
      const options = { resourceVersion: '7', fieldSelector: 'metadata.name=n', onOpen: () => opened++ };
      expect(await take(store.watch(nodes, options), 2)).toEqual([
        { type: 'ADDED', object: node('n', '8') },
        { type: 'BOOKMARK', resourceVersion: '12' },
      ]);
    }
    const timeouts = [300, 599];
    for (const [i, { url: path }] of seen.entries())
      expect(path).toBe(
        `/api/v1/nodes?fieldSelector=metadata.name%3Dn&watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=${timeouts[i]}`,
      );
    expect(opened).toBe(2);
    await vi.waitFor(() => expect(connections(server)).resolves.toBe(0));
  });

  it('outlast the time limit of requests, and end by themselves when the server does not end them', async () => {
    const clock = new SimClock();
    const { url } = await serve([streaming(event('ADDED', node('n')))]);
    const store = client({ server: url }, { clock });
    const taken: string[] = [];
    const watching = (async () => {
      for await (const each of store.watch(nodes, { resourceVersion: '1' })) taken.push(each.type);
    })();
    await vi.waitFor(() => expect(taken).toEqual(['ADDED']));
    clock.advance(300_000 + 29_999);
    await settle();
    expect(clock.pending).toBe(1);
    clock.advance(1);
    await watching;
    expect(clock.pending).toBe(0);
  });

  it.each(['http', 'https'])(
    'over %s that collect bring all in its order and in groups, and their connection serves others',
    async (scheme) => {
      const [events, everyMs, collectMs] = [200, 2, 60];
      const steady: Answer = (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        let sent = 0;
        const timer = setInterval(() => {
          response.write(event('ADDED', node('n', String(++sent))));
          if (sent < events) return;
          clearInterval(timer);
          response.end();
        }, everyMs);
      };
      const certificate = scheme === 'http' ? undefined : await serverCertificate();
      const { url, seen } = await serve([steady, json(node('n'))], certificate && keysOf(certificate));
      const trust = certificate === undefined ? {} : { certificateAuthority: certificate.cert };
      const store = client({ server: url, ...trust });
      const arrivedMs: number[] = [];
      const versions: (string | undefined)[] = [];
      for await (const each of store.watch(nodes, { resourceVersion: '0', collectMs })) {
        arrivedMs.push(performance.now());
        versions.push(each.type === 'BOOKMARK' ? undefined : each.object.metadata.resourceVersion);
      }
      expect(versions).toEqual(Array.from({ length: events }, (_, n) => String(n + 1)));
      const groups = arrivedMs.filter(
        (at, n) => n === 0 || at - (arrivedMs[n - 1] as number) > collectMs / 2,
      );
      expect(groups.length).toBeGreaterThan(2);
      expect(groups.length).toBeLessThan(events / 4);
      // The connection rested when the watch ended, and goes on to serve others.
      expect((await store.get(nodes, 'n')).metadata.name).toBe('n');
      expect(seen[1]?.port).toBe(seen[0]?.port);
    },
  );

  it('fail with errors before, in and instead of the stream', async () => {
    const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
    const cut: Answer = (request, response) => {
      streaming(event('ADDED', node('n')), '{"type":"ADD')(request, response);
      setImmediate(() => response.socket?.destroy());
    };
    const { url } = await serve([
      status(410, 'Expired'),
      streaming(event('ADDED', node('n')), event('ERROR', expired)),
      cut,
      streaming('no json\n'),
    ]);
    const watch = () =>
      rejectionOf(Error, take(client({ server: url }).watch(nodes, { resourceVersion: '1' }), 9));
    expect(isGone(await watch())).toBe(true);
    expect(isGone(await watch())).toBe(true);
    expect(isUnreachable(await watch())).toBe(true);
    expect(await watch()).toMatchObject({
      message: 'watch of /api/v1/nodes: a line of the watch is not JSON: no json',
    });
  });

  it('are left at once when their signal aborts', async () => {
    const { url, server } = await serve([streaming()]);
    const stopping = new AbortController();
    const store = client({ server: url });
    const onOpen = () => stopping.abort(new Error('enough'));
    const failure = rejectionOf(
      Error,
      take(store.watch(nodes, { resourceVersion: '1', signal: stopping.signal, onOpen }), 1),
    );
    expect(await failure).toMatchObject({ message: 'enough' });
    await vi.waitFor(() => expect(connections(server)).resolves.toBe(0));
  });
});

describe('tokens', () => {
  it('are sent, read again after a minute, and at once when refused', async () => {
    const clock = new SimClock();
    const ok = json(node('n'));
    const { url, seen } = await serve([
      ok,
      ok,
      ok,
      status(401, 'Unauthorized'),
      ok,
      status(401, 'Unauthorized'),
    ]);
    let token = 'one';
    const logged: string[] = [];
    const logger = {
      debug: (fields: object, message: string) => void logged.push(JSON.stringify(fields) + message),
      warn: (fields: object, message: string) => void logged.push(JSON.stringify(fields) + message),
    };
    const store = client({ server: url, readToken: () => token }, { clock, logger });
    await store.get(nodes, 'n');
    token = 'two';
    await store.get(nodes, 'n');
    clock.advance(60_000);
    await store.get(nodes, 'n');
    token = 'three';
    await store.get(nodes, 'n');
    expect(await rejectionOf(Error, store.get(nodes, 'n'))).toMatchObject({ code: 401 });
    expect(seen.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer one',
      'Bearer one',
      'Bearer two',
      'Bearer two',
      'Bearer three',
      'Bearer three',
    ]);
    expect(logged.length).toBeGreaterThan(0);
    expect(logged.join()).not.toMatch(/one|two|three/);
  });

  it('that cannot be read fail the call and say why', async () => {
    const { url } = await serve([json(node('n'))]);
    const readToken = () => {
      throw new Error("ENOENT: no such file or directory, open '/token'");
    };
    await expect(client({ server: url, readToken }).get(nodes, 'n')).rejects.toThrow(
      /kubernetes api at .*ENOENT.*\/token/,
    );
  });
});

describe('TLS', async () => {
  const own = await serverCertificate();
  const other = await certificateWith(altNames({ type: 2, value: 'kubernetes.default' }));
  const user = await certificateWith([]);
  const tls = keysOf(own);

  it('verifies the server against the authority given', async () => {
    const { url } = await serve([json(node('n'))], tls);
    expect(
      (await client({ server: url, certificateAuthority: own.cert }).get(nodes, 'n')).metadata.name,
    ).toBe('n');
    for (const wrong of [{}, { certificateAuthority: other.cert }]) {
      const error = await rejectionOf(Error, client({ server: url, ...wrong }).get(nodes, 'n'));
      expect(isUnreachable(error)).toBe(true);
      expect((error as Error).message).toMatch(/certificate/);
    }
  });

  it('verifies the name, or the one the kubeconfig gives', async () => {
    const { url } = await serve([json(node('n'))], { key: other.private, cert: other.cert });
    const config = { server: url, certificateAuthority: other.cert };
    await expect(client(config).get(nodes, 'n')).rejects.toThrow(
      /ERR_TLS_CERT_ALTNAME_INVALID|IP: 127.0.0.1/,
    );
    const named = client({ ...config, tlsServerName: 'kubernetes.default' });
    expect((await named.get(nodes, 'n')).metadata.name).toBe('n');
  });

  it('verifies nothing where the kubeconfig says so, and warns', async () => {
    const { url } = await serve([json(node('n'))], tls);
    const warnings: string[] = [];
    const logger = {
      debug: () => {},
      warn: (_fields: object, message: string) => void warnings.push(message),
    };
    const store = client({ server: url, insecureSkipTlsVerify: true }, { logger });
    await store.get(nodes, 'n');
    expect(warnings).toEqual(['the certificate of the kubernetes api server is not verified']);
  });

  it('shows a client certificate', async () => {
    const answer: Answer = (_request, response) => {
      const peer = (
        response.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }
      ).getPeerCertificate();
      json(node(peer.subject.CN))(_request, response);
    };
    const { url } = await serve([answer], {
      ...tls,
      requestCert: true,
      rejectUnauthorized: true,
      ca: user.cert,
    });
    const config = { server: url, certificateAuthority: own.cert };
    const mine = client({ ...config, clientCertificate: user.cert, clientKey: user.private });
    expect((await mine.get(nodes, 'n')).metadata.name).toBe('poplin test');
    expect(isUnreachable(await rejectionOf(Error, client(config).get(nodes, 'n')))).toBe(true);
  });
});

function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}
