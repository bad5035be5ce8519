/** Messages from templates are those of the codecs, byte for byte, and what they leave to the codecs is refused or made there. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIp, formatMac, type IpFamily } from '#base/ip/index.ts';
import type { FdbEntry, KernelOp, Neighbour, Route } from '#core/kernel/index.ts';
import { encodeOp } from './encode.ts';
import { encodeFdb, encodeNeighbour } from './encode-neighbour.ts';
import { encodePlainFdb, encodePlainNeighbour, encodePlainRoute } from './encode-plain.ts';
import { encodeRoute } from './encode-route.ts';
import { isMissingLink, type LinkIndex } from './link-index.ts';

const NUMBERS: Readonly<Record<string, number>> = { 'flannel.1': 7, eth0: 300 };
const LINKS: LinkIndex = {
  indexOf: (name) => NUMBERS[name],
  netnsFd: () => -1,
};

const ip = (family: IpFamily) => {
  const length = family === 4 ? 4 : 16;
  return fc.uint8Array({ minLength: length, maxLength: length }).map(formatIp);
};
const link = fc.constantFrom(...Object.keys(NUMBERS));
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(formatMac);
const protocol = fc.constantFrom(112, 113, 255);
const family = fc.constantFrom<IpFamily>(4, 6);

const route: fc.Arbitrary<Route> = family.chain((of) =>
  fc
    .record({
      dst: ip(of),
      length: fc.nat({ max: of === 4 ? 32 : 128 }),
      via: ip(of),
      link,
      onlink: fc.constantFrom(undefined, true, false),
      table: fc.constantFrom(undefined, 112, 254, 255, 256, 70_000),
      metric: fc.constantFrom(undefined, 0, 1, 65_000),
      scope: fc.nat({ max: 255 }),
      protocol,
    })
    .map(({ dst, length, via, link: name, onlink, table, metric, scope, protocol: mark }) => ({
      kind: 'route',
      dst: `${dst}/${length}`,
      nextHops: [{ via, link: name, ...(onlink === undefined ? {} : { onlink }) }],
      ...(table === undefined ? {} : { table }),
      ...(metric === undefined ? {} : { metric }),
      ...(of === 4 ? { scope } : {}),
      protocol: mark,
    })),
);
const neighbour: fc.Arbitrary<Neighbour> = family.chain((of) =>
  fc.record({ kind: fc.constant('neighbour'), link, address: ip(of), mac, protocol }),
);
const fdb: fc.Arbitrary<FdbEntry> = family.chain((of) =>
  fc.record({
    kind: fc.constant('fdb'),
    link,
    mac: mac.filter((text) => text !== '00:00:00:00:00:00'),
    dst: ip(of),
  }),
);

describe('a template', () => {
  it('gives the bytes of the codec for every route of an overlay', () => {
    fc.assert(
      fc.property(route, (each) => {
        expect(encodePlainRoute(each, LINKS)).toEqual(encodeRoute('add', each, LINKS));
      }),
    );
  });

  it('gives the bytes of the codec for every neighbour', () => {
    fc.assert(
      fc.property(neighbour, (each) => {
        expect(encodePlainNeighbour(each, LINKS)).toEqual(encodeNeighbour('add', each, LINKS));
      }),
    );
  });

  it('gives the bytes of the codec for every forwarding entry', () => {
    fc.assert(
      fc.property(fdb, (each) => {
        expect(encodePlainFdb(each, LINKS)).toEqual(encodeFdb('add', each, LINKS));
      }),
    );
  });

  it('follows a link that has another number under its old name', () => {
    const entry: Neighbour = {
      kind: 'neighbour',
      link: 'eth0',
      address: '10.0.0.1',
      mac: '02:00:00:00:00:01',
      protocol: 112,
    };
    for (const number of [5, 6, 5]) {
      const links = { ...LINKS, indexOf: () => number };
      expect(encodePlainNeighbour(entry, links)).toEqual(encodeNeighbour('add', entry, links));
    }
  });

  const plain: Route = {
    kind: 'route',
    dst: '10.1.0.0/24',
    nextHops: [{ via: '10.1.0.0', link: 'flannel.1', onlink: true }],
    scope: 9,
    protocol: 112,
  };
  const unusual: readonly [string, Partial<Route>][] = [
    ['no gateway', { nextHops: [{ link: 'eth0' }] }],
    ['a gateway of another family', { nextHops: [{ via: 'fd00::1', link: 'eth0' }] }],
    [
      'two next hops',
      {
        nextHops: [
          { via: '10.0.0.1', link: 'eth0' },
          { via: '10.0.0.2', link: 'eth0' },
        ],
      },
    ],
    ['another type', { type: 'blackhole', nextHops: [] }],
    ['a preferred source', { preferredSource: '10.0.0.9' }],
    ['an MTU', { mtuBytes: 1400 }],
    ['a maximum segment size', { advMssBytes: 1000 }],
    ['a scope with a name', { scope: 'link' }],
  ];
  it.each(unusual)('leaves a route with %s to the codec', (_, other) => {
    const each = { ...plain, ...other };
    expect(encodePlainRoute(each, LINKS)).toBeUndefined();
    const op: KernelOp = { verb: 'add', object: each };
    expect(encodeOp(op, LINKS)).toEqual([encodeRoute('add', each, LINKS)]);
  });

  it.each(['10.1.0/24', '10.1.0.0/', '10.1.0.0', '10.1.0.0/2x', '10.1.0.0/999', '10.1.0.256/24'])(
    'makes nothing of the destination %s',
    (dst) => {
      expect(encodePlainRoute({ ...plain, dst }, LINKS)).toBeUndefined();
    },
  );

  it('makes nothing of what is no address', () => {
    const entry: FdbEntry = { kind: 'fdb', link: 'eth0', mac: '02:00:00:00:00:01', dst: '10.0.0.1' };
    for (const wrong of [
      { mac: '02-00-00-00-00-01' },
      { mac: '02:00' },
      { dst: '10.0.0' },
      { dst: 'fd00::x' },
    ])
      expect(encodePlainFdb({ ...entry, ...wrong }, LINKS)).toBeUndefined();
    expect(() => encodeOp({ verb: 'add', object: { ...entry, dst: '10.0.0' } }, LINKS)).toThrow(RangeError);
  });

  it('of a link that is missing names it', () => {
    const nowhere = { ...plain, nextHops: [{ via: '10.1.0.0', link: 'gone' }] };
    try {
      encodePlainRoute(nowhere, LINKS);
      expect.unreachable();
    } catch (error) {
      expect(isMissingLink(error)).toBe(true);
    }
  });
});
