/** A BMP station that does not read, or is not there: what is done about it, on the loopback. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Station } from '#app/bgp/service/station.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';

const WAIT = { timeout: 20_000, interval: 10 };
const MEGABYTE = new Uint8Array(2 ** 20);
let server: Server;
let sockets: Socket[];
let reports: string[];
let port: number;

beforeEach(async () => {
  sockets = [];
  reports = [];
  server = createServer((socket) => sockets.push(socket.pause()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

function begin(table: () => Iterator<Uint8Array> = () => [].values()): Station {
  const config = { address: '127.0.0.1', port, side: 'pre-policy', statisticsSec: 0 } as const;
  return new Station(config, {
    clock: systemClock,
    random: systemRandom,
    system: { name: 'n', description: 'd' },
    sessionsUp: () => [],
    table,
    statistics: () => [],
    onReport: (text) => reports.push(text),
  });
}

test('one that does not read is let go, and told everything again', async () => {
  await using station = begin();
  await vi.waitFor(() => expect(sockets).toHaveLength(1), WAIT);
  await vi.waitFor(() => {
    station.tell([MEGABYTE]);
    expect(reports.some((text) => text.startsWith('it reads too slowly'))).toBe(true);
  }, WAIT);
  await vi.waitFor(() => expect(sockets).toHaveLength(2), WAIT);
  expect(reports).toHaveLength(3);
  const [bytes] = (await once((sockets[1] as Socket).resume(), 'data')) as [Buffer];
  expect([...bytes.subarray(0, 6)]).toEqual([3, 0, 0, 0, 16, 4]);
});

test('tables wait for it to read, and take no more memory than a little', async () => {
  let taken = 0;
  const table = (function* () {
    for (; taken < 200; taken++) yield MEGABYTE;
  })();
  await using _station = begin(() => table);
  await vi.waitFor(() => expect(sockets).toHaveLength(1), WAIT);
  // What the kernel keeps for both ends, and a message more.
  await vi.waitFor(() => expect(taken).toBeGreaterThan(0), WAIT);
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toBeLessThan(100);
  (sockets[0] as Socket).resume();
  await vi.waitFor(() => expect(taken).toBe(200), WAIT);
});

test('one that is not there is tried again', async () => {
  server.close();
  await using _station = begin();
  await vi.waitFor(() => expect(reports).toEqual(['ECONNREFUSED']), WAIT);
  server = createServer((socket) => sockets.push(socket.pause()));
  server.listen(port, '127.0.0.1');
  await vi.waitFor(() => expect(sockets).toHaveLength(1), WAIT);
});
