import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  NETLINK_NETFILTER,
  NetlinkSocket,
  nftBatch,
  nftBatchSync,
  nftGeneration,
} from '#io/netlink/index.ts';
import { typeOf } from '../../src/io/netlink/frame.ts';
import { NamespaceFolder } from './namespace-folder.ts';
import * as bytes from './netlink-socket-messages.ts';

const folder = new NamespaceFolder('nft');
const namespace = folder.make('a');
let socket: NetlinkSocket;

beforeAll(() => {
  socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, namespace });
});

afterAll(() => {
  socket.close();
  folder[Symbol.dispose]();
});

const tables = (): number => socket.dump(bytes.message(0x0a01, 0, [1, 0, 0, 0])).length;

test('a batch is committed as a whole and moves the generation', () => {
  const before = nftGeneration(socket);
  expect(nftBatchSync(socket, [bytes.newTable('a'), bytes.newTable('b')])).toEqual({
    failures: [],
    replies: [],
  });
  expect(tables()).toBe(2);
  expect(nftGeneration(socket)).toBe(before + 1);
});

test('a batch with refused messages changes nothing and names each of them', () => {
  const before = tables();
  const outcome = nftBatchSync(socket, [
    bytes.newTable('c'),
    bytes.newTable('a'),
    bytes.newTable('d'),
    bytes.message(bytes.NFT_NEWTABLE, bytes.CREATE, [1, 0, 0, 0]),
  ]);
  expect(outcome.failures.map(({ index, code }) => [index, code])).toEqual([
    [1, 'EEXIST'],
    [3, 'EINVAL'],
  ]);
  expect(tables()).toBe(before);
});

test('an echo brings the handle back', () => {
  const { failures, replies } = nftBatchSync(socket, [bytes.newTable('echo', bytes.CREATE | bytes.NFT_ECHO)]);
  expect(failures).toEqual([]);
  expect(replies.map(typeOf)).toContain(bytes.NFT_NEWTABLE);
});

test('a batch made for another generation is not applied', () => {
  const generation = nftGeneration(socket);
  expect(nftBatchSync(socket, [bytes.newTable('e')], { generation }).failures).toEqual([]);
  const stale = nftBatchSync(socket, [bytes.newTable('f')], { generation });
  expect(stale.failures).toEqual([{ index: -1, errno: 85, code: 'ERESTART' }]);
});

test('a batch larger than the send buffer enlarges it, on the thread pool too', async () => {
  await using small = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, namespace, sendBufferBytes: 4096 });
  const many = (prefix: string) => Array.from({ length: 600 }, (_, i) => bytes.newTable(`${prefix}${i}`));
  expect((await nftBatch(small, [bytes.newTable('first')])).failures).toEqual([]);
  expect((await nftBatch(small, many('x'))).failures).toEqual([]);
  expect(nftBatchSync(small, many('y')).failures).toEqual([]);
  expect(nftBatchSync(small, many('y')).failures.length).toBe(600);
});

test('an empty batch is nothing', () => {
  const before = nftGeneration(socket);
  expect(nftBatchSync(socket, [])).toEqual({ failures: [], replies: [] });
  expect(nftGeneration(socket)).toBe(before);
});
