/**
 * The routers around the one that is measured, as one process: `feed` connects as many peers as it is told and, at `go` on standard input,
 * sends what each has to say; `take` is one peer that counts the different routes it is told, and takes no others. Written for this benchmark alone, with no code of Poplin's.
 * Prints one JSON line for each thing that happened, with the time in milliseconds since 1970.
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const HEADER = 19;
const KEEPALIVE_MS = 20_000;
const ROUTES_PER_MESSAGE = 200;
/** The first 24 bits of the first route. */
const FIRST_ROUTE = 20 << 16;
const [role, settings] = process.argv.slice(2);
const { router, peers, routesEach, expected, first } = JSON.parse(settings);

const now = () => performance.timeOrigin + performance.now();
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

function message(type, body) {
  const bytes = Buffer.alloc(HEADER + body.length, 0xff);
  bytes.writeUInt16BE(bytes.length, 16);
  bytes[18] = type;
  body.copy(bytes, HEADER);
  return bytes;
}

/** Version 4, a hold time of 240 s, IPv4 unicast, four-octet ASes. */
function openOf({ asn, address }) {
  const body = Buffer.alloc(10 + 16);
  body[0] = 4;
  body.writeUInt16BE(asn, 1);
  body.writeUInt16BE(240, 3);
  address.split('.').forEach((part, at) => {
    body[5 + at] = Number(part);
  });
  body[9] = 16;
  body.set([2, 6, 1, 4, 0, 1, 0, 1, 2, 6, 65, 4], 10);
  body.writeUInt32BE(asn, 22);
  return message(1, body);
}

const KEEPALIVE = message(4, Buffer.alloc(0));

/** Routes `from` to `to`, /24s from 20.0.0.0 up; each message has an AS path of its own. */
function updateOf({ asn, address }, from, to) {
  const path = [asn, 1000 + ((from / ROUTES_PER_MESSAGE) % 5000), 3356, 174 + (from % 7)];
  const attributes = Buffer.alloc(4 + 3 + 2 + 4 * path.length + 7);
  attributes.set([0x40, 1, 1, 0, 0x40, 2, 2 + 4 * path.length, 2, path.length], 0);
  path.forEach((each, at) => {
    attributes.writeUInt32BE(each, 9 + 4 * at);
  });
  attributes.set([0x40, 3, 4, ...address.split('.').map(Number)], 9 + 4 * path.length);
  const body = Buffer.alloc(4 + attributes.length + 4 * (to - from));
  body.writeUInt16BE(attributes.length, 2);
  attributes.copy(body, 4);
  for (let route = from; route < to; route++) {
    const at = 4 + attributes.length + 4 * (route - from);
    const number = FIRST_ROUTE + route;
    body.set([24, number >> 16, (number >> 8) & 0xff, number & 0xff], at);
  }
  return message(2, body);
}

/** A session: resolves when it is established. `onUpdate` gets the body of each UPDATE. */
function session(peer, onUpdate) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: router, port: 179, localAddress: peer.address });
    let rest = Buffer.alloc(0);
    const timer = setInterval(() => socket.write(KEEPALIVE), KEEPALIVE_MS);
    socket.setNoDelay(true);
    socket.on('connect', () => socket.write(openOf(peer)));
    socket.on('error', (error) => reject(error));
    socket.on('close', () => {
      clearInterval(timer);
      reject(new Error(`${peer.address}: the session ended`));
    });
    socket.on('data', (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      while (rest.length - at >= HEADER) {
        const length = rest.readUInt16BE(at + 16);
        if (rest.length - at < length) break;
        const type = rest[at + 18];
        if (type === 1) socket.write(KEEPALIVE);
        else if (type === 2) onUpdate?.(rest.subarray(at + HEADER, at + length));
        else if (type === 3) {
          process.stderr.write(`${peer.address}: notification ${rest[at + 19]}/${rest[at + 20]}\n`);
          process.exit(1);
        } else if (type === 4) resolve(socket);
        at += length;
      }
      rest = rest.subarray(at);
    });
  });
}

/** Tries until the router takes the connection. */
async function established(peer, onUpdate) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await session(peer, onUpdate);
    } catch (error) {
      if (attempt > 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Marks the routes of an UPDATE, and gives how many were not known before. What nobody has sent, or a withdrawal, ends the benchmark. */
function markRoutes(known, body) {
  const attributesAt = 2 + body.readUInt16BE(0);
  let at = attributesAt + 2 + body.readUInt16BE(attributesAt);
  if (attributesAt > 2) throw new Error('routes were withdrawn');
  let count = 0;
  for (; at < body.length; at += 4) {
    const route = body.readUIntBE(at + 1, 3) - FIRST_ROUTE;
    if (body[at] !== 24 || route < 0 || route >= known.length)
      throw new Error('told of a route that nobody sent');
    count += 1 - known[route];
    known[route] = 1;
  }
  return count;
}

if (role === 'feed') {
  const sockets = await Promise.all(peers.map((peer) => established(peer)));
  tell({ event: 'established' });
  for await (const _ of createInterface({ input: process.stdin })) {
    tell({ event: 'sending', atMs: now() });
    await Promise.all(
      sockets.map(async (socket, index) => {
        for (let at = 0; at < routesEach; at += ROUTES_PER_MESSAGE) {
          const from = index * routesEach + at;
          const to = index * routesEach + Math.min(routesEach, at + ROUTES_PER_MESSAGE);
          if (!socket.write(updateOf(peers[index], from, to)))
            await new Promise((resolve) => socket.once('drain', resolve));
        }
      }),
    );
    tell({ event: 'sent', atMs: now() });
  }
  process.exit(0);
} else {
  const known = new Uint8Array(expected);
  let missing = expected;
  const started = now();
  await established(first, (body) => {
    const fresh = markRoutes(known, body);
    missing -= fresh;
    if (fresh > 0 && missing === 0) tell({ event: 'all', atMs: now(), startedMs: started });
  });
  tell({ event: 'established' });
  for await (const _ of createInterface({ input: process.stdin }));
  process.exit(0);
}
