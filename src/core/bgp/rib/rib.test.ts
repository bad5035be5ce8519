import { describe, expect, test } from 'vitest';
import { type PeerPolicy, toldTo } from './index.ts';
import { attributes, World, type WorldPeer } from './rib-world.fixture.ts';

const PREFIX = '10.1.0.0/16';

describe('what a peer is told', () => {
  test('is packed by attributes, ends with End-of-RIB, and is not said twice', () => {
    const world = new World({ a: { asn: 65_001, id: 1 }, b: { asn: 65_002, id: 2 } }).up();
    for (const third of [1, 2, 3]) world.say('a', `10.1.${third}.0/24`, attributes('10.0.0.1', [65_001, 7]));
    world.say('a', '10.2.0.0/16', attributes('10.0.0.1', [65_001, 8]));
    const sends = world.rib.drain('b', 100, 0);
    expect(sends.map((send) => (send.type === 'announce' ? send.update.nlri.length : send.type))).toEqual([
      3,
      1,
      'end-of-rib',
    ]);
    world.say('a', '10.2.0.0/16', attributes('10.0.0.1', [65_001, 8]));
    // A MED that is not passed on is no news.
    world.say('a', '10.1.1.0/24', attributes('10.0.0.1', [65_001, 7], { med: 5 }));
    expect(world.rib.drain('b', 100, 0)).toEqual([]);
  });

  test('is the last word only, however often it changed while the peer was slow', () => {
    const world = new World({ a: { asn: 65_001, id: 1 }, b: { asn: 65_002, id: 2 } }).up().deliver();
    for (let time = 0; time < 1000; time++) {
      world.say('a', PREFIX, attributes('10.0.0.1', [65_001, time + 1]));
      world.rib.settle(0);
      if (time % 3 === 0) world.unsay('a', PREFIX);
      world.rib.settle(0);
    }
    world.say('a', PREFIX, attributes('10.0.0.1', [65_001, 7])).deliver();
    expect(world.log.filter((line) => line.startsWith('b +'))).toHaveLength(1);
    expect(world.has('b', PREFIX)?.asPath).toEqual([{ type: 'sequence', asns: [65_000, 65_001, 7] }]);
    world
      .say('a', '10.9.0.0/16', attributes('10.0.0.1', [65_001]))
      .unsay('a', '10.9.0.0/16')
      .deliver();
    expect(world.log.filter((line) => line.includes('10.9'))).toEqual([]);
  });

  test('comes in parts of the size that is asked for', () => {
    const world = new World({ a: { asn: 65_001, id: 1 } }).up();
    for (let third = 0; third < 10; third++)
      world.rib.announce({ prefix: `10.1.${third}.0/24`, origin: 'test' }, 0);
    const sizes = [];
    while (world.rib.hasPending('a'))
      sizes.push(
        world.rib
          .drain('a', 4, 0)
          .map((send) => (send.type === 'announce' ? send.update.nlri.length : send.type)),
      );
    expect(sizes).toEqual([[4], [4], [2, 'end-of-rib']]);
  });

  test('does not come back to whom it is from', () => {
    const world = new World({ a: { asn: 65_001, id: 1 } })
      .up()
      .say('a', PREFIX, attributes('10.0.0.1', [65_001]));
    expect(world.deliver().log).toEqual(['a end-of-rib 4']);
  });
});

describe('additional paths', () => {
  const peers: Readonly<Record<string, WorldPeer>> = {
    a: { asn: 65_001, id: 1 },
    b: { asn: 65_002, id: 2 },
    all: { asn: 65_000, id: 3, agreed: { addPathSend: true }, policy: { addPathCount: 'all' } },
    two: { asn: 65_000, id: 4, agreed: { addPathSend: true }, policy: { addPathCount: 2 } },
    from: { asn: 65_003, id: 5, agreed: { addPathReceive: true } },
  };
  const count = (world: World, key: string): number =>
    [...(world.deliver().heard.get(key)?.keys() ?? [])].filter((each) => each.startsWith(PREFIX)).length;

  test('are sent, all or the best, and withdrawn one by one', () => {
    const world = new World(peers).up();
    world
      .say('a', PREFIX, attributes('10.0.0.1', [65_001]))
      .say('b', PREFIX, attributes('10.0.0.2', [65_002]));
    world.say('from', PREFIX, attributes('10.0.0.5', [65_003]), 1);
    world.say('from', PREFIX, attributes('10.0.0.5', [65_003, 9]), 2);
    expect([count(world, 'all'), count(world, 'two'), count(world, 'a')]).toEqual([4, 2, 0]);
    world.unsay('from', PREFIX, 1);
    expect([count(world, 'all'), count(world, 'two')]).toEqual([3, 2]);
    world.unsay('a', PREFIX);
    expect([count(world, 'all'), count(world, 'two')]).toEqual([2, 2]);
    expect([...toldTo(world.rib.tables, 'all', 4)].map(({ attributes: { nextHop } }) => nextHop)).toEqual([
      '10.0.0.2',
      '10.0.0.5',
    ]);
    world.down('from').down('b');
    expect([count(world, 'all'), count(world, 'two')]).toEqual([0, 0]);
  });

  test('are told before those they replace are taken back', () => {
    const world = new World(peers).up();
    world.say('a', PREFIX, attributes('10.0.0.1', [65_001, 7])).deliver();
    world.rib.setPolicy('two', { addPathCount: 1 }, 0);
    world.deliver();
    world.say('b', PREFIX, attributes('10.0.0.2', [65_002])).rib.settle(0);
    expect(world.rib.drain('two', 9, 0).map(({ type }) => type)).toEqual(['announce', 'withdraw']);
  });

  test('of one peer replace each other by their number only', () => {
    const world = new World(peers).up();
    world
      .say('from', PREFIX, attributes('10.0.0.5', [65_003]), 1)
      .say('from', PREFIX, attributes('10.0.0.6', [65_003]), 2);
    world.say('from', PREFIX, attributes('10.0.0.7', [65_003]), 1);
    expect(world.routes(PREFIX).map(({ pathId, received }) => [pathId, received.nextHop])).toEqual([
      [1, '10.0.0.7'],
      [2, '10.0.0.6'],
    ]);
  });
});

describe('a limit of routes', () => {
  test.each([
    ['warn', 3],
    ['refuse', 2],
    ['stop', 2],
  ] as const)('with %s keeps %d, and is told once', (action, kept) => {
    const world = new World({ a: { asn: 65_001, id: 1, policy: { maxRoutes: { 4: 2, action } } } }).up();
    for (const third of [1, 2, 3, 1]) world.say('a', `10.1.${third}.0/24`, attributes('10.0.0.1', [65_001]));
    expect(world.rib.settle(0)).toBe(kept);
    expect(world.rib.takeEvents()).toEqual([{ type: 'limit', peer: 'a', family: 4, limit: 2, action }]);
  });
});

describe('another policy', () => {
  test('is tried on what was refused, and on what was told', () => {
    const world = new World({
      a: { asn: 65_001, id: 1, policy: { importFilter: () => undefined } },
      b: { asn: 65_002, id: 2 },
    }).up();
    world.say('a', PREFIX, attributes('10.0.0.1', [65_001]));
    expect(world.deliver().has('b', PREFIX)).toBeUndefined();
    world.rib.setPolicy('a', {}, 0);
    expect(world.deliver().has('b', PREFIX)).toBeDefined();
    world.rib.setPolicy('b', { exportFilter: (route) => ({ ...route.attributes, med: 9 }) }, 0);
    expect(world.deliver().has('b', PREFIX)?.med).toBe(9);
    world.rib.setPolicy('b', { exportFilter: () => undefined }, 0);
    expect(world.deliver().has('b', PREFIX)).toBeUndefined();
    expect(world.log.filter((line) => line.includes('end-of-rib'))).toHaveLength(2);
  });

  test('that lets nothing out has the peer asked about nothing, and takes back what it was told', () => {
    let asked = 0;
    const refuse = () => void asked++;
    const silent: PeerPolicy = { exportFilter: refuse, silentFamilies: new Set([4]) };
    const world = new World({ a: { asn: 65_001, id: 1 }, b: { asn: 65_002, id: 2, policy: silent } }).up();
    world.say('a', PREFIX, attributes('10.0.0.1', [65_001])).deliver();
    expect(asked).toBe(0);
    expect(world.log).toContain('b end-of-rib 4');
    world.rib.setPolicy('b', {}, 0);
    expect(world.deliver().has('b', PREFIX)).toBeDefined();
    world.say('a', '10.2.0.0/16', attributes('10.0.0.1', [65_001]));
    expect(world.deliver().has('b', '10.2.0.0/16')).toBeDefined();
    world.rib.setPolicy('b', silent, 0);
    world.say('a', '10.3.0.0/16', attributes('10.0.0.1', [65_001]));
    expect([...(world.deliver().heard.get('b') ?? [])]).toEqual([]);
    expect(world.rib.hasPending('b')).toBe(false);
  });

  test('makes a client of a peer without its session', () => {
    const internal = { asn: 65_000 };
    const world = new World({ a: { ...internal, id: 1 }, b: { ...internal, id: 2 } }).up();
    world.say('a', PREFIX, attributes('10.0.0.1', [7])).deliver();
    expect(world.has('b', PREFIX)).toBeUndefined();
    world.rib.setPolicy('a', { isReflectorClient: true }, 0);
    expect(world.deliver().has('b', PREFIX)).toBeDefined();
    world.rib.setPolicy('a', {}, 0);
    expect(world.deliver().has('b', PREFIX)).toBeUndefined();
  });
});

describe.each([
  [4, '10.0.0.0/8', ['10.1.0.0/16', '10.2.0.0/16'], '11.0.0.0/16'],
  [6, 'fd00::/16', ['fd00:1::/64', 'fd00:2::/64'], 'fd01::/64'],
] as const)('an aggregate of IPv%d', (family, summary, inside, outside) => {
  const worldWith = (isSummaryOnly: boolean): World => {
    const world = new World({
      a: { asn: 65_001, id: 1, families: [family], localAddress: family === 4 ? '10.0.0.254' : 'fd00::fe' },
    }).up();
    world.rib.setAggregates([{ prefix: summary, isSummaryOnly }], 0);
    return world;
  };
  const heard = (world: World): readonly string[] =>
    [...(world.deliver().heard.get('a')?.keys() ?? [])].map((key) => key.split(' ')[0] ?? '').toSorted();

  test('is there while something is within it, and throws away what is not', () => {
    const world = worldWith(false);
    world.rib.announce({ prefix: outside, origin: 'test' }, 0);
    expect(heard(world)).toEqual([outside]);
    for (const prefix of inside) world.rib.announce({ prefix, origin: 'test' }, 0);
    expect(heard(world)).toEqual([...inside, summary, outside].toSorted());
    expect(world.rib.takeBest(9, 0).find(({ prefix }) => prefix === summary)?.route?.isDiscard).toBe(true);
    expect(world.rib.withdraw(inside[0], 'test')).toBe(true);
    expect(heard(world)).toEqual([inside[1], summary, outside].toSorted());
    world.rib.withdraw(inside[1], 'test');
    expect(heard(world)).toEqual([outside]);
    expect(world.rib.withdraw(inside[1], 'test')).toBe(false);
  });

  test('hides what is within it, if it is a summary', () => {
    const world = worldWith(true);
    for (const prefix of inside) world.rib.announce({ prefix, origin: 'test' }, 0);
    expect(heard(world)).toEqual([summary]);
    world.rib.setAggregates([], 0);
    expect(heard(world)).toEqual([...inside]);
    world.rib.setAggregates([{ prefix: summary, isSummaryOnly: true }], 0);
    expect(heard(world)).toEqual([summary]);
  });
});

test('a peer that is removed takes its routes with it, and its name may be used again', () => {
  const world = new World({ a: { asn: 65_001, id: 1 }, b: { asn: 65_002, id: 2 } }).up();
  world.say('a', PREFIX, attributes('10.0.0.1', [65_001])).deliver();
  world.heard.delete('a');
  world.rib.removePeer('a');
  expect(world.deliver().has('b', PREFIX)).toBeUndefined();
  expect(() => world.rib.removePeer('a')).toThrow('no such peer: a');
  world.rib.addPeer('a', {});
  expect(() => world.rib.addPeer('a', {})).toThrow('there is a peer a already');
});

test('best routes that nobody wants to hear of are not noted', () => {
  const world = new World({ a: { asn: 65_001, id: 1 } }).up();
  world.say('a', PREFIX, attributes('10.0.0.1', [65_001])).rib.settle(0);
  expect(world.rib.hasBest).toBe(true);
  world.rib.trackBest(false);
  expect(world.rib.takeBest(9, 0)).toEqual([]);
  world.unsay('a', PREFIX).rib.settle(0);
  expect(world.rib.hasBest).toBe(false);
  expect(world.deliver().rib.tables.families[4].prefixes.size).toBe(0);
  world.rib.trackBest(true);
  world.say('a', PREFIX, attributes('10.0.0.1', [65_001]));
  expect(world.rib.takeBest(9, 0)).toHaveLength(1);
});
