import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, test } from 'vitest';
import { addonPath, type NativeAddon, nativeAddon } from '#io/native/index.ts';
import { openDescriptors } from './netlink-socket-messages.ts';

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const SIOCGIFFLAGS = 0x8913;
const SIOCETHTOOL = 0x8946;
const TUNSETIFF = 0x400454ca;
const TUNSETOWNER = 0x400454cc;
const EAGAIN = 11;
const addon = nativeAddon();
const folder = mkdtempSync(join(tmpdir(), 'poplin-native-'));

afterAll(() => rmSync(folder, { recursive: true }));

const encode = (text: string) => new TextEncoder().encode(text);

/** A sockaddr_in or sockaddr_in6 of the loopback. */
function loopback(family: number, port = 0): Uint8Array {
  const address = new Uint8Array(family === AF_INET ? 16 : 28);
  const view = new DataView(address.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port, false);
  if (family === AF_INET) address.set([127, 0, 0, 1], 4);
  else address[23] = 1;
  return address;
}

function withSockets(count: number, family: number, body: (...fds: number[]) => void): void {
  const fds = Array.from({ length: count }, () => addon.socket(family, SOCK_DGRAM, 0));
  try {
    body(...fds);
  } finally {
    for (const fd of fds) addon.close(fd);
  }
}

describe('errors', () => {
  test('carry code, errno, syscall and a readable text', () => {
    expect(() => addon.namespaceOpen('/nowhere')).toThrow(
      expect.objectContaining({
        code: 'ENOENT',
        errno: 2,
        syscall: 'open',
        message: 'open /nowhere: no such file or directory (ENOENT)',
      }),
    );
  });

  test('a missing addon says how to build it', () => {
    const script = `import('#io/native/index.ts').then((m) => m.nativeAddon()).catch((e) => console.log(e.message))`;
    const { stdout } = spawnSync(process.execPath, ['-e', script], {
      encoding: 'utf8',
      env: { ...process.env, POPLIN_ADDON: '/nowhere.node' },
    });
    expect(stdout).toContain('native addon /nowhere.node cannot be loaded');
    expect(stdout).toContain('node tools/build-native.mjs');
  });
});

describe('arguments', () => {
  /** Functions that take none. */
  const BARE = ['namespaceCreate', 'procOpen', 'trimMemory', 'mapLargeBlocks', 'releaseProgram'] as const;
  type Bare = (typeof BARE)[number];
  const bytes = new Uint8Array(64);
  /** A valid call of each function, to be spoilt one argument at a time. Descriptor 1e9 is never open. */
  const calls: Record<Exclude<keyof NativeAddon, Bare>, readonly unknown[]> = {
    namespaceOpen: ['/nowhere'],
    namespaceOfSocket: [1e9],
    runInNamespace: [1e9, () => {}],
    bindMount: ['/nowhere/a', '/nowhere/b'],
    makeMountShared: ['/nowhere/a'],
    unmount: ['/nowhere/a'],
    readFileAt: [1e9, 'nothing'],
    writeFileAt: [1e9, 'nothing', bytes],
    nameFile: [1e9, '/nowhere/a'],
    socket: [1, 1, 77],
    bind: [1e9, bytes],
    connect: [1e9, bytes],
    listen: [1e9, 8],
    accept: [1e9, bytes],
    getsockname: [1e9],
    setsockopt: [1e9, 1, 1, bytes],
    getsockopt: [1e9, 1, 1, 4],
    attachFilter: [1e9, new Uint8Array(8)],
    close: [1e9],
    ioctl: [1e9, SIOCGIFFLAGS, bytes],
    ioctlNumber: [1e9, TUNSETOWNER, 0],
    ethtool: [1e9, 'lo', Uint8Array.of(0x16, 0, 0, 0, 0, 0, 0, 0)],
    send: [1e9, bytes, 0],
    sendto: [1e9, bytes, 0, bytes],
    recv: [1e9, bytes, 0],
    recvfrom: [1e9, bytes, 0, bytes],
    sendmmsg: [1e9, [bytes], 0],
    recvmmsg: [1e9, bytes, 16, new Int32Array(4), 0],
    netlinkExchange: [1e9, bytes],
    pollStart: [1e9, 1, () => {}],
    pollRef: [{}],
    pollUnref: [{}],
    pollClose: [{}],
  };
  const spoilt = [
    undefined,
    null,
    -1,
    1.5,
    Number.NaN,
    2 ** 40,
    'x\0y',
    '',
    {},
    [],
    new Float64Array(2),
    new DataView(new ArrayBuffer(8)),
    Symbol('s'),
    1n,
  ];

  test.each(Object.entries(calls))('%s survives every wrong argument', async (name, valid) => {
    const call = Reflect.get(addon, name) as (...values: unknown[]) => unknown;
    const outcome = async (values: readonly unknown[]) => {
      try {
        return await call(...values);
      } catch (error) {
        return error;
      }
    };
    for (let count = 0; count < valid.length; count += 1) {
      expect(await outcome(valid.slice(0, count))).toBeInstanceOf(TypeError);
    }
    for (let place = 0; place < valid.length; place += 1) {
      for (const value of spoilt) {
        if (typeof value === 'number' && typeof valid[place] === 'number' && Number.isInteger(value))
          continue;
        const result = await outcome(valid.with(place, value));
        if (name === 'sendmmsg' && Array.isArray(value)) continue;
        expect(result, `${name} ${place} ${String(value)}`).toBeInstanceOf(TypeError);
      }
    }
  });

  test('every function of the addon is in this table', () => {
    expect(Object.keys(addon).sort()).toEqual([...Object.keys(calls), ...BARE].sort());
  });

  test('an ioctl buffer shorter than an ifreq, or a request with pointers in it, is refused', () => {
    withSockets(1, AF_INET, (fd = -1) => {
      expect(() => addon.ioctl(fd, SIOCGIFFLAGS, new Uint8Array(39))).toThrow(TypeError);
      expect(() => addon.ioctl(fd, SIOCETHTOOL, new Uint8Array(64))).toThrow(TypeError);
    });
  });
});

describe.each([
  ['IPv4', AF_INET],
  ['IPv6', AF_INET6],
])('datagrams over %s', (_name, family) => {
  test('go one by one, with their addresses', () => {
    withSockets(2, family, (a = -1, b = -1) => {
      addon.bind(a, loopback(family));
      addon.bind(b, loopback(family));
      const from = new Uint8Array(28).fill(255);
      const buffer = new Uint8Array(16);
      expect(addon.recv(a, buffer, MSG_DONTWAIT)).toBe(-EAGAIN);
      expect(addon.sendto(b, encode('hello'), 0, addon.getsockname(a))).toBe(5);
      expect(addon.recvfrom(a, buffer, 0, from)).toBe(5);
      expect(new TextDecoder().decode(buffer.subarray(0, 5))).toBe('hello');
      expect(from.subarray(0, addon.getsockname(b).length)).toEqual(addon.getsockname(b));
      expect(from.subarray(addon.getsockname(b).length).every((byte) => byte === 0)).toBe(true);
    });
  });

  test('go many at once, and one that is cut is told', () => {
    withSockets(2, family, (a = -1, b = -1) => {
      addon.bind(a, loopback(family));
      addon.connect(b, addon.getsockname(a));
      expect(addon.sendmmsg(b, ['a', 'bcd', 'longer than a slice', ''].map(encode), 0)).toBe(4);
      const buffer = new Uint8Array(64);
      const lengths = new Int32Array(8);
      expect(addon.recvmmsg(a, buffer, 8, lengths, MSG_DONTWAIT | MSG_TRUNC)).toBe(4);
      expect([...lengths.subarray(0, 4)]).toEqual([1, 3, 19, 0]);
      expect(new TextDecoder().decode(buffer.subarray(8, 11))).toBe('bcd');
      expect(addon.recvmmsg(a, buffer, 8, lengths, MSG_DONTWAIT)).toBe(-EAGAIN);
      expect(() => addon.recvmmsg(a, buffer, 9, lengths, 0)).toThrow(TypeError);
    });
  });
});

describe('polling', () => {
  test('tells that data has come, survives collection of its handle, and ends when closed', async () => {
    const a = addon.socket(AF_INET, SOCK_DGRAM, 0);
    const b = addon.socket(AF_INET, SOCK_DGRAM, 0);
    addon.bind(a, loopback(AF_INET));
    addon.connect(b, addon.getsockname(a));
    const buffer = new Uint8Array(8);
    let calls = 0;
    let heard = Promise.withResolvers<number>();
    const handle = addon.pollStart(a, 1, (status, events) => {
      calls += 1;
      addon.recv(a, buffer, MSG_DONTWAIT);
      heard.resolve(status === 0 ? events : status);
    });
    for (let i = 1; i <= 3; i += 1) {
      addon.send(b, encode('x'), 0);
      expect(await heard.promise).toBe(1);
      heard = Promise.withResolvers<number>();
      expect(calls).toBe(i);
    }
    addon.pollUnref(handle);
    addon.pollRef(handle);
    addon.pollClose(handle);
    addon.pollClose(handle);
    addon.pollRef(handle);
    addon.send(b, encode('x'), 0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toBe(3);
    addon.close(a);
    addon.close(b);
  });

  test('of a plain file is refused', () => {
    const fd = openSync(addonPath(), 'r');
    expect(() => addon.pollStart(fd, 1, () => {})).toThrow('EPERM');
    closeSync(fd);
  });

  const script = (body: string) => `
    const addon = require(${JSON.stringify(addonPath())});
    const a = addon.socket(2, 2, 0), b = addon.socket(2, 2, 0);
    addon.bind(a, Uint8Array.of(2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0));
    addon.connect(b, addon.getsockname(a));
    addon.send(b, Uint8Array.of(1), 0);
    ${body}`;

  test('goes on when nobody holds the handle, and its exceptions are uncaught exceptions', () => {
    const body = `addon.pollStart(a, 1, () => { throw new Error('from the callback'); });
      globalThis.gc();
      process.on('uncaughtException', (error) => { console.log(error.message); process.exit(0); });`;
    const { stdout, status } = spawnSync(process.execPath, ['--expose-gc', '-e', script(body)], {
      encoding: 'utf8',
    });
    expect([stdout, status]).toEqual(['from the callback\n', 0]);
  });

  test('without a reference does not keep the process alive', () => {
    const body = `addon.recv(a, new Uint8Array(4), 0); addon.pollUnref(addon.pollStart(a, 1, () => {}));`;
    expect(spawnSync(process.execPath, ['-e', script(body)], { timeout: 10_000 }).status).toBe(0);
  });

  test('ends with the worker thread it runs in', async () => {
    const body = `addon.pollStart(a, 1, () => { addon.recv(a, new Uint8Array(4), 64);
      require('node:worker_threads').parentPort.postMessage('heard'); });`;
    for (let i = 0; i < 3; i += 1) {
      const worker = new Worker(script(body), { eval: true });
      expect(
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject)),
      ).toBe('heard');
      await worker.terminate();
    }
  });
});

describe('unix sockets', () => {
  test('tell who listens', async () => {
    const path = join(folder, 'peer.sock');
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    const fd = addon.socket(AF_UNIX, SOCK_STREAM, 0);
    addon.connect(fd, Uint8Array.of(AF_UNIX, 0, ...encode(`${path}\0`)));
    const [pid, uid, gid] = new Int32Array(addon.getsockopt(fd, 1, 17, 12).slice().buffer);
    expect([pid, uid, gid]).toEqual([process.pid, process.getuid?.(), process.getgid?.()]);
    addon.close(fd);
    server.close();
  });
});

describe('devices', () => {
  test('a TUN device is made in a namespace, and its offloads answer to ethtool', () => {
    const namespace = addon.namespaceCreate();
    const device = new Uint8Array(40);
    device.set(encode('poptun%d'));
    new DataView(device.buffer).setUint16(16, 0x1001, true);
    const tun = addon.runInNamespace(namespace, () => {
      const fd = openSync('/dev/net/tun', 'r+');
      expect(addon.ioctl(fd, TUNSETIFF, device)).toBe(0);
      return fd;
    });
    const name = new TextDecoder().decode(device.subarray(0, 16)).replace(/\0.*$/s, '');
    expect(name).toBe('poptun0');
    expect(addon.ioctlNumber(tun, TUNSETOWNER, 2 ** 32 - 2)).toBe(0);
    // Others would take the number for an address.
    expect(() => addon.ioctlNumber(tun, TUNSETIFF, 4096)).toThrow(TypeError);
    const control = addon.socket(AF_INET, SOCK_DGRAM, 0, namespace);
    const question = new Uint8Array(196);
    question[0] = 3;
    addon.ethtool(control, name, question);
    expect(new TextDecoder().decode(question.subarray(4, 7))).toBe('tun');
    expect(() => addon.ethtool(control, 'absent', question)).toThrow('ENODEV');
    expect(() => addon.ethtool(control, name, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0))).toThrow(TypeError);
    for (const fd of [tun, control, namespace]) addon.close(fd);
  });
});

test('a thousand sockets and namespaces leave no descriptor behind', () => {
  const before = openDescriptors();
  const namespace = addon.namespaceCreate();
  for (let i = 0; i < 1000; i += 1) addon.close(addon.socket(AF_INET6, SOCK_DGRAM, 0, namespace));
  for (let i = 0; i < 1000; i += 1)
    expect(() => addon.socket(77, SOCK_DGRAM, 0, namespace)).toThrow('EAFNOSUPPORT');
  for (let i = 0; i < 20; i += 1) addon.close(addon.namespaceCreate());
  addon.close(namespace);
  expect(openDescriptors()).toBe(before);
});
