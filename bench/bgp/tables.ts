/**
 * What tables of routes cost, without wire and sockets: memory and time for peers that each announce routes, and one more that takes all
 * that is the best. By itself: `node --expose-gc bench/bgp/tables.ts [PEERS ROUTES]`.
 */
import type { Agreed, RouteUpdate } from '#core/bgp/index.ts';
import { Rib } from '#core/bgp/rib/index.ts';

/** What one load took. */
interface TableCost {
  readonly peers: number;
  readonly routesEach: number;
  /** Until all routes are in, decided about, and told to the one who listens. */
  readonly seconds: number;
  readonly bytesPerRoute: number;
  readonly residentMb: number;
  readonly toldPrefixes: number;
}

/** Routes with one set of attributes; tables of the Internet have about as many. */
const ROUTES_PER_SET = 8;

/** Measures one load: all peers announce the same prefixes unless `isDistinct`. */
export function measureTables(peers: number, routesEach: number, isDistinct: boolean): TableCost {
  globalThis.gc?.();
  const before = process.memoryUsage();
  const started = performance.now();
  const rib = new Rib({ asn: 65_000, routerId: 1 });
  for (let peer = 1; peer <= peers; peer++) {
    rib.addPeer(`peer-${peer}`, {});
    rib.take(`peer-${peer}`, { type: 'established', agreed: agreedWith(peer) }, 0);
  }
  rib.addPeer('listener', {});
  rib.take('listener', { type: 'established', agreed: agreedWith(peers + 1) }, 0);
  let told = 0;
  for (let first = 0; first < routesEach; first += ROUTES_PER_SET)
    for (let peer = 1; peer <= peers; peer++) {
      const offset = isDistinct ? (peer - 1) * routesEach : 0;
      rib.take(`peer-${peer}`, { type: 'announced', update: updateOf(peer, first, offset, routesEach) }, 0);
    }
  for (;;) {
    const sends = rib.drain('listener', 1000, 0);
    for (const send of sends) if (send.type === 'announce') told += send.update.nlri.length;
    if (!rib.hasPending('listener')) break;
  }
  const seconds = (performance.now() - started) / 1000;
  globalThis.gc?.();
  const after = process.memoryUsage();
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  return {
    peers,
    routesEach,
    seconds,
    bytesPerRoute: bytes / (peers * routesEach),
    residentMb: after.rss / 1e6,
    toldPrefixes: told,
  };
}

function agreedWith(peer: number): Agreed {
  const family = { addPathSend: false, addPathReceive: false, extendedNextHop: false };
  return {
    peerAsn: 64_000 + peer,
    peerRouterId: 0x0a00_0000 + peer,
    peerAddress: `10.0.${peer >> 8}.${peer & 255}`,
    localAddress: '10.255.255.254',
    relation: 'external',
    families: new Map([[4, family]]),
    maxMessageBytes: 4096,
    hasFourOctetAsn: true,
    hasRouteRefresh: true,
    hasEnhancedRefresh: false,
  };
}

function updateOf(peer: number, first: number, offset: number, end: number): RouteUpdate {
  const set = first / ROUTES_PER_SET;
  const nlri = [];
  for (let at = first; at < Math.min(first + ROUTES_PER_SET, end); at++) {
    const number = 0x01_0000 + at + offset;
    nlri.push({ prefix: `${number >> 16}.${(number >> 8) & 255}.${number & 255}.0/24` });
  }
  return {
    family: 4,
    nlri,
    attributes: {
      origin: 'igp',
      nextHop: `10.0.${peer >> 8}.${peer & 255}`,
      asPath: [
        {
          type: 'sequence',
          asns: [64_000 + peer, 3000 + (set % 900), 10_000 + (set % 40_000), 100_000 + set],
        },
      ],
      communities: [3_000_000 + (set % 500), 4_000_000 + (set % 77)],
    },
  };
}

if (import.meta.main) {
  const [peers, routes] = process.argv.slice(2).map(Number);
  const loads: readonly (readonly [number, number, boolean])[] =
    peers === undefined || routes === undefined
      ? [
          [1, 1_000_000, true],
          [10, 100_000, false],
          [10, 100_000, true],
          [100, 1000, false],
        ]
      : [[peers, routes, true]];
  for (const [count, each, isDistinct] of loads)
    process.stdout.write(`${JSON.stringify({ isDistinct, ...measureTables(count, each, isDistinct) })}\n`);
}
