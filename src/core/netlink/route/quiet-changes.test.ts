import { beforeEach, describe, expect, test } from 'vitest';
import { type KernelObject, keyOf } from '#core/kernel/index.ts';
import { AdditionPack, encodeMessage, encodeOp, isPlainAddition, RouteMirror } from '../index.ts';
import type { PlainAddition } from './addition-pack.ts';
import { linkMessage, RTM_LINK } from './link.ts';

const links = { indexOf: (name: string) => (name === 'vx0' ? 4 : undefined), netnsFd: () => -1 };
const MAC = '02:00:00:00:00:01';
const NEIGHBOUR = { kind: 'neighbour', link: 'vx0', address: '10.2.0.0', mac: MAC, protocol: 112 } as const;
const HOP = { via: '10.2.0.0', link: 'vx0', onlink: true } as const;
const ROUTE = { kind: 'route', dst: '10.2.0.0/24', nextHops: [HOP], scope: 7, protocol: 112 } as const;
const FDB = { kind: 'fdb', link: 'vx0', mac: MAC, dst: '192.0.2.2' } as const;
const OBJECTS: readonly KernelObject[] = [NEIGHBOUR, ROUTE, FDB];

let mirror: RouteMirror;

function addition(object: KernelObject): PlainAddition {
  const op = { verb: 'add', object } as const;
  if (!isPlainAddition(op)) throw new Error(`${keyOf(object)} is no plain addition`);
  return op;
}

function tellOfLink(attributes: { readonly name: string; readonly up?: boolean }): void {
  const { name, up = true } = attributes;
  const kind = { kind: { kind: 'vxlan', data: { id: 1, port: 8472 } } } as const;
  const flags = up ? 1 : 0;
  const payload = { family: 0, deviceType: 1, index: 4, flags, change: 0, attributes: { name, ...kind } };
  mirror.apply(encodeMessage(linkMessage, { type: RTM_LINK.NEW, flags: 0, payload }));
}

/** The kernel acknowledged an addition. */
function take(object: KernelObject): void {
  const pack = new AdditionPack(0);
  pack.add(addition(object), links);
  mirror.quiet.take(pack, 0);
}

/** What the dump of forwarding entries shows. */
function dumpEntries(...shown: KernelObject[]): void {
  mirror.beginResync(['fdb']);
  for (const object of shown) others('add', object);
  mirror.endResync();
}

/** What another sends is what the kernel announces, as far as the mirror looks. */
function others(verb: 'add' | 'remove', object: KernelObject): void {
  for (const message of encodeOp({ verb, object }, links)) mirror.apply(message);
}

beforeEach(() => {
  mirror = new RouteMirror();
  tellOfLink({ name: 'vx0' });
  mirror.takeChanged();
});

describe('an addition that is acknowledged and not announced', () => {
  test('is in the state as the kernel has it, and nobody is told', () => {
    mirror.quiet.begin();
    for (const object of OBJECTS) take(object);
    mirror.quiet.end();
    expect(mirror.state.get(keyOf(NEIGHBOUR))).toEqual(NEIGHBOUR);
    expect(mirror.state.get(keyOf(ROUTE))).toEqual({ ...ROUTE, metric: 0 });
    expect(mirror.state.get(keyOf(FDB))).toBe(FDB);
    // The kernel announces new ones in nobody's name: nobody would hear of others'.
    expect(mirror.takeNeedsDump()).toEqual(['fdb']);
    dumpEntries(FDB);
    expect(mirror.state.get(keyOf(FDB))).toBe(FDB);
    expect(mirror.takeChanged()).toEqual(new Set());
    expect(mirror.takeNeedsDump()).toBeUndefined();
  });

  test.each([
    ['is gone', undefined],
    ['leads elsewhere', { ...FDB, dst: '192.0.2.9' }],
  ])('is told of if the dump shows that it %s', (_what, shown) => {
    mirror.quiet.begin();
    take(FDB);
    mirror.quiet.end();
    expect(mirror.takeNeedsDump()).toEqual(['fdb']);
    const more = { ...FDB, mac: '02:00:00:00:00:02' };
    dumpEntries(...(shown === undefined ? [] : [shown]), more);
    expect(mirror.state.get(keyOf(FDB))).toEqual(shown);
    expect(mirror.takeChanged()).toEqual(new Set([keyOf(FDB), keyOf(more)]));
  });

  test('of whatever kind leads to a dump of forwarding entries: others’ are not heard of meanwhile', () => {
    mirror.quiet.begin();
    take(ROUTE);
    mirror.quiet.end();
    expect(mirror.takeNeedsDump()).toEqual(['fdb']);
    dumpEntries(FDB);
    expect(mirror.takeChanged()).toEqual(new Set([keyOf(FDB)]));
  });

  test('is not trusted where others spoke of the same object meanwhile', () => {
    mirror.quiet.begin();
    others('remove', ROUTE);
    take(NEIGHBOUR);
    take(ROUTE);
    mirror.quiet.end();
    expect(mirror.state.has(keyOf(NEIGHBOUR))).toBe(true);
    expect(mirror.state.has(keyOf(ROUTE))).toBe(false);
    expect(mirror.takeNeedsDump()).toEqual(['fdb', 'route']);
    // It was never seen, and may be gone: nothing else would make anybody look for it.
    expect(mirror.takeChanged()).toEqual(new Set([keyOf(ROUTE)]));
  });

  test('is as good as any other afterwards: others take it away', () => {
    mirror.quiet.begin();
    take(ROUTE);
    others('remove', ROUTE);
    mirror.quiet.end();
    expect(mirror.state.has(keyOf(ROUTE))).toBe(false);
    expect(mirror.takeChanged()).toEqual(new Set([keyOf(ROUTE)]));
    expect(mirror.takeNeedsDump()).toEqual(['fdb']);
  });

  const DISTURBANCES: Readonly<Record<string, () => void>> = {
    'the link went down, and with it routes unannounced': () => tellOfLink({ name: 'vx0', up: false }),
    'the link has another name': () => tellOfLink({ name: 'other' }),
    'notifications were lost': () => mirror.quiet.disturb(),
  };
  test.each(Object.entries(DISTURBANCES))('is dumped where %s', (_name, disturb) => {
    mirror.quiet.begin();
    disturb();
    take(ROUTE);
    mirror.quiet.end();
    expect(mirror.takeNeedsDump()).toContain('route');
  });
});

test('a pack holds the messages of the codecs one behind the other, and nothing of what cannot be encoded', () => {
  const pack = new AdditionPack(0);
  const six = { ...ROUTE, dst: 'fd00:2::/64', nextHops: [{ ...HOP, via: 'fd00:2::' }] };
  const { scope: _, ...plain } = six;
  const many = Array.from({ length: 50 }, () => [...OBJECTS, plain]).flat();
  for (const object of many) pack.add(addition(object), links);
  expect(() => pack.add(addition({ ...NEIGHBOUR, link: 'none' }), links)).toThrow('none');
  expect(pack.ops.map(({ object }) => object)).toEqual(many);
  const messages = many.map((object) => encodeOp({ verb: 'add', object }, links)[0] as Uint8Array);
  expect(messages.map((_each, at) => pack.requestOf(at))).toEqual(messages);
  expect(pack.request).toEqual(Uint8Array.from(messages.flatMap((each) => [...each])));
});

test.each([
  { ...ROUTE, nextHops: [HOP, { ...HOP, via: '10.3.0.0' }] },
  { ...ROUTE, scope: 'link' as const },
  { ...ROUTE, mtuBytes: 1400 },
  { kind: 'address', link: 'vx0', address: '10.0.0.1/32' } as const,
])('is no plain addition: %o', (object) => {
  expect(isPlainAddition({ verb: 'add', object })).toBe(false);
});
