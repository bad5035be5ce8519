import { describe, expect, test } from 'vitest';
import { COMMUNITIES } from '../model.ts';
import { attributes, restartOf, World } from './rib-world.fixture.ts';

const ONE = '10.1.0.0/16';
const TWO = '10.2.0.0/16';
const V6 = 'fd00:1::/64';

/** A peer `a` with two routes of either family, and one `b` who listens. */
function world(
  options: { readonly long?: boolean; readonly kept?: boolean; readonly listenerLong?: boolean } = {},
): World {
  const families = [4, 6] as const;
  return new World({
    a: { asn: 65_001, id: 1, families, restart: restartOf(options), policy: { staleTimeSec: 30 } },
    b: {
      asn: 65_000,
      id: 2,
      families,
      restart: restartOf({ long: options.listenerLong ?? false }),
      policy: { nextHops: { 6: 'fd00::fe' } },
    },
  })
    .up()
    .say('a', ONE, attributes('10.0.0.1', [65_001]))
    .say('a', TWO, attributes('10.0.0.1', [65_001], { communities: [COMMUNITIES.noLlgr] }))
    .say('a', V6, attributes('fd00::1', [65_001]))
    .deliver();
}

const heard = (it: World): readonly string[] =>
  [...(it.deliver().heard.get('b')?.keys() ?? [])].map((key) => key.split(' ')[0] ?? '').toSorted();

describe('when a peer goes', () => {
  test('its routes go with it', () => {
    expect(heard(world().down('a'))).toEqual([]);
  });

  test('they stay if it restarts, and go if it does not come back in time', () => {
    const it = world().down('a', true);
    expect(heard(it)).toEqual([ONE, TWO, V6]);
    expect(it.routes(ONE)[0]?.staleness).toBe('stale');
    expect(it.rib.deadline).toBe(120_000);
    expect(heard(it.wait(119_999))).toEqual([ONE, TWO, V6]);
    expect(heard(it.wait(1))).toEqual([]);
    expect(it.rib.deadline).toBeUndefined();
    expect(it.rib.takeEvents()).toContainEqual({
      type: 'stale',
      peer: 'a',
      family: 4,
      routes: 2,
      fate: 'removed',
    });
  });

  test('those it says again stay, the others go when it has said all, each family by itself', () => {
    const it = world()
      .down('a', true)
      .wait(1000)
      .up('a')
      .say('a', ONE, attributes('10.0.0.1', [65_001]));
    expect(heard(it)).toEqual([ONE, TWO, V6]);
    expect(it.log.filter((line) => line.startsWith('b') && line.includes(ONE))).toHaveLength(1);
    it.rib.take('a', { type: 'end-of-rib', family: 4 }, it.now);
    expect(heard(it)).toEqual([ONE, V6]);
    it.rib.take('a', { type: 'end-of-rib', family: 6 }, it.now);
    expect(heard(it)).toEqual([ONE]);
  });

  test('they go at once if it comes back without having kept forwarding', () => {
    const it = world().down('a', true);
    const agreed = { ...it.agreedWith('a'), restart: restartOf({ kept: false }) };
    it.rib.take('a', { type: 'established', agreed }, it.now);
    expect(heard(it)).toEqual([]);
  });

  test('they go if it does not say them in time once it is back', () => {
    const it = world().down('a', true).wait(100_000).up('a').wait(29_999);
    expect(heard(it)).toEqual([ONE, TWO, V6]);
    expect(heard(it.wait(1))).toEqual([]);
  });

  test('they stay for their time though it fails to come back once more', () => {
    const it = world().down('a', true).wait(1000).down('a', true);
    expect(heard(it)).toEqual([ONE, TWO, V6]);
    expect(it.rib.deadline).toBe(120_000);
    expect(heard(it.down('a'))).toEqual([]);
  });

  test('they go if it goes a second time before it has said them', () => {
    const it = world()
      .down('a', true)
      .up('a')
      .say('a', ONE, attributes('10.0.0.1', [65_001]))
      .down('a', true);
    expect(heard(it)).toEqual([ONE]);
  });
});

describe('when a peer is away for long', () => {
  test('its routes become the last choice, but for those that must not', () => {
    const it = world({ long: true, listenerLong: true }).down('a', true).wait(120_000);
    expect(heard(it)).toEqual([ONE, V6]);
    expect(it.has('b', ONE)?.communities).toEqual([COMMUNITIES.llgrStale]);
    expect(it.routes(ONE)[0]?.staleness).toBe('long-stale');
    expect(heard(it.wait(3_599_999))).toEqual([ONE, V6]);
    expect(heard(it.wait(1))).toEqual([]);
  });

  test('they are told to nobody who does not know what that is', () => {
    expect(heard(world({ long: true }).down('a', true).wait(120_000))).toEqual([]);
  });

  test('they are as ever once it says them again', () => {
    const it = world({ long: true, listenerLong: true }).down('a', true).wait(200_000).up('a');
    it.say('a', ONE, attributes('10.0.0.1', [65_001]));
    expect(it.deliver().has('b', ONE)?.communities).toBeUndefined();
    expect(it.routes(ONE)[0]?.staleness).toBe('fresh');
    it.rib.take('a', { type: 'end-of-rib', family: 4 }, it.now);
    expect(heard(it)).toEqual([ONE, V6]);
  });
});

describe('a refresh', () => {
  test('sweeps what is not said again between begin and end', () => {
    const it = world();
    it.rib.take('a', { type: 'refresh', family: 4, subtype: 'begin' }, 0);
    it.say('a', TWO, attributes('10.0.0.1', [65_001]));
    it.rib.take('a', { type: 'refresh', family: 4, subtype: 'end' }, 0);
    expect(heard(it)).toEqual([TWO, V6]);
  });

  test('sends everything again, within begin and end for those who know them', () => {
    for (const hasEnhancedRefresh of [true, false]) {
      const it = new World({ a: { asn: 65_001, id: 1, hasEnhancedRefresh } }).up();
      for (const prefix of [ONE, TWO]) it.rib.announce({ prefix, origin: 'test' }, 0);
      it.deliver().log.length = 0;
      it.rib.take('a', { type: 'refresh', family: 4, subtype: 'request' }, 0);
      it.deliver(1);
      const routes = [`a + ${ONE}`, `a + ${TWO}`];
      expect(it.log).toEqual(
        hasEnhancedRefresh ? ['a refresh begin 4', ...routes, 'a refresh end 4'] : routes,
      );
    }
  });
});

describe('after our own restart', () => {
  const restarted = (): World => {
    const it = new World(
      {
        a: { asn: 65_001, id: 1, restart: restartOf() },
        b: { asn: 65_002, id: 2, restart: { ...restartOf(), isRestarting: true } },
        c: { asn: 65_003, id: 3 },
      },
      { deferMs: 60_000 },
    );
    it.rib.defer(0);
    it.rib.announce({ prefix: ONE, origin: 'test' }, 0);
    return it.up();
  };

  test('nothing is sent before all peers have told theirs', () => {
    const it = restarted().deliver();
    expect(it.log).toEqual([]);
    expect(it.rib.takeBest(9, 0)).toEqual([]);
    it.rib.take('a', { type: 'end-of-rib', family: 6 }, 0);
    expect(it.deliver().log).toEqual([]);
    it.rib.take('a', { type: 'end-of-rib', family: 4 }, 0);
    expect(it.deliver().log.filter((line) => line.startsWith('c'))).toEqual([`c + ${ONE}`, 'c end-of-rib 4']);
    expect(it.rib.deadline).toBeUndefined();
  });

  test('or the time is over', () => {
    const it = restarted();
    expect(it.rib.deadline).toBe(60_000);
    expect(it.wait(60_000).deliver().has('c', ONE)).toBeDefined();
  });
});
