/** The tables of a running speaker as an MRT file (RFC 6396, TABLE_DUMP_V2), for programs that read such. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { parseScopedIp } from '#base/ip/index.ts';
import type { PathAttributes, RouterId } from '#core/bgp/index.ts';
import { encodePeerIndex, encodeTableEntry, type MrtPeer, type MrtRoute } from '#core/bgp/monitor/index.ts';
import type { RouteView } from '#core/bgp/rib/index.ts';
import { SpeakerError } from './control-client.ts';
import type { NeighborStatus } from './service/model.ts';

/** What `GET /summary` says. */
export interface SpeakerSummary {
  readonly asn: number;
  readonly routerId: RouterId;
  readonly neighbors: readonly NeighborStatus[];
}

/** A next hop that nobody has: routes of our own have none yet. */
const UNSPECIFIED = { 4: '0.0.0.0', 6: '::' } as const;

/**
 * Writes all routes as they were received, own ones among them, and gives how many prefixes they are of. `lines` are those of `GET /routes`:
 * routes to one prefix follow each other. Rejects with SpeakerError if the file cannot be made.
 */
export async function dumpTables(
  path: string,
  summary: SpeakerSummary,
  lines: AsyncIterable<string>,
  timeSec: number,
): Promise<number> {
  const { routerId, asn, neighbors } = summary;
  const peers: MrtPeer[] = [{ routerId, address: UNSPECIFIED[4], asn }];
  const indexes = new Map<string, number>([['', 0]]);
  for (const { key, address: text = '', asn: peerAsn = 0, routerId: peerId = 0 } of neighbors) {
    indexes.set(key, peers.length);
    const address = parseScopedIp(text)?.address ?? UNSPECIFIED[6];
    peers.push({ routerId: peerId, address, asn: peerAsn });
  }
  const file = openFile(path);
  try {
    writeAll(file, encodePeerIndex(timeSec, { routerId, viewName: 'poplin' }, peers));
    let sequence = 0;
    for await (const { prefix, routes } of byPrefix(lines)) {
      const told = routes.map((route) => mrtRoute(route, indexes, routes));
      writeAll(file, encodeTableEntry(timeSec, sequence++, prefix, told));
    }
    return sequence;
  } finally {
    closeSync(file);
  }
}

async function* byPrefix(
  lines: AsyncIterable<string>,
): AsyncGenerator<{ readonly prefix: string; readonly routes: readonly RouteView[] }> {
  let routes: RouteView[] = [];
  for await (const line of lines) {
    const route = JSON.parse(line) as RouteView;
    const [first] = routes;
    if (first !== undefined && first.prefix !== route.prefix) {
      yield { prefix: first.prefix, routes };
      routes = [];
    }
    routes.push(route);
  }
  const [first] = routes;
  if (first !== undefined) yield { prefix: first.prefix, routes };
}

function mrtRoute(
  route: RouteView,
  indexes: ReadonlyMap<string, number>,
  all: readonly RouteView[],
): MrtRoute {
  // Numbers of own routes are ours alone.
  const hasPathIds = all.some(({ peer, pathId }) => peer !== '' && pathId !== 0);
  return {
    peerIndex: indexes.get(route.peer) ?? 0,
    originatedSec: Math.floor(route.receivedAt / 1000),
    attributes: wholeAttributes(route),
    ...(hasPathIds && { pathId: route.pathId }),
  };
}

/** JSON has made objects of the bytes of attributes that nobody knows; own routes may have no next hop. */
function wholeAttributes({ received, family }: RouteView): PathAttributes {
  const { nextHop, unknown, ...others } = received as Partial<PathAttributes> & typeof received;
  return {
    ...others,
    nextHop: nextHop ?? UNSPECIFIED[family],
    ...(unknown !== undefined && {
      unknown: unknown.map((each) => ({ ...each, value: Uint8Array.from(Object.values(each.value)) })),
    }),
  };
}

function openFile(path: string): number {
  try {
    return openSync(path, 'w', 0o644);
  } catch (error) {
    throw new SpeakerError((error as Error).message, { cause: error });
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}
