/** Questions and orders to a running speaker: JSON over HTTP. Routes and events come as a line each, at the reader's pace. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { networkOf, parsePrefix } from '#base/ip/index.ts';
import { parseCommunity } from '#core/bgp/filter/index.ts';
import { routesOf, toldTo } from '#core/bgp/rib/index.ts';
import type { Why } from '#core/bgp/speaker/index.ts';
import { sendJson } from '#io/http/index.ts';
import { neighborNamed } from './neighbor-name.ts';
import { attributesOf } from './own-route.ts';
import type { BgpService } from './service.ts';

/** What comes of an order to announce: who is told, and who is not for which reason. */
export interface Announced {
  readonly prefix: string;
  readonly told: Why['told'];
}

/** Whom it is about. */
export interface ControlHost {
  readonly service: BgpService;
  /** Reads the configuration again; rejects with what is wrong with it, or why it cannot be read. */
  readonly reload: () => Promise<void>;
}

/** An order that cannot be carried out: told to whoever gave it. */
class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Query = URLSearchParams;
type Handler = (query: Query, response: ServerResponse, host: ControlHost) => unknown;

const ORIGIN = 'command';
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** By method and path. What a handler returns, or what its promise is for, is the answer; undefined if it has answered itself. */
const HANDLERS: Readonly<Record<string, Handler>> = {
  'GET /bgp/summary': (_query, _response, { service }) => {
    const { asn, routerId } = service.speaker.config;
    return { asn, routerId, neighbors: service.neighbors() };
  },
  'GET /bgp/routes': (query, response, { service }) => streamRoutes(query, response, service),
  'GET /bgp/why': (query, _response, { service }) => service.why(prefixOf(query)),
  'GET /bgp/monitor': (_query, response, { service }) => streamEvents(response, service),
  'POST /bgp/announce': (query, _response, { service }) => {
    const prefix = prefixOf(query);
    const communities = query.getAll('community').map((text) => {
      const community = parseCommunity(text);
      if (community === undefined) throw new ControlError(400, `not a community: "${text}"`);
      return community;
    });
    const attributes = attributesOf({
      communities,
      med: numberOf(query, 'med'),
      localPref: numberOf(query, 'localPref'),
      nextHop: query.get('nextHop') ?? undefined,
    });
    service.announce({ prefix, origin: ORIGIN, attributes, isDiscard: query.has('discard') });
    return { prefix, told: service.why(prefix).told } satisfies Announced;
  },
  'POST /bgp/withdraw': (query, _response, { service }) => {
    const prefix = prefixOf(query);
    if (!service.withdraw(prefix, ORIGIN)) throw new ControlError(404, `nobody has announced ${prefix} here`);
    return { prefix };
  },
  'POST /bgp/soft-reset': (query, _response, { service }) => {
    const peer = peerOf(service, query.get('peer') ?? '');
    const directions = query.has('direction') ? query.getAll('direction') : ['in', 'out'];
    for (const direction of directions) {
      if (direction !== 'in' && direction !== 'out')
        throw new ControlError(400, `direction "${direction}" is not in or out`);
      service.softReset(peer, direction);
    }
    return { peer, directions };
  },
  'POST /bgp/reload': async (_query, _response, { reload }) => {
    await reload();
    return {};
  },
};

/** Answers whatever is asked below `/bgp/`. `host` is a text where there is no speaker: it says why. */
export function answerControl(
  request: IncomingMessage,
  response: ServerResponse,
  host: ControlHost | string,
): void {
  void answer(request, response, host);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  host: ControlHost | string,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://speaker');
  const asked = `${request.method} ${url.pathname}`;
  try {
    const handler = HANDLERS[asked];
    if (handler === undefined) throw new ControlError(404, `no ${asked}`);
    if (typeof host === 'string') throw new ControlError(503, host);
    const value = await handler(url.searchParams, response, host);
    if (value !== undefined) sendJson(response, 200, value);
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    sendJson(response, error instanceof ControlError ? error.status : 400, { error: message });
  }
}

function prefixOf(query: Query): string {
  const text = query.get('prefix') ?? '';
  if (parsePrefix(text) === undefined) throw new ControlError(400, `not a prefix: "${text}"`);
  return networkOf(text);
}

function peerOf(service: BgpService, text: string): string {
  const found = neighborNamed(service.neighbors(), text);
  if (found === undefined) throw new ControlError(404, `no such neighbor: "${text}"`);
  return found.key;
}

function numberOf(query: Query, key: string): number | undefined {
  const text = query.get(key);
  if (text === null) return undefined;
  const number = Number(text);
  if (!/^\d{1,10}$/.test(text) || number > 0xffff_ffff)
    throw new ControlError(400, `${key} "${text}" is not from 0 to 4294967295`);
  return number;
}

/** Routes as lines; what the reader has not taken is waited for, so that a large table costs no memory here. */
function streamRoutes(query: Query, response: ServerResponse, service: BgpService): undefined {
  const families = ([4, 6] as const).filter(
    (family) => (query.get('family') ?? String(family)) === String(family),
  );
  const [peer, toldPeer] = ['peer', 'told'].map((key) => {
    const text = query.get(key) ?? undefined;
    // Routes of our own are those of nobody.
    return text === undefined || text === '' ? text : peerOf(service, text);
  });
  const { tables } = service.speaker.rib;
  const isBestOnly = query.has('best');
  const lines = (function* () {
    for (const family of families) {
      if (toldPeer !== undefined) yield* toldTo(tables, toldPeer, family);
      else
        for (const route of routesOf(tables, family, peer))
          if (!isBestOnly || route.outcome.type === 'best' || route.outcome.type === 'multipath') yield route;
    }
  })();
  response.writeHead(200, { 'content-type': 'application/x-ndjson', connection: 'close' });
  const write = (): void => {
    for (let next = lines.next(); next.done !== true; next = lines.next())
      if (!response.write(`${JSON.stringify(next.value)}\n`)) {
        response.once('drain', write);
        return;
      }
    response.end();
  };
  write();
  return undefined;
}

/** Events as lines until the reader goes. One that does not read is let go: what it missed could not be told it later. */
function streamEvents(response: ServerResponse, service: BgpService): undefined {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', connection: 'close' });
  response.flushHeaders();
  const watch = service.watch((event) => {
    response.write(`${JSON.stringify(event)}\n`);
    if (response.writableLength > MAX_WAITING_BYTES) response.destroy();
  }, true);
  response.once('close', () => watch[Symbol.dispose]());
  return undefined;
}
