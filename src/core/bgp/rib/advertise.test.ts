import { describe, expect, test } from 'vitest';
import { COMMUNITIES, type PathAttributes } from '../model.ts';
import { explain, type PeerPolicy } from './index.ts';
import { attributes, World, type WorldPeer } from './rib-world.fixture.ts';

const PREFIX = '10.1.0.0/16';

function told(
  from: WorldPeer | 'own',
  to: WorldPeer,
  said: Partial<PathAttributes> & { readonly path?: readonly number[] } = {},
  config = {},
): PathAttributes | string {
  const { path = [], ...more } = said;
  const world = new World(from === 'own' ? { to } : { from, to }, config).up();
  if (from === 'own') world.rib.announce({ prefix: PREFIX, origin: 'test', attributes: more }, 0);
  else world.say('from', PREFIX, attributes('10.0.0.1', path, more));
  world.deliver();
  const heard = world.has('to', PREFIX);
  const why = explain(world.rib.tables, PREFIX).told.find(({ peer }) => peer === 'to');
  expect(why?.attributes).toEqual(heard);
  return heard ?? why?.refusal ?? 'nothing';
}

const external: WorldPeer = { asn: 65_001, id: 1 };
const internal: WorldPeer = { asn: 65_000, id: 1 };
const toExternal = (policy: PeerPolicy = {}): WorldPeer => ({ asn: 65_002, id: 2, policy });
const toInternal = (policy: PeerPolicy = {}): WorldPeer => ({ asn: 65_000, id: 2, policy });
const client: WorldPeer = { ...internal, policy: { isReflectorClient: true } };

describe('an own route', () => {
  test('has our AS and address for an external peer, and no local preference', () => {
    expect(told('own', toExternal(), { med: 5, localPref: 300 })).toEqual({
      origin: 'igp',
      asPath: [{ type: 'sequence', asns: [65_000] }],
      nextHop: '10.0.0.254',
      med: 5,
    });
  });

  test('has an empty path and a local preference for an internal one', () => {
    expect(told('own', toInternal())).toEqual({
      origin: 'igp',
      asPath: [],
      nextHop: '10.0.0.254',
      localPref: 100,
    });
  });

  test('keeps what no message carries to itself', () => {
    const world = new World({ to: toInternal() }).up();
    world.rib.announce({ prefix: PREFIX, origin: 'test', attributes: { priority: 512 } }, 0);
    expect(world.deliver().has('to', PREFIX)).not.toHaveProperty('priority');
  });
});

describe('a learned route', () => {
  test.each<[string, WorldPeer, WorldPeer, Partial<PathAttributes>, Partial<PathAttributes> | string]>([
    [
      'from outside to inside keeps its next hop and MED',
      external,
      toInternal(),
      { med: 7 },
      { nextHop: '10.0.0.1', med: 7, localPref: 100 },
    ],
    [
      'from outside to outside gets ours and loses its MED',
      external,
      toExternal(),
      { med: 7 },
      { nextHop: '10.0.0.254' },
    ],
    ['from inside to inside is not passed on', internal, toInternal(), {}, 'learned from an internal peer'],
    [
      'from a client is reflected',
      client,
      toInternal(),
      {},
      { originatorId: 1, clusterList: [0x0a00_0001], nextHop: '10.0.0.1' },
    ],
    [
      'to a client is reflected',
      internal,
      toInternal({ isReflectorClient: true }),
      { clusterList: [5], originatorId: 9 },
      { originatorId: 9, clusterList: [0x0a00_0001, 5] },
    ],
    [
      'goes not back to its originator',
      client,
      toInternal(),
      { originatorId: 2 },
      'the peer is the originator',
    ],
    [
      'gets our address if that is wanted',
      client,
      toInternal({ nextHop: 'self' }),
      {},
      { nextHop: '10.0.0.254' },
    ],
    [
      'keeps its next hop outside if that is wanted',
      external,
      toExternal({ nextHop: 'keep' }),
      {},
      { nextHop: '10.0.0.1' },
    ],
    [
      'with NO_ADVERTISE is told to nobody',
      external,
      toInternal(),
      { communities: [COMMUNITIES.noAdvertise] },
      'NO_ADVERTISE',
    ],
    [
      'with NO_EXPORT stays inside',
      external,
      toExternal(),
      { communities: [COMMUNITIES.noExport] },
      'NO_EXPORT',
    ],
    [
      'with NO_EXPORT is told inside',
      external,
      toInternal(),
      { communities: [COMMUNITIES.noExport] },
      { communities: [COMMUNITIES.noExport] },
    ],
    [
      'with NO_EXPORT_SUBCONFED stays with the member',
      external,
      { ...toInternal(), asn: 65_010, relation: 'confederation' },
      { communities: [COMMUNITIES.noExportSubconfed] },
      'NO_EXPORT_SUBCONFED',
    ],
    [
      'is told to an external peer only by a filter, if one is required',
      external,
      toExternal({ requiresFilters: true }),
      {},
      'no export filter for an external peer (RFC 8212)',
    ],
    ['is withheld by a filter', external, toExternal({ exportFilter: () => undefined }), {}, 'export filter'],
    [
      'is changed by a filter, whose MED is meant',
      external,
      toExternal({ exportFilter: (route) => ({ ...route.attributes, med: 3 }) }),
      { med: 7 },
      { med: 3 },
    ],
    [
      'is marked before we go',
      external,
      toExternal({ isShuttingDown: true }),
      {},
      { communities: [COMMUNITIES.gracefulShutdown] },
    ],
    [
      'is the last choice inside before we go',
      external,
      toInternal({ isShuttingDown: true }),
      {},
      { localPref: 0 },
    ],
    [
      'is the last choice if its peer is about to go',
      external,
      toInternal(),
      { communities: [COMMUNITIES.gracefulShutdown] },
      { localPref: 0 },
    ],
    ['has no local preference of another AS', external, toInternal(), { localPref: 900 }, { localPref: 100 }],
  ])('%s', (_name, from, to, said, expected) => {
    const heard = told(from, to, { path: [65_001], ...said });
    if (typeof expected === 'string') expect(heard).toBe(expected);
    else expect(heard).toMatchObject(expected);
    if (to.asn !== 65_000 && typeof heard !== 'string') {
      expect(heard.localPref).toBeUndefined();
      if (expected !== heard && typeof expected !== 'string' && expected.med === undefined)
        expect(heard.med).toBeUndefined();
    }
  });

  test('is passed on with what nobody here knows, marked, if it is transitive', () => {
    const value = Uint8Array.of(1);
    const unknown = [
      { type: 99, flags: 0xc0, value },
      { type: 98, flags: 0x80, value },
    ];
    expect(told(external, toInternal(), { path: [65_001], unknown })).toMatchObject({
      unknown: [{ type: 99, flags: 0xe0, value }],
    });
  });
});

describe('the path', () => {
  const path = (policy: PeerPolicy, said: readonly number[], config = {}) => {
    const heard = told(external, toExternal(policy), { path: said }, config);
    return typeof heard === 'string' ? heard : heard.asPath;
  };

  test.each<[string, PeerPolicy, readonly number[], readonly number[]]>([
    ['gets our AS', {}, [65_001], [65_000, 65_001]],
    ['gets another AS of ours', { localAsn: 64_999 }, [65_001], [64_999, 65_001]],
    ['loses private numbers', { privateAsns: 'remove' }, [65_001, 3, 4_200_000_001], [65_000, 3]],
    ['has ours instead of private numbers', { privateAsns: 'replace' }, [65_001, 3], [65_000, 65_000, 3]],
    ["has ours instead of the peer's", { overridesAsn: true }, [65_001, 65_002], [65_000, 65_001, 65_000]],
  ])('%s', (_name, policy, said, expected) => {
    expect(path(policy, said)).toEqual([{ type: 'sequence', asns: expected }]);
  });

  test('shows the confederation outside, and the member inside', () => {
    const config = { asn: 65_010, confederationId: 65_000 };
    const member: WorldPeer = { asn: 65_011, id: 3, relation: 'confederation' };
    const said = { path: [7] };
    const inside = told({ ...external, relation: 'external' }, member, said, config);
    expect(inside).toMatchObject({
      asPath: [
        { type: 'confed-sequence', asns: [65_010] },
        { type: 'sequence', asns: [7] },
      ],
      localPref: 100,
      nextHop: '10.0.0.1',
    });
    const world = new World({ member, out: toExternal() }, config).up();
    world.say('member', PREFIX, {
      ...attributes('10.0.0.3', [7]),
      asPath: [
        { type: 'confed-sequence', asns: [65_011] },
        { type: 'sequence', asns: [7] },
      ],
    });
    expect(world.deliver().has('out', PREFIX)?.asPath).toEqual([{ type: 'sequence', asns: [65_000, 7] }]);
  });
});

describe('the next hop', () => {
  const V6 = 'fd00:1::/64';
  const both = (policy: PeerPolicy, extendedNextHop = false): WorldPeer => ({
    ...toExternal(policy),
    families: [4, 6],
    localAddress: 'fd00::fe',
    address: 'fd00::2',
    agreed: { extendedNextHop },
  });
  const onLink = (policy: PeerPolicy, extendedNextHop = false): WorldPeer => ({
    ...both(policy, extendedNextHop),
    localAddress: 'fe80::fe',
    address: 'fe80::2',
  });

  test.each(['auto', 'keep'] as const)(
    'that is link-local means nothing elsewhere: %s is ourselves',
    (nextHop) => {
      const inside = { asn: 65_000, families: [4, 6] as const, agreed: { extendedNextHop: true } };
      const world = new World({
        from: {
          ...inside,
          id: 1,
          localAddress: 'fe80::fe',
          address: 'fe80::2',
          policy: { isReflectorClient: true },
        },
        to: { ...inside, id: 2, localAddress: 'fd00::fe', address: 'fd00::3', policy: { nextHop } },
      }).up();
      for (const prefix of [PREFIX, V6])
        world.say('from', prefix, attributes('fe80::2', [], { linkLocalNextHop: 'fe80::2' }));
      world.deliver();
      for (const prefix of [PREFIX, V6]) {
        expect(world.has('to', prefix)).toMatchObject({ nextHop: 'fd00::fe' });
        expect(world.has('to', prefix)).not.toHaveProperty('linkLocalNextHop');
      }
    },
  );

  test('that is global, with a link-local one beside it, may be kept', () => {
    const world = new World({
      from: { ...both({}), asn: 65_001, id: 1, localAddress: 'fe80::fe', address: 'fe80::2' },
      to: { ...both({ nextHop: 'keep' }), asn: 65_000, id: 2 },
    }).up();
    world.say('from', V6, attributes('fd00:9::2', [65_001], { linkLocalNextHop: 'fe80::2' }));
    const heard = world.deliver().has('to', V6);
    expect(heard?.nextHop).toBe('fd00:9::2');
    expect(heard).not.toHaveProperty('linkLocalNextHop');
  });

  test('is reached by the link-local one beside it, too', () => {
    const asked: string[] = [];
    const world = new World(
      { from: { ...both({}), id: 1 } },
      {},
      {
        metricOf: (nextHop, linkLocal) => {
          asked.push(`${nextHop} ${linkLocal ?? '-'}`);
          return linkLocal === 'fe80::2' ? 0 : undefined;
        },
      },
    ).up();
    world.say('from', V6, attributes('fd00:9::2', [65_001], { linkLocalNextHop: 'fe80::2' }));
    world.say('from', 'fd00:2::/64', attributes('fd00:9::2', [65_001]));
    expect(world.rib.takeBest(9, 0).map(({ prefix }) => prefix)).toEqual([V6]);
    expect(asked).toEqual(['fd00:9::2 fe80::2', 'fd00:9::2 -']);
  });

  const hop = (to: WorldPeer, prefix: string) => {
    const world = new World({ to }).up();
    world.rib.announce({ prefix, origin: 'test' }, 0);
    const heard = world.deliver().has('to', prefix);
    return heard === undefined ? explain(world.rib.tables, prefix).told[0]?.refusal : heard;
  };

  test.each<[string, WorldPeer, string, object | string]>([
    ['of IPv6 is the address of the session', both({}), V6, { nextHop: 'fd00::fe' }],
    [
      'has a link-local one beside it',
      both({ linkLocalNextHop: 'fe80::1' }),
      V6,
      { nextHop: 'fd00::fe', linkLocalNextHop: 'fe80::1' },
    ],
    [
      'of IPv4 over IPv6 is the one that is given',
      both({ nextHops: { 4: '10.0.0.9' } }),
      PREFIX,
      { nextHop: '10.0.0.9' },
    ],
    ['of IPv4 may be of IPv6 if that was agreed', both({}, true), PREFIX, { nextHop: 'fd00::fe' }],
    [
      'between link-local addresses is ours there, alone (RFC 2545)',
      onLink({}),
      V6,
      { nextHop: 'fe80::fe', linkLocalNextHop: 'fe80::fe' },
    ],
    [
      'between link-local addresses is behind a global one that is given',
      onLink({ nextHops: { 6: 'fd00::9' } }),
      V6,
      { nextHop: 'fd00::9', linkLocalNextHop: 'fe80::fe' },
    ],
    [
      'of IPv4 between link-local addresses is of IPv6 if that was agreed',
      onLink({}, true),
      PREFIX,
      { nextHop: 'fe80::fe', linkLocalNextHop: 'fe80::fe' },
    ],
    [
      'of IPv4 between link-local addresses may be a global one of IPv6',
      onLink({ nextHops: { 6: 'fd00::9' } }, true),
      PREFIX,
      { nextHop: 'fd00::9', linkLocalNextHop: 'fe80::fe' },
    ],
    [
      'of IPv4 between link-local addresses is of IPv4 if one is given',
      onLink({ nextHops: { 4: '10.0.0.9' } }, true),
      PREFIX,
      { nextHop: '10.0.0.9' },
    ],
    [
      'of IPv4 between link-local addresses is missing otherwise',
      onLink({}),
      PREFIX,
      'no next hop of a family the peer takes',
    ],
    ['is missing otherwise', both({}), PREFIX, 'no next hop of a family the peer takes'],
    [
      'of IPv6 over IPv4 is the one that is given',
      { ...toExternal({ nextHops: { 6: 'fd00::9' } }), families: [4, 6] },
      V6,
      { nextHop: 'fd00::9' },
    ],
  ])('%s', (_name, to, prefix, expected) => {
    if (typeof expected === 'string') expect(hop(to, prefix)).toBe(expected);
    else expect(hop(to, prefix)).toMatchObject(expected);
  });
});

describe('a route is refused', () => {
  test.each<
    [string, PeerPolicy, number, Partial<PathAttributes> & { path?: readonly number[] }, string | undefined]
  >([
    ['that has been here', {}, 65_001, { path: [65_001, 65_000] }, 'own AS in the path'],
    ['but for as often as is allowed', { allowedOwnAsns: 1 }, 65_001, { path: [65_001, 65_000] }, undefined],
    ['more often', { allowedOwnAsns: 1 }, 65_001, { path: [65_000, 65_000] }, 'own AS in the path'],
    [
      'that comes back by a reflector',
      {},
      65_000,
      { originatorId: 0x0a00_0001 },
      'own router is the originator',
    ],
    [
      'that has been in this cluster',
      {},
      65_000,
      { clusterList: [7, 0x0a00_0001] },
      'own cluster in the cluster list',
    ],
    ['by way of ourselves', {}, 65_000, { nextHop: '10.0.0.254' }, 'own address as next hop'],
    [
      'without a filter, if one is required',
      { requiresFilters: true },
      65_001,
      {},
      'no import filter for an external peer (RFC 8212)',
    ],
    ['but not from inside', { requiresFilters: true }, 65_000, {}, undefined],
    ['by a filter', { importFilter: () => undefined }, 65_001, {}, 'import filter'],
  ])('%s', (_name, policy, asn, { path = [], ...more }, reason) => {
    const world = new World({ from: { asn, id: 1, policy } }).up();
    world.say('from', PREFIX, attributes('10.0.0.1', path, more));
    const outcome = world.routes(PREFIX)[0]?.outcome;
    expect(outcome).toEqual(reason === undefined ? { type: 'best' } : { type: 'refused', reason });
  });
});

test('a blackhole is one where its peer may ask for it, and stays here', () => {
  for (const acceptsBlackhole of [true, false]) {
    const world = new World({ from: { ...external, policy: { acceptsBlackhole } }, to: toExternal() }).up();
    world.say(
      'from',
      '10.1.2.3/32',
      attributes('10.0.0.1', [65_001], { communities: [COMMUNITIES.blackhole] }),
    );
    expect(world.rib.takeBest(9, 0)[0]?.route?.isDiscard).toBe(acceptsBlackhole);
    expect(world.deliver().has('to', '10.1.2.3/32') === undefined).toBe(acceptsBlackhole);
  }
});
