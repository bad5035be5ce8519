import { describe, expect, test } from 'vitest';
import type { PathAttributes } from '../model.ts';
import type { DecisionRules } from './config.ts';
import { attributes, World, type WorldPeer } from './rib-world.fixture.ts';

const PREFIX = '10.1.0.0/16';
const PEERS: Readonly<Record<string, WorldPeer>> = {
  a: { asn: 65_001, id: 1 },
  b: { asn: 65_002, id: 2 },
  c: { asn: 65_001, id: 3 },
  i: { asn: 65_000, id: 4 },
  j: { asn: 65_000, id: 5 },
};

interface Case {
  readonly name: string;
  readonly rules?: DecisionRules;
  /** The first is the best. */
  readonly routes: readonly (readonly [string, PathAttributes])[];
  readonly steps: readonly string[];
  readonly metrics?: Readonly<Record<string, number>>;
}

const of = (peer: string, path: readonly number[], more: Partial<PathAttributes> = {}) =>
  [peer, attributes(`10.0.0.${PEERS[peer]?.id}`, path, more)] as const;

const CASES: readonly Case[] = [
  {
    name: 'the higher local preference',
    routes: [of('i', [1, 2, 3], { localPref: 200 }), of('j', [1])],
    steps: ['local-pref'],
  },
  {
    name: 'the shorter path',
    routes: [of('b', [65_002, 1]), of('a', [65_001, 1, 2])],
    steps: ['as-path-length'],
  },
  {
    name: 'a set counts once',
    routes: [
      ['a', { ...attributes('10.0.0.1', []), asPath: [{ type: 'set', asns: [1, 2, 3] }] }],
      of('b', [65_002, 1]),
    ],
    steps: ['as-path-length'],
  },
  {
    name: 'confederation segments do not count',
    routes: [
      ['i', { ...attributes('10.0.0.4', []), asPath: [{ type: 'confed-sequence', asns: [1, 2, 3] }] }],
      of('j', [7]),
    ],
    steps: ['as-path-length'],
  },
  {
    name: 'the path length ignored',
    rules: { ignoresPathLength: true },
    routes: [of('a', [65_001, 1, 2]), of('b', [65_002, 1])],
    steps: ['router-id'],
  },
  {
    name: 'the lower origin',
    routes: [
      of('b', [65_002]),
      of('a', [65_001], { origin: 'egp' }),
      of('c', [65_001], { origin: 'incomplete' }),
    ],
    steps: ['origin', 'origin'],
  },
  {
    name: 'the lower MED of one neighbour',
    routes: [of('c', [65_001], { med: 5 }), of('a', [65_001], { med: 10 })],
    steps: ['med'],
  },
  {
    name: 'no MED is the lowest',
    routes: [of('c', [65_001]), of('a', [65_001], { med: 10 })],
    steps: ['med'],
  },
  {
    name: 'MEDs of different neighbours are not compared',
    routes: [of('a', [65_001], { med: 10 }), of('b', [65_002], { med: 5 })],
    steps: ['router-id'],
  },
  {
    name: 'unless they always are',
    rules: { alwaysComparesMed: true },
    routes: [of('b', [65_002], { med: 5 }), of('a', [65_001], { med: 10 })],
    steps: ['med'],
  },
  {
    name: 'within each neighbour first, whatever the order',
    // Without that a beats b, b beats c, and c beats a.
    routes: [of('b', [65_002], { med: 50 }), of('c', [65_001], { med: 0 }), of('a', [65_001], { med: 100 })],
    steps: ['router-id', 'router-id'],
  },
  { name: 'external before internal', routes: [of('b', [65_002]), of('i', [65_001])], steps: ['external'] },
  {
    name: 'the nearer next hop',
    metrics: { '10.0.0.4': 20, '10.0.0.5': 10 },
    routes: [of('j', [1]), of('i', [1])],
    steps: ['igp-metric'],
  },
  {
    name: 'the originator stands for the router',
    routes: [of('j', [1], { originatorId: 3 }), of('i', [1])],
    steps: ['router-id'],
  },
  {
    name: 'the shorter cluster list',
    routes: [
      of('j', [1], { originatorId: 9, clusterList: [1] }),
      of('i', [1], { originatorId: 9, clusterList: [1, 2] }),
    ],
    steps: ['cluster-list'],
  },
  {
    name: 'the lower address',
    routes: [of('i', [1], { originatorId: 9 }), of('j', [1], { originatorId: 9 })],
    steps: ['peer-address'],
  },
  {
    name: 'what is long stale is the last choice',
    routes: [of('i', [1, 2, 3]), of('j', [1], { communities: [0xffff_0006] })],
    steps: ['long-stale'],
  },
];

describe('the best route is', () => {
  test.each(CASES)('$name', ({ rules, routes, steps, metrics }) => {
    for (const order of [routes, routes.toReversed()]) {
      const world = new World(PEERS, rules === undefined ? {} : { decision: rules }, {
        metricOf: (nextHop) => metrics?.[nextHop] ?? 0,
      }).up();
      for (const [peer, said] of order) world.say(peer, PREFIX, said);
      expect(world.best(PREFIX)).toBe(routes[0]?.[0]);
      const lost = new Map(
        world.routes(PREFIX).map(({ peer, outcome }) => [peer, outcome.type === 'lost' ? outcome.step : '']),
      );
      expect(routes.slice(1).map(([peer]) => lost.get(peer))).toEqual(steps);
    }
  });

  test('our own, whatever others say', () => {
    const world = new World(PEERS).up().say('i', PREFIX, attributes('10.0.0.4', [], { localPref: 500 }));
    world.rib.announce({ prefix: PREFIX, origin: 'pods' }, 0);
    expect(world.routes(PREFIX).map(({ peer, outcome }) => [peer, outcome])).toEqual([
      ['', { type: 'best' }],
      ['i', { type: 'lost', step: 'local' }],
    ]);
  });

  test('none whose next hop cannot be reached, and again when it can', () => {
    let isReachable = false;
    const world = new World(PEERS, {}, { metricOf: () => (isReachable ? 1 : undefined) }).up();
    world.say('a', PREFIX, attributes('10.9.9.9', [65_001]));
    expect(world.routes(PREFIX)[0]?.outcome).toEqual({ type: 'unreachable' });
    isReachable = true;
    world.rib.refreshMetrics();
    expect(world.best(PREFIX)).toBe('a');
    isReachable = false;
    world.rib.refreshMetrics();
    expect(world.best(PREFIX)).toBeUndefined();
  });

  test('the oldest external one, if that is wanted', () => {
    const world = new World(PEERS, { decision: { prefersOldest: true } }).up();
    world.say('b', PREFIX, attributes('10.0.0.2', [65_002]));
    world.now = 10;
    world.say('a', PREFIX, attributes('10.0.0.1', [65_001]));
    expect(world.best(PREFIX)).toBe('b');
  });
});

describe('routes that are as good', () => {
  const nextHopsOf = (rules: DecisionRules) => {
    const world = new World(PEERS, { decision: rules }).up();
    world.say('a', PREFIX, attributes('10.0.0.1', [65_001, 7]));
    world.say('b', PREFIX, attributes('10.0.0.2', [65_002, 7]));
    world.say('c', PREFIX, attributes('10.0.0.3', [65_001, 7]));
    world.say('i', PREFIX, attributes('10.0.0.4', [65_001, 7]));
    return world.rib.takeBest(10, 0)[0]?.route?.nextHops.map(({ address }) => address);
  };

  test.each<[string, DecisionRules, readonly string[]]>([
    ['are not used unless asked for', {}, ['10.0.0.1']],
    ['have the same path', { maxPaths: { external: 8 } }, ['10.0.0.1', '10.0.0.3']],
    [
      'or one of the same length',
      { maxPaths: { external: 8 }, relaxesMultipath: true },
      ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    ],
    ['up to a number', { maxPaths: { external: 2 }, relaxesMultipath: true }, ['10.0.0.1', '10.0.0.2']],
  ])('%s', (_name, rules, expected) => {
    expect(nextHopsOf(rules)).toEqual(expected);
  });

  test('are others if their link-local next hops are the same, as those are on the links of their peers', () => {
    const world = new World(PEERS, { decision: { maxPaths: { external: 8 }, relaxesMultipath: true } }).up();
    for (const peer of ['a', 'b']) world.say(peer, PREFIX, attributes('fe80::1', [65_001]));
    world.say('c', PREFIX, attributes('10.0.0.3', [65_001]));
    expect(
      world.rib.takeBest(10, 0)[0]?.route?.nextHops.toSorted((a, b) => (a.peer < b.peer ? -1 : 1)),
    ).toEqual([
      { address: 'fe80::1', peer: 'a' },
      { address: 'fe80::1', peer: 'b' },
      { address: '10.0.0.3', peer: 'c' },
    ]);
  });

  test('follow what happens to any of them', () => {
    const world = new World(PEERS, { decision: { maxPaths: { internal: 4 } } }).up();
    world.say('i', PREFIX, attributes('10.0.0.4', [7])).say('j', PREFIX, attributes('10.0.0.5', [7]));
    expect(world.rib.takeBest(10, 0)[0]?.route?.nextHops).toHaveLength(2);
    expect(world.rib.takeBest(10, 0)).toEqual([]);
    world.unsay('j', PREFIX);
    expect(world.rib.takeBest(10, 0)[0]?.route?.nextHops).toEqual([{ address: '10.0.0.4', peer: 'i' }]);
    world.unsay('i', PREFIX);
    expect(world.rib.takeBest(10, 0)).toEqual([{ family: 4, prefix: PREFIX }]);
  });
});
