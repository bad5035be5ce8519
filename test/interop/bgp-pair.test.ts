/** Two of ours, and peers that behave as none of the others do: many from one prefix, and one that does not read. */
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { SessionConfig, SessionNews } from '#core/bgp/session/index.ts';
import { encodeMessage, notificationOf } from '#core/bgp/wire/index.ts';
import { BgpEndpoint, dial, SessionRunner, type TcpStream } from '#io/bgp/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { BgpLan } from './bgp/lan.ts';
import { Station } from './bgp/station.ts';

const lan = new BgpLan('us', 'them');
const [us, them] = [lan.node('us'), lan.node('them')];
const PLAIN = { addPathSend: false, addPathReceive: false, extendedNextHop: false };

afterAll(() => lan[Symbol.dispose]());

const CONFIG: SessionConfig = {
  localAsn: 65_002,
  routerId: 0x0a4d0002,
  peerAddress: us.ipv4,
  isPassive: true,
  families: new Map([
    [4, PLAIN],
    [6, PLAIN],
  ]),
  holdTimeSec: 9,
  connectRetrySec: 1,
  openDelaySec: 0,
  idleHoldSec: { initial: 0.2, max: 1 },
  hasExtendedMessages: false,
};

describe.each([4, 6] as const)('over IPv%i', (transport) => {
  const [local, remote] = transport === 4 ? [us.ipv4, them.ipv4] : [us.ipv6, them.ipv6];

  test('two come up, whoever is first, and tell each other their routes', async () => {
    await using left = new Station({ node: us, peer: them, transport });
    const config = { localAsn: 65_002, routerId: 0x0a4d0002 };
    await using right = new Station({ node: them, peer: us, transport, config });
    await Promise.all([left.agreed(), right.agreed()]);
    left.announce(4, { nextHop: us.ipv4 }, '10.201.0.0/16');
    right.announce(
      6,
      { nextHop: them.ipv6, asPath: [{ type: 'sequence', asns: [65_002] }] },
      'fd00:202::/32',
    );
    expect((await right.route('10.201.0.0/16')).nextHop).toBe(us.ipv4);
    expect((await left.route('fd00:202::/32')).nextHop).toBe(them.ipv6);
  });

  test('a neighbour that is one of many, with their common password', async () => {
    const runners: SessionRunner[] = [];
    const endpoint = BgpEndpoint.open({
      clock: systemClock,
      namespace: them.namespace,
      port: 179,
      addresses: [transport === 4 ? '0.0.0.0' : '::'],
    });
    const onStream = (stream: TcpStream) => {
      const runner = new SessionRunner({
        config: { ...CONFIG, peerAddress: stream.remoteAddress },
        clock: systemClock,
        random: systemRandom,
        dial: () => {
          throw new Error('a passive session dials nobody');
        },
        onNews: () => {},
      });
      runners.push(runner);
      runner.start();
      runner.accept(stream);
    };
    const onOther = () => expect.fail('the narrower prefix counts');
    endpoint.add({ peer: transport === 4 ? '10.0.0.0/8' : 'fd00::/8', onStream: onOther });
    endpoint.add({ peer: transport === 4 ? '10.77.0.0/24' : 'fd00:77::/64', password: 'shared', onStream });
    try {
      await using station = new Station({ node: us, peer: them, transport, password: 'shared' });
      expect((await station.agreed()).peerAsn).toBe(65_002);
    } finally {
      endpoint.close();
      await Promise.all(runners.map((runner) => runner.close()));
    }
  });

  test('a peer that does not read holds up its tables, and nothing else', async () => {
    let stream: TcpStream | undefined;
    const drains: number[] = [];
    const news: SessionNews[] = [];
    const endpoint = BgpEndpoint.open({
      clock: systemClock,
      namespace: us.namespace,
      port: 179,
      addresses: [local],
    });
    const runner = new SessionRunner({
      config: { ...CONFIG, localAsn: 65_001, peerAddress: remote, holdTimeSec: 0 },
      clock: systemClock,
      random: systemRandom,
      dial: () => ({ [Symbol.dispose]: () => {} }),
      onNews: (each) => news.push(each),
      onDrain: () => drains.push(1),
    });
    endpoint.add({ peer: remote, onStream: (each) => runner.accept(each) });
    runner.start();
    try {
      stream = await new Promise<TcpStream>((resolve, reject) => {
        dial(
          { clock: systemClock, namespace: them.namespace, local: remote, remote: local, port: 179 },
          { onStream: resolve, onFailure: (reason) => reject(new Error(reason)) },
        );
      });
      const capabilities = {
        families: [4] as const,
        hasRouteRefresh: true,
        hasEnhancedRefresh: true,
        hasExtendedMessages: false,
        fourOctetAsn: 65_002,
        extendedNextHop: [],
        addPath: new Map(),
        longLived: new Map(),
      };
      stream.write(
        encodeMessage({ type: 'open', open: { asn: 65_002, holdTimeSec: 0, routerId: 7, capabilities } }),
      );
      stream.write(encodeMessage({ type: 'keepalive' }));
      await vi.waitFor(() => expect(runner.state.phase).toBe('established'));
      const attributes = { origin: 'igp', asPath: [], nextHop: '10.0.0.1' } as const;
      const nlri = Array.from({ length: 5000 }, (_, i) => ({ prefix: `10.${i >> 8}.${i & 255}.0/24` }));
      const update = { family: 4, attributes, nlri } as const;
      let rounds = 0;
      while (runner.send({ type: 'announce', update })) {
        rounds += 1;
        expect(rounds).toBeLessThan(10_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(drains).toEqual([]);
      let bytes = 0;
      stream.start({
        onBytes: (chunk) => {
          bytes += chunk.length;
        },
        onEnd: () => {},
        onDrain: () => {},
      });
      await vi.waitFor(() => expect(drains.length).toBeGreaterThan(0), { timeout: 10_000 });
      expect(bytes).toBeGreaterThan(1024 * 1024);
      expect(runner.state.phase).toBe('established');
      runner.reset(notificationOf(6, 8));
      expect(news.at(-1)?.type).toBe('down');
    } finally {
      stream?.destroy();
      endpoint.close();
      await runner.close();
    }
  });

  test.each([
    ['nobody who listens', remote, undefined, 'ECONNREFUSED'],
    ['an address that is not there', remote, transport === 4 ? '10.77.0.77' : 'fd00:77::77', 'EADDRNOTAVAIL'],
    ['no way to the peer', transport === 4 ? '192.0.2.1' : '2001:db8::1', undefined, 'ENETUNREACH'],
  ])('an attempt with %s fails with a reason', async (_name, to, from, reason) => {
    const { namespace } = us;
    const options = { clock: systemClock, namespace, remote: to, port: 1790, ...(from && { local: from }) };
    const failure = await new Promise<string>((resolve) => {
      dial(options, { onStream: (stream) => resolve(stream.remoteAddress), onFailure: resolve });
    });
    expect(failure).toBe(reason);
  });

  test('an attempt that is given up is heard of no more', async () => {
    const told: string[] = [];
    const attempt = dial(
      { clock: systemClock, namespace: us.namespace, remote, port: 1790 },
      { onStream: () => told.push('stream'), onFailure: (reason) => told.push(reason) },
    );
    attempt[Symbol.dispose]();
    attempt[Symbol.dispose]();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(told).toEqual([]);
  });

  test('an address that is taken, and a neighbour that is there twice, are refused', () => {
    const options = { clock: systemClock, namespace: us.namespace, port: 179, addresses: [local] };
    using endpoint = BgpEndpoint.open(options);
    expect(() => BgpEndpoint.open(options)).toThrow('EADDRINUSE');
    const neighbour = { peer: remote, onStream: () => {} };
    const added = endpoint.add(neighbour);
    expect(() => endpoint.add(neighbour)).toThrow(`neighbour ${remote} is there twice`);
    added[Symbol.dispose]();
    added[Symbol.dispose]();
    endpoint.add({ ...neighbour, password: 'x'.repeat(80) });
    expect(() => endpoint.add({ ...neighbour, peer: local, password: 'x'.repeat(81) })).toThrow('81 bytes');
  });
});
