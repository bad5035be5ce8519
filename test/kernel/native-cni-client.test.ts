import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = mkdtempSync(join(tmpdir(), 'poplin-cni-'));
const plugin = join(folder, 'bridge');
const sanitized = join(folder, 'sanitized');
const socketPath = join(folder, 'cni.sock');
const pending = join(folder, 'var', 'pending');
const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];

interface Outcome {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Run {
  readonly env?: Record<string, string>;
  readonly stdin?: string | Uint8Array;
  readonly file?: string;
}

async function run(
  command: string | undefined,
  { env = {}, stdin = '{}', file = plugin }: Run = {},
): Promise<Outcome> {
  const child: ChildProcess = spawn(file, {
    env: {
      PATH: '/usr/bin',
      POPLIN_CNI_SOCKET: socketPath,
      POPLIN_CNI_PENDING_DIR: pending,
      ...(command === undefined ? {} : { CNI_COMMAND: command }),
      ...env,
    },
  });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin?.on('error', () => {});
  child.stdin?.end(stdin);
  const [status, signal] = await once(child, 'close');
  return {
    status,
    signal,
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
  };
}

interface Request {
  readonly plugin: string;
  readonly env: Record<string, string>;
  readonly stdin: Buffer;
}

/** Parses a whole request frame; undefined while bytes are missing. */
function parseRequest(bytes: Buffer): Request | undefined {
  if (bytes.length < 8) return undefined;
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('PCN1\0\0\0\x01');
  const fields: Buffer[] = [];
  let at = 8;
  for (let i = 0; i < 3; i += 1) {
    if (at + 4 > bytes.length) return undefined;
    const length = bytes.readUInt32BE(at);
    if (at + 4 + length > bytes.length) return undefined;
    fields.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  expect(at).toBe(bytes.length);
  const [name = Buffer.alloc(0), env = Buffer.alloc(0), stdin = Buffer.alloc(0)] = fields;
  const pairs = env
    .toString()
    .split('\0')
    .slice(0, -1)
    .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return { plugin: name.toString(), env: Object.fromEntries(pairs), stdin };
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function reply(status: number, stdout: string | Buffer, stderr: string): Buffer {
  const [out, err] = [Buffer.from(stdout), Buffer.from(stderr)];
  return Buffer.concat([
    Buffer.from('PCN1'),
    u32(1),
    u32(status),
    u32(out.length),
    out,
    u32(err.length),
    err,
  ]);
}

/** Serves the agent's end while `body` runs. */
async function withAgent(
  answer: (request: Request, socket: Socket) => void,
  body: () => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    let received = Buffer.alloc(0);
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const request = parseRequest(received);
      if (request !== undefined) answer(request, socket);
    });
  }).listen(socketPath);
  await once(server, 'listening');
  try {
    await body();
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }
}

const errorOf = (outcome: Outcome) => JSON.parse(outcome.stdout) as Record<string, unknown>;

beforeAll(async () => {
  copyFileSync(join(project, 'dist', 'poplin-cni'), plugin);
  const build: string = new URL('../../tools/build-native.mjs', import.meta.url).href;
  const { buildSanitizedClient } = (await import(build)) as { buildSanitizedClient(output: string): void };
  buildSanitizedClient(sanitized);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('without a command', () => {
  test('the plugin says what it is', async () => {
    const { status, stdout, stderr } = await run(undefined);
    expect([status, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(/^CNI bridge plugin \(Poplin \d+\.\d+\.\d+\)\n/);
    expect(stderr).toContain(`CNI protocol versions supported: ${VERSIONS.join(', ')}\n`);
  });
});

describe('VERSION', () => {
  test.each([
    ['{"cniVersion":"0.4.0"}', '0.4.0'],
    ['', '1.1.0'],
    ['{"name":"cniVersion","cniVersion" : "1.0.0"}', '1.0.0'],
    ['{"a":{"cniVersion":"9"},"b":["cniVersion","8"],"cniVersion":"0.3.1","c":{"cniVersion":"7"}}', '0.3.1'],
    ['{"s":"\\"cniVersion\\":\\"6\\"","cniVersion":"0.2.0"}', '0.2.0'],
    ['{"a":{"cniVersion":"9"}}', '1.1.0'],
    ['["cniVersion","0.4.0"]', '1.1.0'],
    ['{"cniVersion":7}', '1.1.0'],
    ['{"cniVersion":"a\\"b"}', '1.1.0'],
    [`{"cniVersion":"${'1'.repeat(40)}"}`, '1.1.0'],
    ['{"cniVersion":"0.4.0', '1.1.0'],
    ['\n\t {"cniVersion":\r\n"0.1.0" , "x": [}', '0.1.0'],
  ])('on %j works without the agent', async (stdin, cniVersion) => {
    const outcome = await run('VERSION', { stdin });
    expect([outcome.status, outcome.stderr]).toEqual([0, '']);
    expect(JSON.parse(outcome.stdout)).toEqual({ cniVersion, supportedVersions: VERSIONS });
  });
});

describe('without the agent', () => {
  test.each([
    ['ADD', 11],
    ['CHECK', 11],
    ['GC', 11],
    ['STATUS', 50],
  ])('%s fails with code %i', async (command, code) => {
    const outcome = await run(command, { stdin: '{"cniVersion":"0.4.0"}' });
    expect(outcome.status).toBe(1);
    expect(errorOf(outcome)).toEqual({
      cniVersion: '0.4.0',
      code,
      msg: 'the Poplin agent does not answer: start it with `poplin agent`',
      details: `connect ${socketPath}: No such file or directory`,
    });
  });

  test.each([
    [
      'a file that is no socket',
      () => writeFileSync(join(folder, 'plain'), ''),
      'plain',
      'Connection refused',
    ],
    ['a path through a file', () => writeFileSync(join(folder, 'plain'), ''), 'plain/x', 'Not a directory'],
    [
      'links in a circle',
      () => symlinkSync('circle', join(folder, 'circle')),
      'circle',
      'Too many levels of symbolic links',
    ],
  ])('%s in place of the socket is told in the words of the system', async (_what, prepare, name, words) => {
    prepare();
    const path = join(folder, name);
    for (const file of [plugin, sanitized]) {
      const outcome = await run('ADD', { file, env: { POPLIN_CNI_SOCKET: path } });
      expect(errorOf(outcome)).toMatchObject({ code: 11, details: `connect ${path}: ${words}` });
    }
  });

  test('DEL is recorded durably, one private file each, in order', async () => {
    const before = Date.now();
    for (const container of ['a', 'b']) {
      const outcome = await run('DEL', {
        env: { CNI_CONTAINERID: container },
        stdin: '{"cniVersion":"1.0.0"}',
      });
      expect([outcome.status, outcome.stdout]).toEqual([0, '']);
      expect(outcome.stderr).toContain('the deletion is recorded');
    }
    const names = readdirSync(pending).sort();
    const requests = names.map((name) => parseRequest(readFileSync(join(pending, name))));
    expect(requests.map((request) => request?.env['CNI_CONTAINERID'])).toEqual(['a', 'b']);
    expect(requests[0]).toMatchObject({ plugin: 'bridge', env: { CNI_COMMAND: 'DEL' } });
    expect(requests[0]?.stdin.toString()).toBe('{"cniVersion":"1.0.0"}');
    for (const name of names) {
      expect(name).toMatch(/^\d{11}\.\d{9}-\d+\.frame$/);
      expect(Number(name.slice(0, 21)) * 1000).toBeGreaterThanOrEqual(before - 1000);
      expect(statSync(join(pending, name)).mode & 0o777).toBe(0o600);
    }
  });

  test('a DEL that cannot be recorded fails, so that the runtime tries again', async () => {
    writeFileSync(join(folder, 'file'), '');
    const outcome = await run('DEL', { env: { POPLIN_CNI_PENDING_DIR: join(folder, 'file', 'x') } });
    expect(outcome.status).toBe(1);
    expect(errorOf(outcome)).toMatchObject({
      code: 5,
      details: expect.stringContaining('create folder: Not a directory'),
    });
  });

  test('whatever is printed is JSON, even when the paths are not text', async () => {
    const outcome = await run('ADD', { env: { POPLIN_CNI_SOCKET: '/no"where\\\n\x7f/ü.sock' } });
    expect(errorOf(outcome)['details']).toContain('connect /no"where\\\n\x7f/');
  });
});

describe('with the agent', () => {
  test('the request holds name, CNI variables and stdin, and nothing else; the answer is printed', async () => {
    const seen: Request[] = [];
    await withAgent(
      (request, socket) => {
        seen.push(request);
        socket.end(reply(3, '{"ips":[]}', 'a warning\n'));
      },
      async () => {
        const outcome = await run('ADD', {
          env: { CNI_IFNAME: 'eth0', CNI_ARGS: 'A=B;C=D', SECRET: 'x' },
          stdin: '{"name":"n"}',
        });
        expect(outcome).toEqual({ status: 3, signal: null, stdout: '{"ips":[]}', stderr: 'a warning\n' });
      },
    );
    expect(seen).toEqual([
      {
        plugin: 'bridge',
        env: { CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth0', CNI_ARGS: 'A=B;C=D' },
        stdin: Buffer.from('{"name":"n"}'),
      },
    ]);
  });

  test('the largest request and the largest answer pass', async () => {
    const stdin = randomBytes(1024 * 1024);
    const answer = 'x'.repeat(4 * 1024 * 1024);
    await withAgent(
      (request, socket) => socket.end(reply(request.stdin.equals(stdin) ? 0 : 9, answer, '')),
      async () => {
        const { status, stdout } = await run('ADD', { stdin });
        expect([status, stdout === answer]).toEqual([0, true]);
      },
    );
  });

  test('an answer in single bytes is put together', async () => {
    const frame = reply(0, 'out', 'err');
    await withAgent(
      (_request, socket) => {
        socket.setNoDelay();
        let at = 0;
        const next = (): void => {
          if (at < frame.length) socket.write(frame.subarray(at, ++at), () => setImmediate(next));
        };
        next();
      },
      async () => expect(await run('ADD')).toMatchObject({ status: 0, stdout: 'out', stderr: 'err' }),
    );
  });

  test.each([
    ['closes at once', Buffer.alloc(0), 'closed the connection'],
    ['closes in the middle', reply(0, 'out', 'err').subarray(0, -1), 'closed the connection'],
    ['speaks something else', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'different releases'],
    [
      'claims 4 GiB',
      Buffer.concat([reply(0, '', '').subarray(0, 12), u32(0xffff_ffff)]),
      'larger than 4 MiB',
    ],
    [
      'claims 4 GiB of errors',
      Buffer.concat([reply(0, 'abc', '').subarray(0, -4), u32(0xffff_fffd)]),
      'larger than 4 MiB',
    ],
  ])('an agent that %s is as good as away', async (_name, bytes, text) => {
    await withAgent(
      (_request, socket) => socket.end(bytes),
      async () => {
        const added = await run('ADD', { file: sanitized });
        expect(errorOf(added)).toMatchObject({ code: 11, details: expect.stringContaining(text) });
        const count = readdirSync(pending).length;
        expect((await run('DEL')).status).toBe(0);
        expect(readdirSync(pending).length).toBe(count + 1);
      },
    );
  });

  test('an agent that is silent is given up when the time is over', async () => {
    await withAgent(
      () => {},
      async () => {
        const outcome = await run('ADD', { env: { POPLIN_CNI_TIMEOUT: '1' } });
        expect(errorOf(outcome)).toMatchObject({ code: 11, details: 'the agent did not answer in time' });
      },
    );
  });

  test('a socket that belongs to another user is not trusted', async () => {
    chmodSync(folder, 0o755);
    const open = join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const foreign = join(open, 'foreign.sock');
    const script = `require('node:net').createServer(() => {}).listen(process.argv[1], () => console.log('ready'))`;
    const node = join(folder, 'node');
    copyFileSync(process.execPath, node);
    const other = spawn(node, ['-e', script, foreign], { uid: 65_534, gid: 65_534, cwd: '/', env: {} });
    try {
      await once(other.stdout, 'data');
      const outcome = await run('ADD', { env: { POPLIN_CNI_SOCKET: foreign } });
      expect(errorOf(outcome)).toMatchObject({
        code: 11,
        details: 'the socket belongs to user 65534, neither root nor our own',
      });
    } finally {
      other.kill();
    }
  });
});

describe('limits', () => {
  test('stdin of more than 1 MiB is refused', async () => {
    const outcome = await run('ADD', { stdin: new Uint8Array(1024 * 1024 + 1), file: sanitized });
    expect(errorOf(outcome)).toMatchObject({ code: 7, details: 'it is larger than 1 MiB' });
  });

  test('an environment of more than 256 KiB is refused, one of just 256 KiB is not', async () => {
    const wide = (total: number) => {
      const rest = total - 'CNI_COMMAND=ADD\0'.length;
      const half = Math.floor(rest / 4);
      const sizes = [half, half, half, rest - 3 * half];
      return Object.fromEntries(sizes.map((size, i) => [`CNI_A${i}`, 'x'.repeat(size - 'CNI_A0=\0'.length)]));
    };
    const over = await run('ADD', { env: wide(256 * 1024 + 1), file: sanitized });
    expect(errorOf(over)).toMatchObject({ code: 4, details: 'the CNI_* variables are larger than 256 KiB' });
    const exact = await run('ADD', { env: wide(256 * 1024), file: sanitized });
    expect(errorOf(exact)).toMatchObject({ code: 11 });
  });

  test('stdin that never ends is given up', async () => {
    const child = spawn(plugin, {
      env: { CNI_COMMAND: 'ADD', POPLIN_CNI_TIMEOUT: '1' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    expect(JSON.parse(chunk.toString())).toMatchObject({ code: 7, details: 'its end did not come in time' });
    child.stdin.end();
  });
});

test('random bytes on stdin never crash the client, and its answer is always JSON', async () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    ':',
    ',',
    '"cniVersion"',
    '"1.0.0"',
    ' ',
    '\0',
    '\u00ff',
    'a',
  ];
  const random = (length: number) =>
    Array.from(randomBytes(length), (byte) => pieces[byte % pieces.length]).join('');
  for (let i = 0; i < 120; i += 1) {
    const stdin = i % 2 === 0 ? randomBytes(i * 3) : `{${random(i)}`;
    const outcome = await run(i % 3 === 0 ? 'VERSION' : 'ADD', { stdin, file: sanitized });
    expect(outcome.stderr, JSON.stringify(stdin)).toBe('');
    expect(outcome.signal).toBeNull();
    expect([0, 1]).toContain(outcome.status);
    expect(typeof errorOf(outcome)['cniVersion']).toBe('string');
  }
});

test('the client is small and an executable without an interpreter: it needs no shared library', () => {
  const elf = readFileSync(plugin);
  expect(elf.length).toBeLessThan(1024 * 1024);
  const [at, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
  const types = Array.from({ length: count }, (_, i) => elf.readUInt32LE(at + i * size));
  expect(types).toContain(1);
  expect(types).not.toContain(3);
});
