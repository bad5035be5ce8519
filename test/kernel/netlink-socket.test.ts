import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { removeNamespace } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';
import {
  isExist,
  isNotFound,
  NETLINK_GENERIC,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NetlinkError,
  type NetlinkExchange,
  NetlinkSocket,
  type NetlinkTransport,
} from '#io/netlink/index.ts';
import { thrownBy } from '#testing/thrown.ts';
import { Channel } from '../../src/io/netlink/channel.ts';
import { openDescriptor } from '../../src/io/netlink/descriptor.ts';
import { splitMessages } from '../../src/io/netlink/frame.ts';
import { dump } from '../../src/io/netlink/operation.ts';
import { NamespaceFolder } from './namespace-folder.ts';
import * as bytes from './netlink-socket-messages.ts';

const folder = new NamespaceFolder('netlink');
const namespace = folder.make('a');
let socket: NetlinkSocket;
let bridge: number;

function linkIndex(name: string): number {
  return bytes.indexOf(
    socket.requestSync(bytes.message(18, 0, bytes.linkHead(), bytes.attribute(3, bytes.text(name))))[0],
  );
}

beforeAll(() => {
  socket = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace });
  socket.requestSync(bytes.newBridge('b0'), 'link b0');
  bridge = linkIndex('b0');
  socket.requestSync(bytes.setUp(bridge), 'link b0 up');
});

afterAll(() => {
  socket.close();
  folder[Symbol.dispose]();
});

describe('a request', () => {
  test('sees the links of its namespace only', () => {
    expect(socket.dump(bytes.getLinks()).map(bytes.indexOf).sort()).toEqual([1, bridge].sort());
  });

  test('is refused with errno, code and the left part of the caller', () => {
    const error = thrownBy(NetlinkError, () => socket.requestSync(bytes.newBridge('b0'), 'link b0'));
    expect(error).toSatisfy(isExist);
    expect(error).toMatchObject({ errno: 17, code: 'EEXIST', operation: 'link b0' });
    expect(thrownBy(NetlinkError, () => socket.requestSync(bytes.getLink(9999), 'link 9999'))).toSatisfy(
      isNotFound,
    );
  });

  test('is refused with the words of the kernel', () => {
    const route = bytes.newRoute([10, 9, 0, 1], { gateway: [192, 0, 2, 1] });
    const error = thrownBy(NetlinkError, () => socket.requestSync(route, 'route 10.9.0.1/32 via 192.0.2.1'));
    expect(error).toBeInstanceOf(NetlinkError);
    expect(String(error)).toBe(
      'NetlinkError: route 10.9.0.1/32 via 192.0.2.1: network is unreachable (ENETUNREACH): Nexthop has invalid gateway',
    );
  });

  test('is refused with the place of the attribute', () => {
    const link = bytes.message(18, 0, bytes.linkHead(1), bytes.attribute(29, [1]));
    expect(thrownBy(NetlinkError, () => socket.requestSync(link, 'link 1'))).toMatchObject({
      offset: 32,
      extAck: expect.any(String),
    });
  });

  test('on the thread pool is answered alike', async () => {
    const [answer] = await socket.request(bytes.getLink(bridge));
    expect(bytes.indexOf(answer)).toBe(bridge);
    await expect(socket.request(bytes.newBridge('b0'), 'link b0')).rejects.toThrow(
      'link b0: exists already (EEXIST)',
    );
  });

  test('of malformed length is a RangeError and sends nothing', () => {
    expect(() => socket.requestSync(bytes.getLink(1).subarray(0, 20))).toThrow(RangeError);
  });
});

describe('a transaction', () => {
  const host = (i: number) => [10, 50, i >> 8, i & 255];

  test('tries every message and tells which were refused', () => {
    const routes = [1, 2, 1, 3].map((i) => bytes.newRoute(host(i), { index: bridge }));
    const missing = bytes.newRoute(host(4), { index: 9999 });
    const failures = socket.transactSync([...routes, missing]);
    expect(failures.map(({ index, code }) => [index, code])).toEqual([
      [2, 'EEXIST'],
      [4, 'ENODEV'],
    ]);
  });

  test.each(['last', 'all'] as const)('of more than one send acknowledges %s', (acknowledge) => {
    const from = acknowledge === 'last' ? 1000 : 10_000;
    const routes = Array.from({ length: 6000 }, (_, i) => bytes.newRoute(host(from + i), { index: bridge }));
    expect(socket.transactSync(routes, { acknowledge })).toEqual([]);
    const again = socket.transactSync(routes, { acknowledge });
    expect(again.map(({ index }) => index)).toEqual(routes.map((_, index) => index));
  });

  test('fits its sends to small buffers', () => {
    using small = NetlinkSocket.open({
      protocol: NETLINK_ROUTE,
      namespace,
      receiveBufferBytes: 16_384,
      sendBufferBytes: 4096,
    });
    const routes = Array.from({ length: 300 }, (_, i) => bytes.newRoute(host(20_000 + i), { index: bridge }));
    expect(small.transactSync(routes)).toEqual([]);
    expect(small.transactSync(routes).length).toBe(300);
  });

  test('and a dump of thousands are the same on the thread pool', async () => {
    const routes = Array.from({ length: 3000 }, (_, i) =>
      bytes.newRoute(host(30_000 + i), { index: bridge }),
    );
    const [failures, again] = await Promise.all([socket.transact(routes), socket.transact(routes)]);
    expect([failures.length, again.length]).toEqual([0, 3000]);
    const asynchronous = await socket.dumpAsync(bytes.getRoutes());
    expect(asynchronous.length).toBeGreaterThan(15_000);
    expect(asynchronous.length).toBe(socket.dump(bytes.getRoutes()).length);
  });
});

test('the main thread stays free while the kernel deletes a veth on the thread pool', async () => {
  await socket.request(bytes.newVeth('v0', 'v1'));
  const order: string[] = [];
  const deleted = socket.request(bytes.delLink('v0'), 'link v0').then(() => order.push('deleted'));
  order.push(`answered ${bytes.indexOf(socket.requestSync(bytes.getLink(1))[0])}`);
  await new Promise((resolve) => setImmediate(resolve));
  order.push('turned');
  await deleted;
  expect(order).toEqual(['answered 1', 'turned', 'deleted']);
});

/** A kernel transport that lets something happen in the middle of its first exchange. */
class DisturbedTransport implements NetlinkTransport {
  readonly answersMax = 1;
  exchanges = 0;
  readonly #fd = openDescriptor({
    protocol: NETLINK_ROUTE,
    namespaceFd: namespace.fd,
    receiveBufferBytes: 1 << 20,
  });
  readonly #disturb: () => void;

  constructor(disturb: () => void) {
    this.#disturb = disturb;
  }

  sendBytesMax(): number {
    return 4096;
  }

  exchange(request: Uint8Array): NetlinkExchange {
    const addon = nativeAddon();
    const buffer = new Uint8Array(65_536);
    const messages: Uint8Array[] = [];
    this.exchanges += 1;
    expect(addon.send(this.#fd, request, 0)).toBe(request.length);
    for (let datagrams = 0; ; datagrams += 1) {
      if (datagrams === 1 && this.exchanges === 1) this.#disturb();
      const length = addon.recv(this.#fd, buffer, 0x40);
      if (length < 0) return { sendErrno: 0, receiveErrno: 0, lost: false, messages };
      messages.push(...splitMessages(buffer.slice(0, length)));
    }
  }

  async exchangeAsync(request: Uint8Array): Promise<NetlinkExchange> {
    return this.exchange(request);
  }

  close(): void {
    nativeAddon().close(this.#fd);
  }
}

test('a dump that a link came under is made again until it is whole', () => {
  const names = Array.from({ length: 40 }, (_, i) => `many${i}`);
  expect(socket.transactSync(names.map(bytes.newBridge))).toEqual([]);
  const transport = new DisturbedTransport(() => socket.requestSync(bytes.newBridge('late')));
  const channel = new Channel(transport);
  const links = channel.runSync(dump(channel, bytes.getLinks(), 'links'));
  channel.close();
  expect(transport.exchanges).toBe(2);
  expect(links.map(bytes.indexOf)).toContain(linkIndex('late'));
  expect(new Set(links.map(bytes.indexOf)).size).toBe(links.length);
});

describe('opening', () => {
  test.each([NETLINK_ROUTE, NETLINK_NETFILTER, NETLINK_GENERIC] as const)(
    'protocol %i a thousand times leaves no descriptor behind',
    async (protocol) => {
      const before = bytes.openDescriptors();
      for (let i = 0; i < 1000; i += 1) {
        using one = NetlinkSocket.open({ protocol, namespace });
        expect(one.protocol).toBe(protocol);
      }
      await using asynchronous = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace });
      await asynchronous.request(bytes.getLink(1));
      await asynchronous[Symbol.asyncDispose]();
      expect(bytes.openDescriptors()).toBe(before);
    },
  );

  test('an unknown protocol throws and leaves no descriptor behind', () => {
    const before = bytes.openDescriptors();
    expect(() => NetlinkSocket.open({ protocol: 31 as typeof NETLINK_ROUTE, namespace })).toThrow(
      'EPROTONOSUPPORT',
    );
    expect(bytes.openDescriptors()).toBe(before);
  });

  test('outlives the handle of its namespace', async () => {
    const handle = folder.make('b');
    await using one = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace: handle });
    handle.close();
    removeNamespace(handle.path);
    expect(one.dump(bytes.getLinks()).map(bytes.indexOf)).toEqual([1]);
    expect((await one.dumpAsync(bytes.getLinks())).map(bytes.indexOf)).toEqual([1]);
  });

  test('without privileges reads on both threads, with the buffers that the system allows', () => {
    const source = new URL('../../src/io/netlink/index.ts', import.meta.url).href;
    const script = `process.setgroups([]); process.setgid(65534); process.setuid(65534);
      const { NetlinkSocket } = await import(${JSON.stringify(source)});
      const socket = NetlinkSocket.open({ protocol: 0 });
      const links = Uint8Array.from(${JSON.stringify([...bytes.getLinks()])});
      console.log(socket.dump(links).length > 0, (await socket.dumpAsync(links)).length > 0);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stdout, stderr).toBe('true true\n');
  });
});
