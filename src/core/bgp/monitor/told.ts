/** What a station is told of a session and its routes, in messages of BMP. The tables are read, at the reader's pace, and not changed. */
import type { RouteFamily } from '../model.ts';
import type { Agreed, RouteUpdate, SessionNews } from '../ports.ts';
import { type Rib, type RouteView, routesOf, routesTo } from '../rib/index.ts';
import { encodeEndOfRib, encodeUpdate, encodeWithdrawal, type UpdateContext } from '../wire/index.ts';
import {
  type BmpEnd,
  type BmpPeer,
  encodePeerDown,
  encodePeerUp,
  encodeRouteMonitoring,
  encodeStatistics,
} from './bmp.ts';

/** Routes as the peer sent them, or those that the import filters have left, as these have made them (RFC 7854 section 5). */
export type MonitoredSide = 'pre-policy' | 'post-policy';

/** A session that is up. */
export interface MonitoredSession {
  /** In the tables. */
  readonly key: string;
  readonly agreed: Agreed;
  readonly upSinceMs: number;
  readonly localPort: number;
  readonly remotePort: number;
  readonly sentOpen: Uint8Array;
  readonly receivedOpen: Uint8Array;
}

/** Prefixes in one message, if their attributes are the same. */
const MAX_RUN = 64;

export function peerUp(session: MonitoredSession): Uint8Array {
  const { agreed, localPort, remotePort, sentOpen: sent, receivedOpen: received, upSinceMs } = session;
  const { localAddress } = agreed;
  return encodePeerUp(peerOf(agreed, upSinceMs), { localAddress, localPort, remotePort, sent, received });
}

export function peerDown({ agreed }: MonitoredSession, end: BmpEnd, nowMs: number): Uint8Array {
  return encodePeerDown(peerOf(agreed, nowMs), end);
}

/** What a peer has said, after the tables have taken it. */
export function* toldNews(
  rib: Rib,
  session: MonitoredSession,
  news: SessionNews,
  side: MonitoredSide,
  nowMs: number,
): Generator<Uint8Array, void> {
  const { agreed, key } = session;
  switch (news.type) {
    case 'withdrawn':
      return yield* withdrawn(session, news.withdrawal, side, nowMs);
    case 'announced': {
      if (side === 'pre-policy') return yield* announced(session, news.update, side, nowMs);
      for (const { prefix, pathId = 0 } of news.update.nlri)
        for (const route of routesTo(rib.tables, prefix))
          if (route.peer === key && route.pathId === pathId) yield* routesAs(session, [route], side, true);
      return;
    }
    case 'end-of-rib':
      yield encodeRouteMonitoring(peerOf(agreed, nowMs, side), encodeEndOfRib(news.family));
      return;
    case 'established':
    case 'down':
    case 'refresh':
  }
}

/**
 * Before the tables take the end of what a peer tells again (RFC 4724, RFC 7313): what is stale still will be gone then, and nobody says so.
 */
export function* toldSwept(
  rib: Rib,
  session: MonitoredSession,
  family: RouteFamily,
  side: MonitoredSide,
  nowMs: number,
): Generator<Uint8Array, void> {
  for (const { prefix, pathId, staleness } of routesOf(rib.tables, family, session.key))
    if (staleness !== 'fresh') yield* withdrawn(session, { family, nlri: [{ prefix, pathId }] }, side, nowMs);
}

/**
 * All routes of the sessions, which may come and go meanwhile, and the end of each family. `isRestated`: what the filters refuse now is
 * withdrawn, for they may have let it pass.
 */
export function* toldTable(
  rib: Rib,
  sessions: ReadonlyMap<string, MonitoredSession>,
  side: MonitoredSide,
  nowMs: number,
  isRestated = false,
): Generator<Uint8Array, void> {
  for (const family of [4, 6] as const) {
    let run: RouteView[] = [];
    for (const route of routesOf(rib.tables, family)) {
      // What is stale was told on a session before this one, and a station forgets that with the session.
      if (route.staleness !== 'fresh' || !sessions.has(route.peer)) continue;
      const [first] = run;
      if (first !== undefined && (run.length === MAX_RUN || !areOneMessage(first, route, side))) {
        yield* runOf(sessions, run, side, isRestated);
        run = [];
      }
      run.push(route);
    }
    yield* runOf(sessions, run, side, isRestated);
  }
  for (const { agreed } of sessions.values())
    for (const family of agreed.families.keys())
      yield encodeRouteMonitoring(peerOf(agreed, nowMs, side), encodeEndOfRib(family));
}

function areOneMessage(a: RouteView, b: RouteView, side: MonitoredSide): boolean {
  return a.peer === b.peer && attributesOf(a, side) === attributesOf(b, side);
}

function* runOf(
  sessions: ReadonlyMap<string, MonitoredSession>,
  run: readonly RouteView[],
  side: MonitoredSide,
  isRestated: boolean,
): Generator<Uint8Array, void> {
  const session = sessions.get(run[0]?.peer ?? '');
  if (session !== undefined) yield* routesAs(session, run, side, isRestated);
}

/** Numbers of section 4.8, and of RFC 8671 section 6.2: routes in Adj-RIB-In and Adj-RIB-Out, and updates that were taken for withdrawals. */
export function statistics(
  { agreed }: MonitoredSession,
  numbers: { readonly learned: number; readonly told: number; readonly treatedAsWithdraw: number },
  nowMs: number,
): Uint8Array {
  const values = new Map<number, number | bigint>([
    [STATISTIC.adjRibIn, BigInt(numbers.learned)],
    [STATISTIC.treatedAsWithdraw, numbers.treatedAsWithdraw % 2 ** 32],
    [STATISTIC.adjRibOut, BigInt(numbers.told)],
  ]);
  return encodeStatistics(peerOf(agreed, nowMs), values);
}

const STATISTIC = { adjRibIn: 7, treatedAsWithdraw: 11, adjRibOut: 15 } as const;

function peerOf(agreed: Agreed, timeMs: number, side: MonitoredSide = 'pre-policy'): BmpPeer {
  const { peerAddress: address, peerAsn: asn, peerRouterId: routerId, hasFourOctetAsn } = agreed;
  return {
    address,
    asn,
    routerId,
    timeMs,
    hasTwoOctetAsns: !hasFourOctetAsn,
    isAfterPolicy: side === 'post-policy',
  };
}

/** Routes that share their attributes. */
function* routesAs(
  session: MonitoredSession,
  routes: readonly RouteView[],
  side: MonitoredSide,
  withdraws: boolean,
): Generator<Uint8Array, void> {
  const [first] = routes;
  if (first === undefined) return;
  const { family, receivedAt } = first;
  const nlri = routes.map(({ prefix, pathId }) => ({ prefix, pathId }));
  const attributes = attributesOf(first, side);
  if (attributes !== undefined) yield* announced(session, { family, attributes, nlri }, side, receivedAt);
  else if (withdraws) yield* withdrawn(session, { family, nlri }, side, receivedAt);
}

/** Absent: refused. */
function attributesOf(route: RouteView, side: MonitoredSide): RouteView['attributes'] {
  return side === 'pre-policy' ? route.received : route.attributes;
}

function* announced(
  { agreed }: MonitoredSession,
  update: RouteUpdate,
  side: MonitoredSide,
  timeMs: number,
): Generator<Uint8Array, void> {
  const peer = peerOf(agreed, timeMs, side);
  for (const message of encodeUpdate(update, contextOf(agreed)).messages)
    yield encodeRouteMonitoring(peer, message);
}

function* withdrawn(
  { agreed }: MonitoredSession,
  withdrawal: Parameters<typeof encodeWithdrawal>[0],
  side: MonitoredSide,
  timeMs: number,
): Generator<Uint8Array, void> {
  const peer = peerOf(agreed, timeMs, side);
  for (const message of encodeWithdrawal(withdrawal, contextOf(agreed)).messages)
    yield encodeRouteMonitoring(peer, message);
}

/** As the peer writes its own: what we may read from it is what we write here. */
function contextOf(agreed: Agreed): UpdateContext {
  const families = [...agreed.families].map(
    ([family, each]) => [family, { ...each, addPathSend: each.addPathReceive }] as const,
  );
  return { ...agreed, families: new Map(families) };
}
