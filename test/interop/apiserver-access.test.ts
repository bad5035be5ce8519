/** Who may talk to the embedded API server, over TLS and without, and how it stops. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startApiServer } from '#app/apiserver/index.ts';
import { writeKubeconfig } from '#app/apiserver/kubeconfig.ts';
import { ApiWorld, configMap, WatchReader } from './apiserver-world.ts';
import { Kubectl } from './kubectl.ts';

const TOKEN = 'a-token-that-is-long-enough';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

let tls: { cert: string; key: string };
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poplin-access-'));
  const names = [
    { type: 2 as const, value: 'localhost' },
    { type: 7 as const, ip: '127.0.0.1' },
    { type: 7 as const, ip: '::1' },
  ];
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: names },
    ],
  });
  tls = { cert: made.cert, key: made.private };
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The status of a request with free choice of headers, which fetch does not give. */
function codeOf(url: string, headers: Record<string, string>, ca?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https') ? httpsRequest : httpRequest;
    const call = send(url, { headers, ...(ca !== undefined && { agent: new Agent({ ca }) }) }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on('error', reject);
    call.end();
  });
}

describe('a server for this machine alone', () => {
  it.each(['127.0.0.1', '::1', 'localhost'])('serves programs on %s without a token', async (host) => {
    await using world = await ApiWorld.open({ host });
    expect((await world.get('/api')).code).toBe(200);
  });

  it('refuses web pages, and names that are not this machine', async () => {
    await using world = await ApiWorld.open();
    const url = `${world.url}/api`;
    expect(await codeOf(url, { origin: 'https://example.com' })).toBe(403);
    expect(await codeOf(url, { host: 'example.com' })).toBe(403);
    expect(await codeOf(url, { host: 'localhost:1' })).toBe(200);
    expect(await codeOf(url, { host: '[::1]:1' })).toBe(200);
  });
});

describe('a server for other machines', () => {
  const options = { port: 0, databasePath: ':memory:' };

  it.each<[string, object, string]>([
    ['0.0.0.0', {}, '--tls-cert, --tls-key) and a bearer token (--token-file)'],
    ['::', {}, '--tls-cert, --tls-key) and a bearer token (--token-file)'],
    [
      '192.0.2.1',
      { token: TOKEN },
      'add a TLS certificate and key (--tls-cert, --tls-key), or listen on 127.0.0.1',
    ],
    ['example.com', {}, 'refusing to listen on example.com'],
    ['127.0.0.1', { token: 'short' }, 'at least 16'],
  ])('refuses to start on %s with %j', async (host, extra, message) => {
    await expect(startApiServer({ ...options, ...extra, host })).rejects.toThrow(message);
  });

  it('names the token when only that is missing', async () => {
    await expect(startApiServer({ ...options, host: '0.0.0.0', tls })).rejects.toThrow(
      'add a bearer token (--token-file), or',
    );
  });

  it('starts with both, and serves who shows the token', async () => {
    const lines: string[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _, done) {
        lines.push(chunk.toString());
        done();
      },
    });
    const server = await startApiServer({
      ...options,
      host: '0.0.0.0',
      tls,
      token: TOKEN,
      logger: pino({ level: 'trace' }, sink),
    });
    try {
      const url = server.url.replace('0.0.0.0', '127.0.0.1');
      const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
      expect(await codeOf(`${url}/api/v1/nodes`, bearer(TOKEN), tls.cert)).toBe(200);
      expect(await codeOf(`${url}/api/v1/nodes`, {}, tls.cert)).toBe(401);
      expect(await codeOf(`${url}/api/v1/nodes`, bearer(`${TOKEN}x`), tls.cert)).toBe(401);
      expect(await codeOf(`${url}/api/v1/nodes`, { authorization: TOKEN }, tls.cert)).toBe(401);
      expect(await codeOf(`${url}/nothing`, {}, tls.cert)).toBe(401);
      expect(await codeOf(`${url}/healthz`, {}, tls.cert)).toBe(200);
      expect(lines.join('')).toContain('/api/v1/nodes');
      expect(lines.join('')).not.toContain(TOKEN);
    } finally {
      await server.close();
    }
  });

  it('is reached by kubectl through the kubeconfig it writes', async () => {
    const server = await startApiServer({ ...options, host: '::1', tls, token: TOKEN });
    try {
      const path = join(folder, 'kubeconfig');
      await writeKubeconfig(path, { url: server.url, cert: tls.cert, token: TOKEN });
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await new Kubectl(path, folder).ok(['get', 'namespaces', '-o', 'name'])).toContain(
        'namespace/default',
      );
      await writeKubeconfig(path, { url: server.url, cert: tls.cert, token: `${TOKEN}x` });
      expect(await new Kubectl(path, folder).refused(['get', 'namespaces'])).toMatch(
        /Unauthorized|must be logged in/,
      );
    } finally {
      await server.close();
    }
  });
});

describe('the database', () => {
  it('serves one server at a time, and is readable for its owner alone', async () => {
    await using world = await ApiWorld.open();
    const databasePath = join(world.folder, 'objects.db');
    expect((await stat(databasePath)).mode & 0o777).toBe(0o600);
    await expect(startApiServer({ host: '127.0.0.1', port: 0, databasePath })).rejects.toThrow(
      'another process uses it',
    );
  });

  it('is refused when it is something else', async () => {
    const databasePath = join(folder, 'letter.txt');
    await writeFile(
      databasePath,
      'Dear reader, this is no database at all, whatever its name may say.'.repeat(100),
    );
    await expect(startApiServer({ host: '127.0.0.1', port: 0, databasePath })).rejects.toThrow(
      'choose another file',
    );
  });
});

describe('a client that does not read', () => {
  it('is disconnected when its changes pile up, and nobody else is', async () => {
    await using world = await ApiWorld.open({ watchLimits: { bufferBytes: 256 * 1024 } });
    const { hostname, port } = new URL(world.url);
    const { resourceVersion } = (await world.get(CONFIG_MAPS)).body.metadata;
    const path = `${CONFIG_MAPS}?watch=true&resourceVersion=${resourceVersion}`;
    const stalled = connect(Number(port), hostname);
    stalled.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
    stalled.pause();
    await using reader = new WatchReader(world.url + path);
    await world.create(CONFIG_MAPS, configMap('big'));
    await reader.take(1);
    const writes = 40;
    for (let i = 0; i < writes; i++) {
      await world.patch(`${CONFIG_MAPS}/big`, 'merge', { data: { filler: `${i}`.padEnd(400_000, 'x') } });
    }
    await reader.take(writes + 1);
    // reading on, the stalled client finds the end of its stream instead of the missing changes
    const ended = new Promise<number>((resolve) => {
      let size = 0;
      stalled.on('data', (chunk: Buffer) => (size += chunk.length));
      stalled.on('error', () => resolve(size));
      stalled.on('close', () => resolve(size));
    });
    stalled.resume();
    expect(await ended).toBeLessThan(writes * 400_000);
  });
});

describe('stopping', () => {
  it('ends watches cleanly and keeps what was written', async () => {
    await using world = await ApiWorld.open();
    await world.create(CONFIG_MAPS, configMap('kept'));
    await using watch = new WatchReader(`${world.url}${CONFIG_MAPS}?watch=true`);
    await watch.take(1);
    await world.stop();
    await watch.ended();
    await world.start();
    expect((await world.get(`${CONFIG_MAPS}/kept`)).code).toBe(200);
  });
});

describe('poplin apiserver', () => {
  const main = fileURLToPath(import.meta.resolve('./apiserver-command.ts'));
  const run = promisify(execFile);

  it('explains itself', async () => {
    const { stdout } = await run(process.execPath, [main, '--help']);
    for (const flag of [
      '--listen',
      '--db',
      '--tls-cert',
      '--tls-key',
      '--token-file',
      '--write-kubeconfig',
    ]) {
      expect(stdout).toContain(flag);
    }
    expect(stdout).toContain('Examples:');
  });

  it.each<[string[], string]>([
    [['--listen', '0.0.0.0:0'], 'add a TLS certificate and key'],
    [['--listen', 'nonsense'], 'is not HOST:PORT'],
    [['--token-file', '/nonexistent'], 'cannot read --token-file /nonexistent'],
    [['--tls-cert', '/nonexistent'], '--tls-cert and --tls-key go together'],
  ])('fails on %j with a reason', async (args, reason) => {
    const failure = run(process.execPath, [main, '--db', ':memory:', ...args]);
    await expect(failure).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(reason) as string,
    });
  });

  it('serves, writes a kubeconfig and stops on SIGTERM', async () => {
    const kubeconfig = join(folder, 'written');
    const child = execFile(process.execPath, [
      main,
      '--listen',
      '127.0.0.1:0',
      '--db',
      ':memory:',
      '--write-kubeconfig',
      kubeconfig,
    ]);
    let output = '';
    child.stdout?.on('data', (chunk: string) => (output += chunk));
    await vi.waitFor(() => expect(output).toMatch(/^serving http:\/\/127\.0\.0\.1:\d+\n/), {
      timeout: 20_000,
    });
    expect(await new Kubectl(kubeconfig, folder).ok(['get', 'ns', '-o', 'name'])).toContain(
      'namespace/default',
    );
    const exited = new Promise((resolve) => child.on('exit', resolve));
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });
});
