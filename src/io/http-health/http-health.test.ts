import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HealthServer } from './index.ts';

let reason: string | undefined;
let text: () => string;
let server: HealthServer;
beforeEach(async () => {
  reason = undefined;
  text = () => 'x 1\n';
  server = await HealthServer.listen('127.0.0.1', 0, {
    notReady: () => reason,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: text() }),
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const get = async (path: string, method = 'GET') => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return [response.status, await response.text(), response.headers.get('content-type')];
};

/** What comes back for some bytes, until the other end closes. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

describe('health over HTTP', () => {
  test('says that the process runs, and whether the node is ready', async () => {
    expect(await get('/healthz')).toEqual([200, 'running\n', 'text/plain; charset=utf-8']);
    expect(await get('/readyz?verbose')).toEqual([200, 'ready\n', 'text/plain; charset=utf-8']);
    reason = 'no lease';
    expect(await get('/readyz')).toEqual([503, 'not ready: no lease\n', 'text/plain; charset=utf-8']);
    expect((await get('/healthz'))[0]).toBe(200);
    expect(await get('/readyz', 'HEAD')).toEqual([503, '', 'text/plain; charset=utf-8']);
  });

  test('gives metrics in their own type, and an error that is no end of the process', async () => {
    expect(await get('/metrics')).toEqual([200, 'x 1\n', 'text/plain; version=0.0.4']);
    text = () => {
      throw new Error('no figures');
    };
    expect((await get('/metrics')).slice(0, 2)).toEqual([500, 'metrics: no figures\n']);
    expect((await get('/healthz'))[0]).toBe(200);
  });

  test('does nothing else', async () => {
    expect((await get('/'))[0]).toBe(404);
    expect((await get('/healthz', 'POST'))[0]).toBe(405);
    expect((await get('/metrics/../healthz/x'))[0]).toBe(404);
  });

  test('waits for no body, and ends with whoever talks nonsense', async () => {
    const head = 'POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n';
    expect(await raw(head)).toMatch(/^HTTP\/1\.1 405 /);
    expect(await raw('\x16\x03\x01\x02\x00\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(`GET /healthz HTTP/1.1\r\nx: ${'y'.repeat(9000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect((await get('/healthz'))[0]).toBe(200);
  });

  test('says which address is taken', async () => {
    const pages = { notReady: () => undefined, metrics: async () => ({ contentType: '', text: '' }) };
    await expect(HealthServer.listen('127.0.0.1', server.port, pages)).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });

  test('is there in both families where no address is given', async () => {
    const pages = { notReady: () => undefined, metrics: async () => ({ contentType: '', text: '' }) };
    await using both = await HealthServer.listen('', 0, pages);
    for (const host of ['127.0.0.1', '[::1]']) {
      expect((await fetch(`http://${host}:${both.port}/healthz`)).status, host).toBe(200);
    }
  });
});
