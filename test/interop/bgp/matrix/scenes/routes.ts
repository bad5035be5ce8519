/** What is said of routes: attributes, several paths, next hops, and very many of them. */
import { expect } from 'vitest';
import type { FeatureId, PeerName } from '../features.ts';
import type { Ours } from '../ours.ts';
import { ADDRESS, FAMILIES, familyNumber, type PeerRoute, type PlannedRoute } from '../plan.ts';
import {
  neighborTo,
  PEER_ASN,
  PEER_PREFIXES,
  type Run,
  THEM_ASN,
  THEM_PREFIXES,
  TO_THEM,
  TO_US,
  TO_US6,
  themFile,
  US_ASN,
  US_PREFIXES,
  usFile,
  type World,
} from '../world.ts';

const BIG_ASN = 4_200_000_002;
const RICH = '10.202.1.0/24';
const RICH_ROUTES: readonly PlannedRoute[] = [
  ...Object.values(PEER_PREFIXES).map((prefix) => ({ prefix })),
  { prefix: RICH, med: 7, communities: ['65010:1'], large: ['65010:1:2'], extended: ['rt:65010:100'] },
];
const OURS = { prefix: US_PREFIXES[4], med: 5, communities: ['65001:7', '65001:4294967295:8'] };

/** Waits for the peer's only route to a prefix. */
async function atPeer(world: World, by: Ours, prefix: string): Promise<PeerRoute> {
  await by.until(`the peer lacks ${prefix}`, () => world.peer.routes(prefix).length > 0);
  return world.peer.routes(prefix)[0] as PeerRoute;
}

const attributes =
  (check: (world: World, us: Ours) => Promise<void>): Run =>
  async (world) => {
    await world.plan([TO_US, TO_THEM], { routes: RICH_ROUTES });
    await using us = world.us({ routes: [OURS, US_PREFIXES[6]] });
    await us.up('peer');
    await check(world, us);
  };

const communities = attributes(async (world, us) => {
  const { received } = await us.route(RICH);
  expect(received).toMatchObject({ communities: [65_010 * 65_536 + 1], med: 7 });
  expect(await atPeer(world, us, OURS.prefix)).toMatchObject({ communities: ['65001:7'], med: 5 });
});

const largeCommunities = attributes(async (world, us) => {
  expect((await us.route(RICH)).received.largeCommunities).toEqual([[65_010, 1, 2]]);
  expect((await atPeer(world, us, OURS.prefix)).large).toEqual(['65001:4294967295:8']);
});

const extendedCommunities: Run = async (world) => {
  await world.plan([TO_US], { routes: RICH_ROUTES });
  // Ours come from nobody but others: what the peer said goes on, to whoever is behind us.
  await using us = world.us({
    neighbors: [neighborTo('peer', PEER_ASN, 'us'), neighborTo('them', THEM_ASN, 'us')],
  });
  await using them = world.them({ neighbors: [neighborTo('us', US_ASN, 'them')] });
  await us.up('peer', 'them');
  expect((await us.route(RICH)).received.extendedCommunities).toEqual(['0002fdf200000064']);
  expect((await them.route(RICH)).received.extendedCommunities).toEqual(['0002fdf200000064']);
};

const fourOctetAsn: Run = async (world) => {
  await world.plan([TO_US], { asn: BIG_ASN });
  const toPeer = neighborTo('peer', BIG_ASN, 'us');
  await using us = world.us({
    asn: 4_200_000_001,
    neighbors: [{ ...toPeer, localAsn: US_ASN }, neighborTo('them', 4_200_000_003, 'us')],
  });
  await using them = world.them({ asn: 4_200_000_003, neighbors: [neighborTo('us', 4_200_000_001, 'them')] });
  await us.up('peer', 'them');
  expect((await us.route(PEER_PREFIXES[4])).received.asPath).toEqual([{ type: 'sequence', asns: [BIG_ASN] }]);
  expect((await atPeer(world, them, THEM_PREFIXES[4])).asns).toContain(4_200_000_003);
};

const MANY = Array.from({ length: 1500 }, (_, at) => `65003:${at}`);

const extendedMessages: Run = async (world) => {
  const large = { prefix: '10.204.0.0/16', communities: MANY };
  const isTransit = world.name !== 'ExaBGP';
  await world.plan([TO_US, TO_THEM], {
    hasExtendedMessages: true,
    routes: isTransit ? [] : [large],
  });
  await using us = world.us({ routes: [{ prefix: '10.205.0.0/16', communities: MANY }] });
  await using them = world.them({ routes: isTransit ? [large] : [] });
  await us.up('peer');
  await them.up('peer');
  expect((await us.route(large.prefix)).received.communities).toHaveLength(MANY.length);
  expect((await atPeer(world, us, '10.205.0.0/16')).communities).toHaveLength(MANY.length);
};

const extendedNextHop: Run = async (world) => {
  await world.plan([{ ...TO_US6, extendedNextHop: true }]);
  const { nextHops: _, ...neighbor } = neighborTo('peer', PEER_ASN, 'us', 6) as { nextHops: unknown };
  await using us = world.us({ neighbors: [{ ...neighbor, extendedNextHop: true }] }, {}, true);
  await us.up('peer');
  expect((await us.route(PEER_PREFIXES[4])).received.nextHop).toBe(ADDRESS.peer[6]);
  expect((await atPeer(world, us, US_PREFIXES[4])).nextHop).toBe(ADDRESS.us[6]);
  await us.until('the kernel has no route', () =>
    world.lan.ip('us', `route show ${PEER_PREFIXES[4]}`).includes(`via inet6 ${ADDRESS.peer[6]}`),
  );
};

/** Both families by the peer's link-local address, as the kernel has it, with packets on their way. */
const betweenLinkLocals =
  (isFound: boolean): Run =>
  async (world) => {
    const { lan } = world;
    const [ours, theirs] = [await lan.linkLocal('us'), await lan.linkLocal('peer')];
    // GoBGP finds whom the kernel knows; it says nothing of itself.
    lan.run('peer', 'ping', '-qc1', '-W2', `${ours}%eth0`);
    const onLink = isFound ? {} : { address: ours };
    await world.plan([{ ...TO_US6, extendedNextHop: true, onLink }]);
    const where = isFound ? { interface: 'eth0' } : { address: `${theirs}%eth0` };
    const asn = isFound ? 'external' : PEER_ASN;
    const neighbor = { name: 'peer', asn, connectRetrySec: 0.3, ...where };
    await using us = world.us({ neighbors: [neighbor] }, {}, true);
    await us.up('peer');
    expect(us.service.neighbors()[0]).toMatchObject({ address: `${theirs}%eth0`, asn: PEER_ASN });
    for (const family of FAMILIES) {
      await us.route(PEER_PREFIXES[family]);
      const told = await atPeer(world, us, US_PREFIXES[family]);
      expect(told).toMatchObject({ asns: [US_ASN], nextHop: ours });
      const via = `via ${family === 4 ? 'inet6 ' : ''}${theirs} dev eth0`;
      await us.until('the kernel has no route', () =>
        lan.ip('us', `-${family} route show ${PEER_PREFIXES[family]} proto 116`).includes(via),
      );
      const host = PEER_PREFIXES[family].replace(/(0\.0|::)\/\d+$/, family === 4 ? '0.1' : '::1');
      lan.run('us', 'ping', '-qc2', '-i0.1', '-W2', host);
    }
    us.configure({ ...usFile({ routes: [], neighbors: [neighbor] }) });
    await us.until('the peer has what was withdrawn', () =>
      FAMILIES.every((family) => world.peer.routes(US_PREFIXES[family]).length === 0),
    );
    expect(us.events.filter((event) => event !== 'peer: up')).toEqual([]);
  };

const addPathReceive: Run = async (world) => {
  const prefixes = Object.values(PEER_PREFIXES);
  // Those who have tables have one path of their own, and one that they were told.
  const isTransit = world.name !== 'ExaBGP';
  const routes = isTransit
    ? prefixes.map((prefix) => ({ prefix }))
    : prefixes.flatMap((prefix) => [
        { prefix, pathId: 1 },
        { prefix, pathId: 2, asns: [PEER_ASN, THEM_ASN] },
      ]);
  await world.plan([{ ...TO_US, addPath: true }, TO_THEM], { routes });
  await using them = world.them({ routes: prefixes });
  await using us = world.us({}, { addPath: { receive: true } });
  await us.up('peer');
  await them.up('peer');
  for (const prefix of prefixes) {
    await us.until(`not both paths to ${prefix}`, () => us.paths(prefix, 'peer').length === 2);
    const paths = us.paths(prefix, 'peer').map(({ received }) => received.asPath.flatMap(({ asns }) => asns));
    expect(paths.toSorted((a, b) => a.length - b.length)).toEqual([[PEER_ASN], [PEER_ASN, THEM_ASN]]);
    expect(new Set(us.paths(prefix, 'peer').map(({ pathId }) => pathId)).size).toBe(2);
  }
};

const addPathSend: Run = async (world) => {
  await world.plan([{ ...TO_US, addPath: true }]);
  await using us = world.us({
    neighbors: [
      { ...neighborTo('peer', PEER_ASN, 'us'), addPath: { send: 'all' } },
      neighborTo('them', THEM_ASN, 'us'),
    ],
  });
  await using them = world.them({
    routes: Object.values(US_PREFIXES),
    neighbors: [neighborTo('us', US_ASN, 'them')],
  });
  await us.up('peer', 'them');
  await them.up('us');
  for (const prefix of Object.values(US_PREFIXES)) {
    const paths = () =>
      world.peer
        .routes(prefix)
        .map(({ asns }) => asns)
        .toSorted((a, b) => a.length - b.length);
    await us.until(`not both paths to ${prefix}`, () => paths().length === 2);
    expect(paths()).toEqual([[US_ASN], [US_ASN, THEM_ASN]]);
  }
};

const nextHop: Run = async (world) => {
  for (const peerAsn of [PEER_ASN, US_ASN]) {
    await world.plan([TO_US], { asn: peerAsn });
    const fileWith = (policy: 'self' | 'keep') =>
      usFile({
        neighbors: [
          { ...neighborTo('peer', peerAsn, 'us'), nextHop: policy },
          neighborTo('them', THEM_ASN, 'us'),
        ],
      });
    await using us = world.us(fileWith('self'));
    await using them = world.them({ neighbors: [neighborTo('us', US_ASN, 'them')] });
    await us.up('peer', 'them');
    for (const policy of ['self', 'keep'] as const) {
      us.configure(fileWith(policy));
      for (const family of FAMILIES)
        await them.until(`${policy} is not followed`, () =>
          world.peer
            .routes(THEM_PREFIXES[family])
            .some((route) => route.nextHop === ADDRESS[policy === 'self' ? 'us' : 'them'][family]),
        );
    }
  }
};

const multipath: Run = async (world) => {
  await world.plan([TO_US]);
  await using us = world.us(
    {
      decision: { maxPaths: { external: 4 }, relaxMultipath: true },
      neighbors: [neighborTo('peer', PEER_ASN, 'us'), neighborTo('them', THEM_ASN, 'us')],
    },
    {},
    true,
  );
  await using them = world.them({
    routes: Object.values(PEER_PREFIXES),
    neighbors: [neighborTo('us', US_ASN, 'them')],
  });
  await us.up('peer', 'them');
  await them.up('us');
  for (const family of FAMILIES)
    await us.until('the kernel has not both next hops', () => {
      const shown = world.lan.ip('us', `-${family} route show ${PEER_PREFIXES[family]} proto 116`);
      return [ADDRESS.peer[family], ADDRESS.them[family]].every((address) =>
        shown.includes(`via ${address} `),
      );
    });
};

const allowedOwnAsn: Run = async (world) => {
  const isTransit = world.name !== 'ExaBGP';
  const told = isTransit ? THEM_PREFIXES[4] : PEER_PREFIXES[4];
  await world.plan([TO_US, { ...TO_THEM, asn: US_ASN }], {
    routes: isTransit ? [] : [{ prefix: told, asns: [PEER_ASN, US_ASN] }],
  });
  await using us = world.us();
  await using them = world.them({ asn: US_ASN });
  await us.up('peer');
  await them.up('peer');
  expect(await us.refusal(told)).toMatch(/own AS/i);
  us.configure(usFile({}, { allowedOwnAsns: 1 }));
  expect((await us.route(told)).received.asPath).toEqual([{ type: 'sequence', asns: [PEER_ASN, US_ASN] }]);
};

const filtersRequired: Run = async (world) => {
  await world.plan([TO_US]);
  await using us = world.us({}, { requireFilters: true });
  await us.up('peer');
  for (const family of FAMILIES) {
    expect(await us.refusal(PEER_PREFIXES[family])).toContain('8212');
    expect(world.peer.routes(US_PREFIXES[family])).toEqual([]);
  }
  const filters = { all: { rules: [], otherwise: 'accept' } };
  us.configure(usFile({ filters }, { requireFilters: true, import: 'all', export: 'all' }));
  for (const family of FAMILIES) {
    await us.route(PEER_PREFIXES[family]);
    await atPeer(world, us, US_PREFIXES[family]);
  }
};

const COUNT = 10_000;
const MEDS = 7;
const prefixes = (family: 4 | 6, first: number): readonly string[] =>
  Array.from({ length: COUNT }, (_, at) =>
    family === 4
      ? `10.${first + (at >> 8)}.${at & 255}.0/24`
      : `fd01:${first.toString(16)}:${(at + 1).toString(16)}::/48`,
  );
const routesFrom = (first: number): readonly PlannedRoute[] =>
  FAMILIES.flatMap((family) =>
    prefixes(family, first).map((prefix, at) => ({ prefix, med: 1 + (at % MEDS) })),
  );

/** A route in a line, as it should be at the peer. */
const lineOf = ({
  prefix,
  nextHop: by,
  asns,
  med,
}: Pick<PeerRoute, 'prefix' | 'nextHop' | 'asns' | 'med'>): string =>
  `${prefix} via ${by} path ${asns.join(' ')} med ${med ?? '-'}`;

/** FRR leaves an IPv4 next hop alone that is on the same link; GoBGP names itself by the session's own address. */
const NEXT_HOPS: Partial<Record<PeerName, Partial<Record<4 | 6, string>>>> = {
  FRR: { 4: ADDRESS.them[4] },
  GoBGP: { 6: `::ffff:${ADDRESS.peer[4]}` },
};

const bulk: Run = async (world) => {
  const [theirs, ours] = [routesFrom(16), routesFrom(80)];
  // FRR and GoBGP have no way to be given so many at once but BGP.
  const isTransit = world.name === 'FRR' || world.name === 'GoBGP';
  await world.plan([TO_US, TO_THEM], { routes: isTransit ? [] : theirs });
  await using them = world.them({ routes: isTransit ? theirs : [] });
  await using us = world.us({ routes: ours });
  await us.up('peer');
  // FRR tells us our own ones, too.
  const taken = () => us.all('peer').filter(({ outcome }) => outcome.type !== 'refused');
  await us.until('not all is learned', () => taken().length === theirs.length);
  const isOurs = new Set(ours.map(({ prefix }) => prefix));
  const own = isTransit || world.name === 'BIRD' ? theirs.length : 0;
  const count = () => world.peer.count(4) + world.peer.count(6);
  const held = async () => {
    const tables = [await world.peer.table(4), await world.peer.table(6)];
    return tables.flat().filter(({ prefix }) => isOurs.has(prefix));
  };
  await us.until('not all is told', () => count() === ours.length + own);
  const expected = ours.map(({ prefix, med }) =>
    lineOf({
      prefix,
      nextHop: ADDRESS.us[familyNumber(prefix)],
      asns: [US_ASN],
      ...(med !== undefined && { med }),
    }),
  );
  expect((await held()).map(lineOf).toSorted()).toEqual(expected.toSorted());
  const asns = isTransit ? [PEER_ASN, THEM_ASN] : [PEER_ASN];
  const learned = taken().map(({ prefix, received }) =>
    lineOf({
      prefix,
      nextHop: received.nextHop,
      asns: received.asPath.flatMap((segment) => segment.asns),
      ...(received.med !== undefined && !isTransit && { med: received.med }),
    }),
  );
  const hops = { ...ADDRESS.peer, ...NEXT_HOPS[world.name] };
  const wanted = theirs.map(({ prefix, med }) => {
    const by = hops[familyNumber(prefix)];
    return lineOf({ prefix, nextHop: by, asns, ...(med !== undefined && !isTransit && { med }) });
  });
  expect(learned.toSorted()).toEqual(wanted.toSorted());
  us.configure(usFile({ routes: [] }));
  if (isTransit) them.configure(themFile({ routes: [] }));
  else await world.plan([TO_US, TO_THEM], { routes: [] });
  await us.until('not all is withdrawn by the peer', () => taken().length === 0);
  await us.until('not all is withdrawn by us', () => count() === 0);
  expect(us.events.filter((event) => event !== 'peer: up')).toEqual([]);
};

export const ROUTE_RUNS = {
  communities,
  largeCommunities,
  extendedCommunities,
  fourOctetAsn,
  extendedMessages,
  extendedNextHop,
  linkLocal: betweenLinkLocals(false),
  unnumbered: betweenLinkLocals(true),
  addPathReceive,
  addPathSend,
  nextHop,
  multipath,
  allowedOwnAsn,
  filtersRequired,
  bulk,
} as const satisfies Partial<Record<FeatureId, Run>>;
