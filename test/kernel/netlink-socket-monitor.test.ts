import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NetlinkMonitor,
  NetlinkSocket,
  nftBatchSync,
} from '#io/netlink/index.ts';
import { typeOf } from '../../src/io/netlink/frame.ts';
import { NamespaceFolder } from './namespace-folder.ts';
import * as bytes from './netlink-socket-messages.ts';

const RTNLGRP_LINK = 1;
const RTNLGRP_IPV4_IFADDR = 5;
const NFNLGRP_NFTABLES = 7;
const folder = new NamespaceFolder('monitor');
const namespace = folder.make('a');
let socket: NetlinkSocket;

beforeAll(() => {
  socket = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace });
});

afterAll(() => {
  socket.close();
  folder[Symbol.dispose]();
});

function addresses(network: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => bytes.newAddress(1, [10, network, i >> 8, i & 255]));
}

function unexpectedLoss(): never {
  throw new Error('notifications were lost');
}

test('a monitor hands over what happens, in order', async () => {
  const heard = Promise.withResolvers<Uint8Array[]>();
  using monitor = NetlinkMonitor.open({
    protocol: NETLINK_ROUTE,
    namespace,
    groups: [RTNLGRP_LINK],
    onMessages: heard.resolve,
    onLost: unexpectedLoss,
  });
  socket.requestSync(bytes.newBridge('b0'));
  socket.requestSync(bytes.delLink('b0'));
  const types = (await heard.promise).map(typeOf);
  expect(types[0]).toBe(bytes.RTM.newLink);
  expect(types.at(-1)).toBe(bytes.RTM.delLink);
  expect(monitor.drain()).toEqual([]);
});

test('draining takes what is queued away from the callback', async () => {
  const heard: Uint8Array[] = [];
  using monitor = NetlinkMonitor.open({
    protocol: NETLINK_ROUTE,
    namespace,
    groups: [RTNLGRP_IPV4_IFADDR],
    onMessages: (messages) => heard.push(...messages),
    onLost: unexpectedLoss,
  });
  expect(socket.transactSync(addresses(60, 500))).toEqual([]);
  expect(monitor.drain().length).toBe(500);
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toEqual([]);
});

test('a receive buffer that runs over is told once, nothing older follows, and listening goes on', async () => {
  let lost = 0;
  const events: string[] = [];
  const after = Promise.withResolvers<void>();
  using monitor = NetlinkMonitor.open({
    protocol: NETLINK_ROUTE,
    namespace,
    groups: [RTNLGRP_IPV4_IFADDR],
    receiveBufferBytes: 2048,
    onMessages: (messages) => {
      events.push(`${messages.length}`);
      after.resolve();
    },
    onLost: () => {
      lost += 1;
    },
  });
  expect(socket.transactSync(addresses(61, 300))).toEqual([]);
  expect(monitor.drain()).toEqual([]);
  expect(lost).toBe(1);
  socket.requestSync(bytes.newAddress(1, [10, 62, 0, 1]));
  await after.promise;
  expect(events).toEqual(['1']);
  expect(lost).toBe(1);
});

test('a loss is told by the event loop too', async () => {
  const lost = Promise.withResolvers<void>();
  using monitor = NetlinkMonitor.open({
    protocol: NETLINK_ROUTE,
    namespace,
    groups: [RTNLGRP_IPV4_IFADDR],
    receiveBufferBytes: 2048,
    onMessages: () => {},
    onLost: () => lost.resolve(),
  });
  socket.transactSync(addresses(63, 300));
  await lost.promise;
  expect(monitor.drain()).toEqual([]);
});

test('nf_tables transactions are heard', () => {
  using netfilter = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, namespace });
  using monitor = NetlinkMonitor.open({
    protocol: NETLINK_NETFILTER,
    namespace,
    groups: [NFNLGRP_NFTABLES],
    onMessages: () => {},
    onLost: unexpectedLoss,
  });
  expect(nftBatchSync(netfilter, [bytes.newTable('heard')]).failures).toEqual([]);
  expect(monitor.drain().map(typeOf)).toContain(bytes.NFT_NEWTABLE);
});

test('a closed monitor calls nobody, holds no descriptor, and may be closed from within', async () => {
  const before = bytes.openDescriptors();
  const called = Promise.withResolvers<void>();
  let calls = 0;
  const monitor = NetlinkMonitor.open({
    protocol: NETLINK_ROUTE,
    namespace,
    groups: [RTNLGRP_IPV4_IFADDR],
    onMessages: () => {
      calls += 1;
      monitor.close();
      called.resolve();
    },
    onLost: unexpectedLoss,
  });
  socket.transactSync(addresses(64, 5));
  await called.promise;
  socket.transactSync(addresses(65, 5));
  await new Promise((resolve) => setImmediate(resolve));
  monitor.close();
  expect(calls).toBe(1);
  expect(() => monitor.drain()).toThrow('used after it was closed');
  expect(bytes.openDescriptors()).toBe(before);
});
