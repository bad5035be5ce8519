/**
 * What nobody well-meaning sends: through the plugins on disk and straight into the agent's socket. Each is an error with a code of the
 * specification or a closed door; the agent lives on, small, makes no file where it should not, and serves the next pod.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep, setInterval as ticks } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decodeReply, encodeRequest } from '#io/cni/server/index.ts';
import { repeatableRuns } from '#testing/soak.ts';
import { CniHost, type Outcome } from './cni-host.ts';

const IPAM = { type: 'host-local', ranges: [[{ subnet: '10.83.0.0/24' }], [{ subnet: 'fd83::/64' }]] };
const NET = { cniVersion: '1.1.0', name: 'net', type: 'bridge', isGateway: true, ipam: IPAM };
const MAX_RESIDENT_KB = 400_000;
/** Of the specification, without 999, by which a mistake of our own would show. */
const CODES = [1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 110, 111, 112, 113, 114];

let host: CniHost;
let agent: number;
let outside: string[];
beforeAll(async () => {
  host = new CniHost();
  host.pod('a');
  host.pod('next');
  mkdirSync(join(host.folder, 'canary'));
  agent = (await host.startAgent()).pid;
  outside = filesOutside();
});
afterAll(() => host[Symbol.asyncDispose]());

/** Everything beside the agent's own folder and the namespaces. */
function filesOutside(): string[] {
  return (readdirSync(host.folder, { recursive: true }) as string[])
    .filter((path) => !/^(root|pod-|trick)/.test(path))
    .sort();
}

afterEach(async () => {
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent}/status`, 'utf8'))?.[1];
  expect(Number(resident)).toBeLessThan(MAX_RESIDENT_KB);
  expect(filesOutside()).toEqual(outside);
  const added = await host.call('bridge', 'ADD', 'next', NET);
  expect(added.status, added.stdout).toBe(0);
  for (const gateway of ['10.83.0.1', 'fd83::1']) host.inPod('next', `ping -nqc1 -W2 ${gateway}`);
  expect((await host.call('bridge', 'DEL', 'next', NET)).status).toBe(0);
  expect(host.inPod('a', 'ip -o link')).not.toContain('eth0');
});

type Json = Readonly<Record<string, unknown>>;

function errorOf({ status, stdout }: Outcome): Json {
  expect(status).toBe(1);
  const error = JSON.parse(stdout) as Json;
  expect(CODES, stdout.slice(0, 500)).toContain(error['code']);
  return error;
}

/** Calls a plugin on disk with any bytes. */
function feed(stdin: string | Uint8Array, more: Record<string, string> = {}): Promise<Outcome> {
  const { PATH = '' } = process.env;
  const child = spawn('nsenter', [`--net=${host.host}`, join(host.bin, 'bridge')], {
    env: {
      PATH,
      POPLIN_CNI_SOCKET: host.paths.cniSocket,
      POPLIN_CNI_PENDING_DIR: host.paths.cniPending,
      ...variables(),
      ...more,
    },
    stdio: 'pipe',
  });
  return host.finish(child, stdin);
}

function variables(): Record<string, string> {
  return {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'container-a',
    CNI_NETNS: host.pod('a'),
    CNI_IFNAME: 'eth0',
    CNI_PATH: host.bin,
  };
}

/** One call straight into the socket. */
async function ask(config: object, more: Record<string, string> = {}, plugin = 'bridge'): Promise<Outcome> {
  const frame = encodeRequest({
    plugin,
    environment: { ...variables(), ...more },
    stdin: JSON.stringify(config),
  });
  const { exitStatus, stdout, stderr } = decodeReply(await send(frame));
  return { status: exitStatus, stdout, stderr };
}

/** What comes back for these bytes. */
async function send(bytes: Uint8Array): Promise<Uint8Array> {
  const socket = connect(host.paths.cniSocket);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  socket.end(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

describe('standard input', () => {
  test('of two megabytes is refused by the plugin itself', async () => {
    errorOf(await feed(JSON.stringify({ ...NET, filler: 'x'.repeat(2 * 1024 * 1024) })));
  });

  test.each([
    [
      'lists',
      `{"cniVersion":"1.1.0","name":"net","type":"bridge","ipam":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    ],
    ['objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['lists behind a comment', `/**/{"name":"net","ipam":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['lists without an end', '['.repeat(1_000_000)],
  ])('with 100,000 levels of %s is error 6', async (_name, text) => {
    expect(errorOf(await feed(text))).toMatchObject({
      code: 6,
      details: 'it has more than 1000 levels of objects and lists',
    });
  });

  test('that is not UTF-8, empty, cut off, or no object is an error', async () => {
    const text = JSON.stringify(NET);
    const wrong = Buffer.from(text.replace('"net"', '"n\u00e9t"'), 'latin1');
    for (const bytes of [wrong, '', text.slice(0, -3), 'null', '[]', '7', '"text"', '\0\0\0', '\ufeff{}'])
      errorOf(await feed(bytes));
  });

  const KEYS = [
    ...['cniVersion', 'name', 'ipam', 'dns', 'prevResult', 'args', 'runtimeConfig', 'bridge', 'isGateway'],
    ...[
      'isDefaultGateway',
      'ipMasq',
      'mtu',
      'hairpinMode',
      'promiscMode',
      'vlan',
      'mac',
      'enabledad',
      '__proto__',
    ],
  ];
  const VALUES = [
    -1,
    1e300,
    'x',
    '../x',
    true,
    [],
    [[{}]],
    {},
    { type: 7, ranges: {}, cni: [], mac: 7, ips: 'x' },
  ];

  test.each(KEYS)('with values of the wrong type in "%s" is an error, or means nothing', async (key) => {
    for (const value of VALUES) {
      const config = JSON.parse(JSON.stringify(NET)) as object;
      Object.defineProperty(config, key, { value, enumerable: true });
      for (const command of ['ADD', 'CHECK', 'STATUS', 'GC', 'DEL']) {
        const outcome = await ask(config, { CNI_COMMAND: command });
        if (outcome.status !== 0) errorOf(outcome);
      }
      await ask(NET, { CNI_COMMAND: 'DEL' });
    }
  });
});

describe('the environment', () => {
  test('of 360 kilobytes is refused', async () => {
    const filler = 'x'.repeat(120 * 1024);
    errorOf(await feed(JSON.stringify(NET), { CNI_ARGS: filler, CNI_A: filler, CNI_B: filler }));
  });

  test.each([
    ['CNI_CONTAINERID', ['../../etc', 'a/b', '.hidden', 'a b', 'a\nb', '-'], [4]],
    ['CNI_IFNAME', ['..', '.', 'a/b', '../../eth0', 'a b', 'x'.repeat(16), 'a:b', '%d\n'], [4]],
    ['CNI_ARGS', ['=', 'a', 'a=b=c', ';;;', 'IgnoreUnknown=maybe', 'IP=../../x', 'MAC=zz'], [4]],
    ['CNI_COMMAND', ['add', 'ADD ', 'EXEC', 'toString', '__proto__'], [4]],
  ])('with tricks in %s is an error', async (name, values, codes) => {
    for (const value of values) {
      const error = errorOf(await feed(JSON.stringify(NET), { [name]: value }));
      expect(codes, `${value.slice(0, 20)}: ${JSON.stringify(error)}`).toContain(error['code']);
    }
  });

  test('whose CNI_NETNS is no network namespace is an error, at once', async () => {
    const trick = join(host.folder, 'trick');
    mkdirSync(trick, { recursive: true });
    writeFileSync(join(trick, 'file'), 'x');
    execFileSync('mkfifo', [join(trick, 'fifo')]);
    symlinkSync('loop', join(trick, 'loop'));
    const paths = ['file', 'fifo', 'loop', '.', 'absent', 'file/../file'].map((name) => `${trick}/${name}`);
    for (const path of [
      ...paths,
      `${host.pod('a')}/../pod-a`,
      '/proc/self/ns/mnt',
      '/dev/null',
      'x'.repeat(5000),
    ]) {
      const before = performance.now();
      expect(errorOf(await ask(NET, { CNI_NETNS: path })), path.slice(0, 60)).toMatchObject({ code: 3 });
      expect(performance.now() - before).toBeLessThan(2000);
      expect((await ask(NET, { CNI_NETNS: path, CNI_COMMAND: 'DEL' })).status, path.slice(0, 60)).toBe(0);
    }
    expect(errorOf(await ask(NET, { CNI_NETNS: `/proc/${agent}/ns/net` }))).toMatchObject({ code: 8 });
  });
});

describe('paths in the configuration', () => {
  const FOLDERS = [
    'canary',
    './canary',
    '../canary',
    '/../canary',
    '/tmp/../canary',
    '/proc/canary',
    '//proc/1',
    '/sys/x',
    'a\0b',
  ];

  test.each(FOLDERS)('dataDir %j is error 7 that names it, also at DEL', async (dataDir) => {
    const config = { ...NET, ipam: { ...IPAM, dataDir } };
    for (const command of ['ADD', 'DEL', 'STATUS']) {
      const error = errorOf(await ask(config, { CNI_COMMAND: command }));
      expect(error).toMatchObject({ code: 7, details: expect.stringContaining('ipam.dataDir') });
      expect(error['details']).toContain(JSON.stringify(dataDir));
    }
    const added = await ask(NET);
    expect(added.status).toBe(0);
    const tuned = {
      ...NET,
      type: 'tuning',
      mtu: 1400,
      dataDir,
      prevResult: JSON.parse(added.stdout) as object,
    };
    expect(errorOf(await ask(tuned, {}, 'tuning'))).toMatchObject({
      code: 7,
      details: expect.stringMatching(/^dataDir: /),
    });
    expect((await ask(tuned, { CNI_COMMAND: 'DEL' }, 'tuning')).status).toBe(0);
    expect((await ask(NET, { CNI_COMMAND: 'DEL' })).status).toBe(0);
  });

  test('a dataDir in the way of which a file is, or that leads in circles, is error 5', async () => {
    const trick = join(host.folder, 'trick-dirs');
    mkdirSync(trick);
    writeFileSync(join(trick, 'file'), '');
    symlinkSync('loop', join(trick, 'loop'));
    for (const name of ['file', 'loop']) {
      const config = { ...NET, ipam: { ...IPAM, dataDir: join(trick, name) } };
      expect(errorOf(await ask(config))).toMatchObject({ code: 5 });
    }
  });

  test.each(['../net', 'a/b', '..', '.', '', 'net\n', '/etc'])(
    'a network called %j is an error',
    async (name) => {
      for (const command of ['ADD', 'DEL']) errorOf(await ask({ ...NET, name }, { CNI_COMMAND: command }));
    },
  );

  test('a resolvConf that is no small file is error 5, at once', async () => {
    const trick = join(host.folder, 'trick-resolv');
    mkdirSync(trick);
    execFileSync('mkfifo', [join(trick, 'fifo')]);
    writeFileSync(join(trick, 'huge'), 'nameserver 10.0.0.1\n'.repeat(1_000_000));
    for (const path of [trick, join(trick, 'fifo'), join(trick, 'huge'), '/dev/zero', '/nowhere', 'a\0b']) {
      const before = performance.now();
      expect(errorOf(await ask({ ...NET, ipam: { ...IPAM, resolvConf: path } }))).toMatchObject({
        code: 5,
        msg: `cannot read ipam.resolvConf ${JSON.stringify(path)}`,
      });
      expect(performance.now() - before).toBeLessThan(2000);
    }
  });

  test('plugins that are paths are not executed', async () => {
    host.script('canary-ipam', `touch ${join(host.folder, 'canary', 'ran')}`);
    outside = filesOutside();
    for (const type of [
      '../bin/canary-ipam',
      '/bin/sh',
      './canary-ipam',
      join(host.bin, 'canary-ipam'),
      '..',
    ]) {
      errorOf(await ask({ ...NET, ipam: { type } }));
      errorOf(await ask(NET, {}, type));
    }
  });
});

/** A connection; while the kernel's queue for the agent is full it is tried again. */
async function connected(): Promise<Socket> {
  for (;;) {
    const socket = connect(host.paths.cniSocket).resume();
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await sleep(5);
    }
  }
}

describe('the socket', () => {
  test('is closed to other users, by its mode and, where that is opened, by their credentials', async () => {
    const client = (text: string): Promise<Outcome> =>
      host.finish(
        spawn(
          'setpriv',
          ['--reuid=65534', '--regid=65534', '--clear-groups', '/usr/bin/python3', '-c', text],
          {
            stdio: 'pipe',
          },
        ),
      );
    const talk = `
import socket
s = socket.socket(socket.AF_UNIX); s.settimeout(5)
s.connect(${JSON.stringify(host.paths.cniSocket)})
try: print(s.send(b'PCN1'), s.recv(9))
except (BrokenPipeError, ConnectionResetError): print('closed')
`;
    expect((await client(talk)).stderr).toContain('PermissionError');
    const opened: string[] = [];
    for (let path = host.paths.cniSocket; path.startsWith(host.folder); path = dirname(path)) {
      chmodSync(path, 0o777);
      opened.push(path);
    }
    expect((await client(talk)).stdout).toMatch(/closed|b''/);
    for (const path of opened) chmodSync(path, path === host.paths.cniSocket ? 0o600 : 0o700);
  });

  test('serves while thousands sit at it, who get as long as who sends a byte a second', async () => {
    const sockets: Socket[] = [];
    const closed: Promise<unknown>[] = [];
    const before = performance.now();
    while (sockets.length < 3000) {
      const socket = await connected();
      sockets.push(socket);
      closed.push(new Promise((resolve) => socket.on('error', resolve).on('close', resolve)));
    }
    const slow = sockets.at(-1) as Socket;
    const frame = encodeRequest({ plugin: 'bridge', environment: variables(), stdin: JSON.stringify(NET) });
    expect((await ask(NET)).status).toBe(0);
    expect((await ask(NET, { CNI_COMMAND: 'DEL' })).status).toBe(0);
    let at = 0;
    for await (const _tick of ticks(1000)) {
      if (slow.destroyed) break;
      slow.write(frame.subarray(at, ++at));
    }
    await Promise.all(closed);
    expect(performance.now() - before).toBeLessThan(20_000);
    expect(at).toBeLessThan(15);
  }, 40_000);

  test('takes any bytes', async () => {
    const frame = encodeRequest({
      plugin: 'bridge',
      environment: { ...variables(), CNI_NETNS: '/nowhere/at/all' },
      stdin: JSON.stringify({ ...NET, ipam: {} }),
    });
    const cut = fc.nat({ max: frame.length - 1 }).map((end) => frame.slice(0, end));
    const changed = fc
      .array(fc.tuple(fc.nat({ max: frame.length - 1 }), fc.nat({ max: 255 })), {
        minLength: 1,
        maxLength: 5,
      })
      .map((changes) => changes.reduce((bytes, [index, value]) => bytes.with(index, value), frame));
    const longer = fc.uint8Array({ minLength: 1 }).map((more) => Uint8Array.from([...frame, ...more]));
    const any = fc.oneof(fc.uint8Array({ maxLength: 2000 }), cut, changed, longer);
    await fc.assert(
      fc.asyncProperty(any, async (bytes) => {
        const reply = await send(bytes);
        if (reply.length === 0) return;
        const { exitStatus, stdout } = decodeReply(reply);
        if (exitStatus !== 0) errorOf({ status: exitStatus, stdout, stderr: '' });
      }),
      repeatableRuns(300, 100_000),
    );
  });
});
