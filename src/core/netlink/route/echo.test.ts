import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isDecodeError } from '#core/codec/index.ts';
import { type KernelObject, keyOf } from '#core/kernel/index.ts';
import { encodeMessage, encodeOp, RouteMirror } from '../index.ts';
import { EchoQueue } from './echo.ts';
import { linkMessage, RTM_LINK } from './link.ts';

const LINKS: Readonly<Record<string, number>> = { eth0: 2, vx0: 4 };
const links = { indexOf: (name: string) => LINKS[name], netnsFd: () => 0 };
const MAC = '02:00:00:00:00:01';

const OBJECTS: readonly KernelObject[] = [
  { kind: 'neighbour', link: 'vx0', address: '10.2.0.0', mac: MAC, protocol: 112 },
  { kind: 'neighbour', link: 'vx0', address: 'fd00:2::', mac: MAC, protocol: 112 },
  { kind: 'fdb', link: 'vx0', mac: MAC, dst: '192.0.2.2' },
  { kind: 'fdb', link: 'vx0', mac: MAC, dst: '2001:db8::2' },
  { ...route('10.2.0.0/24', '10.2.0.0'), scope: 77 },
  route('10.2.0.0/24', '10.2.0.0'),
  { ...route('192.0.2.2/32', '10.2.0.0'), table: 112, metric: 5 },
  { ...route('10.3.0.0/24', '10.2.0.0'), table: 1000 },
  route('fd00:2::/64', 'fd00:2::'),
  { ...route('10.4.0.0/24', '10.0.0.1'), preferredSource: '10.0.0.2', mtuBytes: 1400 },
  { ...route('10.5.0.0/24', '10.0.0.1'), type: 'unreachable', nextHops: [] },
];

function route(dst: string, via: string) {
  return { kind: 'route', dst, nextHops: [{ via, link: 'vx0', onlink: true }], protocol: 112 } as const;
}

function encoded(object: KernelObject): Uint8Array {
  return encodeOp({ verb: 'add', object }, links)[0] as Uint8Array;
}

/** The kernel's notification: the request with attributes of its own, RTA_TABLE of routes among them, in another order. */
function announcement(request: Uint8Array, object: KernelObject): Uint8Array {
  const table = object.kind === 'route' ? (object.table ?? 254) : 0;
  const own = object.kind === 'route' && table < 256 ? [8, 0, 15, 0, table, 0, 0, 0] : [];
  const extra = object.kind === 'neighbour' ? [8, 0, 4, 0, 1, 0, 0, 0] : [];
  const bytes = Uint8Array.from([...request.subarray(0, 28), ...own, ...request.subarray(28), ...extra]);
  bytes[0] = bytes.length;
  bytes[6] = 0;
  bytes[7] = 0;
  return bytes;
}

function mirrorWithLinks(): RouteMirror {
  const mirror = new RouteMirror();
  for (const [name, index] of Object.entries(LINKS)) {
    const kind = name === 'vx0' ? { kind: { kind: 'vxlan', data: { id: 1, port: 8472 } } } : {};
    const payload = { family: 0, deviceType: 1, index, flags: 1, change: 0, attributes: { name, ...kind } };
    mirror.apply(encodeMessage(linkMessage, { type: RTM_LINK.NEW, flags: 0, payload }));
  }
  return mirror;
}

/** The state after a message, or that it could not be read. */
function after(mirror: RouteMirror, message: Uint8Array): unknown {
  try {
    mirror.apply(message);
  } catch (error) {
    if (isDecodeError(error)) return 'refused';
    throw error;
  }
  return [...mirror.state];
}

/** All but the last two are known by their bytes. */
const isKnown = (object: KernelObject) => OBJECTS.indexOf(object) < OBJECTS.length - 2;

describe('a notification of an own change', () => {
  test.each(OBJECTS.filter(isKnown).map((object) => [keyOf(object), object] as const))(
    'is known by its bytes: %s',
    (_key, object) => {
      const queue = new EchoQueue();
      const request = encoded(object);
      queue.expect(request, { verb: 'add', object });
      const echo = queue.take(announcement(request, object));
      expect(echo).toMatchObject({ object: { kind: object.kind }, index: LINKS['vx0'] });
      expect(queue.take(announcement(request, object))).toBeUndefined();
    },
  );

  test.each(OBJECTS.map((object) => [keyOf(object), object] as const))(
    'gives what decoding gives: %s',
    (_key, object) => {
      const request = encoded(object);
      const [expecting, decoding] = [mirrorWithLinks(), mirrorWithLinks()];
      expecting.expect(request, { verb: 'add', object });
      const message = announcement(request, object);
      expect(after(expecting, message)).toEqual(after(decoding, message));
      expect(expecting.state.has(keyOf(object))).toBe(true);
      const told = decoding.takeChanged();
      expect(told).toContain(keyOf(object));
      // Who asked for it need not be told.
      if (isKnown(object)) told.delete(keyOf(object));
      expect(expecting.takeChanged()).toEqual(told);
    },
  );

  test.each(OBJECTS.map((object) => [keyOf(object), object] as const))(
    'hides nothing that others do afterwards: %s',
    (key, object) => {
      const request = encoded(object);
      const mirror = mirrorWithLinks();
      mirror.expect(request, { verb: 'add', object });
      const message = announcement(request, object);
      mirror.apply(message);
      mirror.takeChanged();
      const removal = message.slice();
      removal[4] = (message[4] as number) + 1; // RTM_DELNEIGH, RTM_DELROUTE
      mirror.apply(removal);
      expect([...mirror.takeChanged()]).toEqual([key]);
      mirror.apply(message);
      expect([...mirror.takeChanged()]).toEqual([key]);
    },
  );

  test('is found behind requests that the kernel refused', () => {
    const queue = new EchoQueue();
    for (const object of OBJECTS.slice(0, 5)) queue.expect(encoded(object), { verb: 'add', object });
    const object = OBJECTS[4] as KernelObject;
    expect(queue.take(announcement(encoded(object), object))?.object).toMatchObject({ scope: 77 });
  });

  test('is found in each of thousands', () => {
    const queue = new EchoQueue();
    const objects = Array.from({ length: 3000 }, (_, n) => route(`10.${n >> 8}.${n & 255}.0/24`, '10.2.0.0'));
    const requests = objects.map(encoded);
    for (const [at, object] of objects.entries()) {
      queue.expect(requests[at] as Uint8Array, { verb: 'add', object });
      if (at < 5) continue;
      const before = objects[at - 5] as (typeof objects)[0];
      expect(queue.take(announcement(requests[at - 5] as Uint8Array, before))?.object).toMatchObject({
        dst: before.dst,
      });
    }
  });

  test('says nothing of a link that has another name by now, or is no VXLAN device', () => {
    const object: KernelObject = { kind: 'fdb', link: 'eth0', mac: MAC, dst: '192.0.2.2' };
    const mirror = mirrorWithLinks();
    mirror.expect(encoded(object), { verb: 'add', object });
    mirror.apply(announcement(encoded(object), object));
    expect(mirror.state.has(keyOf(object))).toBe(false);
    const [first] = OBJECTS as readonly [KernelObject];
    mirror.expect(encoded(first), { verb: 'add', object: first });
    const payload = { family: 0, deviceType: 1, index: 4, flags: 1, change: 0, attributes: { name: 'new' } };
    mirror.apply(encodeMessage(linkMessage, { type: RTM_LINK.NEW, flags: 0, payload }));
    mirror.apply(announcement(encoded(first), first));
    expect([...mirror.state.keys()]).toContain('neighbour 10.2.0.0 dev new');
  });
});

test('whatever can be read, a mirror that expects something holds what one that expects nothing holds', () => {
  const byte = fc.record({ at: fc.nat(80), value: fc.nat(255) });
  fc.assert(
    fc.property(
      fc.constantFrom(...OBJECTS),
      fc.constantFrom(...OBJECTS),
      fc.array(byte),
      (wish, come, edits) => {
        const message = announcement(encoded(come), come);
        for (const { at, value } of edits) if (at >= 16 && at < message.length) message[at] = value;
        const [expecting, decoding] = [mirrorWithLinks(), mirrorWithLinks()];
        expecting.expect(encoded(wish), { verb: 'add', object: wish });
        const read = after(decoding, message);
        // Of attributes that nobody looks at, their content is not read.
        if (read !== 'refused') expect(after(expecting, message)).toEqual(read);
      },
    ),
    { numRuns: 2000 },
  );
});
