import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '#testing/soak.ts';
import type { PathAttributes } from '../model.ts';
import { explain, type PeerPolicy, type RibConfig, toldTo } from './index.ts';
import { attributes, restartOf, World, type WorldPeer } from './rib-world.fixture.ts';

// Whatever happened on the way, the end is that of tables that were told the end alone.

const PREFIXES = ['10.1.0.0/16', '10.1.2.0/24', '10.2.0.0/16', '10.3.0.0/16', 'fd00:1::/64', 'fd00:2::/64'];
const POLICIES: readonly PeerPolicy[] = [
  {},
  { isReflectorClient: true },
  { nextHop: 'self', allowedOwnAsns: 1 },
  {
    exportFilter: ({ prefix, attributes: each }) =>
      prefix.startsWith('10.2') ? undefined : { ...each, med: 4 },
  },
  {
    importFilter: ({ prefix, attributes: each }) =>
      prefix.startsWith('10.3') ? undefined : { ...each, localPref: 150 },
  },
  { addPathCount: 'all' },
  { exportFilter: () => undefined, silentFamilies: new Set([4, 6]) },
  {
    exportFilter: ({ family, attributes: each }) => (family === 6 ? undefined : each),
    silentFamilies: new Set([6]),
  },
  { requiresFilters: true },
];
const peer = (asn: number, id: number, more: Partial<WorldPeer> = {}): WorldPeer => ({
  asn,
  id,
  families: [4, 6],
  ...more,
});
const PEERS: Readonly<Record<string, WorldPeer>> = {
  e1: peer(65_001, 1, { restart: restartOf() }),
  e2: peer(65_001, 2),
  e3: peer(65_002, 3, { agreed: { addPathSend: true, addPathReceive: true } }),
  i1: peer(65_000, 4, { restart: restartOf({ long: true }) }),
  i2: peer(65_000, 5, { agreed: { addPathSend: true } }),
  c1: peer(65_010, 6, { relation: 'confederation' }),
};
const KEYS = Object.keys(PEERS);
const CONFIGS: readonly Partial<RibConfig>[] = [
  {},
  { decision: { alwaysComparesMed: true, maxPaths: { external: 4, internal: 4 }, relaxesMultipath: true } },
  { decision: { maxPaths: { external: 2, internal: 2 } } },
];
const AGGREGATES = [
  { prefix: '10.0.0.0/8' },
  { prefix: '10.1.0.0/16', isSummaryOnly: true },
  { prefix: 'fd00::/16', isSummaryOnly: true },
];

type Op =
  | { readonly op: 'say'; readonly key: string; readonly prefix: string; readonly said: PathAttributes }
  | { readonly op: 'unsay'; readonly key: string; readonly prefix: string }
  | { readonly op: 'up' | 'deliver' | 'end'; readonly key: string }
  | { readonly op: 'down'; readonly key: string; readonly keepsRoutes: boolean }
  | { readonly op: 'policy'; readonly key: string; readonly policy: PeerPolicy }
  | { readonly op: 'own'; readonly prefix: string; readonly isThere: boolean }
  | { readonly op: 'metric'; readonly metric: number }
  | { readonly op: 'aggregates'; readonly count: number };

const key = fc.constantFrom(...KEYS);
const prefix = fc.constantFrom(...PREFIXES);
const said = fc
  .record({
    path: fc.array(fc.constantFrom(65_001, 65_002, 7, 8), { maxLength: 3 }),
    hop: fc.constantFrom('10.0.0.77', '10.0.0.78', 'fd00::77'),
    med: fc.constantFrom(undefined, 1, 2),
    localPref: fc.constantFrom(undefined, 100, 200),
    communities: fc.constantFrom(undefined, [1], [0xffff_ff01], [0xffff_ff02], [0xffff_0007]),
    clusterList: fc.constantFrom(undefined, [3], [3, 4]),
  })
  .map(({ path, hop, ...more }) =>
    attributes(
      hop,
      path,
      Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined)),
    ),
  );
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('say' as const), key, prefix, said }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('unsay' as const), key, prefix }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constantFrom('up' as const, 'deliver' as const, 'end' as const), key }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('down' as const), key, keepsRoutes: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('policy' as const), key, policy: fc.constantFrom(...POLICIES) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('own' as const), prefix, isThere: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('metric' as const), metric: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('aggregates' as const), count: fc.nat(3) }) },
);

/** What was said last, and is to be true at the end. */
class Walk {
  metric = 1;
  readonly world: World;
  readonly said = new Map<string, Map<string, PathAttributes>>();
  readonly own = new Set<string>();
  readonly policies = new Map<string, PeerPolicy>();
  aggregates = 0;

  constructor(config: Partial<RibConfig>) {
    this.world = new World(PEERS, config, { metricOf: (hop) => this.metricOf(hop) });
  }

  metricOf(hop: string): number | undefined {
    if (hop !== '10.0.0.77') return 1;
    return this.metric === 0 ? undefined : this.metric;
  }

  isUp(key: string): boolean {
    return this.world.heard.has(key);
  }

  step(each: Op): void {
    const { world } = this;
    world.now += 100;
    switch (each.op) {
      case 'say':
        if (!this.isUp(each.key)) return;
        world.say(each.key, each.prefix, each.said);
        this.said.get(each.key)?.set(each.prefix, each.said);
        return;
      case 'unsay':
        if (!this.isUp(each.key)) return;
        world.unsay(each.key, each.prefix);
        this.said.get(each.key)?.delete(each.prefix);
        return;
      case 'up':
        if (this.isUp(each.key)) return;
        world.up(each.key);
        this.said.set(each.key, new Map());
        return;
      case 'deliver':
        world.deliver(2);
        return;
      case 'end':
        if (this.isUp(each.key)) this.end(each.key);
        return;
      case 'down':
        if (this.isUp(each.key)) world.down(each.key, each.keepsRoutes);
        return;
      case 'policy':
        world.rib.setPolicy(each.key, each.policy, world.now);
        this.policies.set(each.key, each.policy);
        return;
      case 'own':
        if (each.isThere) world.rib.announce({ prefix: each.prefix, origin: 'own' }, world.now);
        else world.rib.withdraw(each.prefix, 'own');
        if (each.isThere) this.own.add(each.prefix);
        else this.own.delete(each.prefix);
        return;
      case 'metric':
        this.metric = each.metric;
        world.rib.refreshMetrics();
        return;
      case 'aggregates':
        this.aggregates = each.count;
        world.rib.setAggregates(AGGREGATES.slice(0, each.count), world.now);
    }
  }

  end(key: string): void {
    for (const family of [4, 6] as const)
      this.world.rib.take(key, { type: 'end-of-rib', family }, this.world.now);
  }

  /** All is said that was to be said, and what was stale is gone. */
  finish(): this {
    for (const each of this.world.heard.keys()) this.end(each);
    this.world.wait(10_000_000).deliver();
    return this;
  }

  /** Tables that are told the end alone, in another order. */
  fresh(config: Partial<RibConfig>): Walk {
    const walk = new Walk(config);
    walk.metric = this.metric;
    const { world } = walk;
    for (const [each, policy] of this.policies) world.rib.setPolicy(each, policy, 0);
    world.rib.setAggregates(AGGREGATES.slice(0, this.aggregates), 0);
    for (const each of [...this.world.heard.keys()].toReversed()) world.up(each);
    for (const each of this.world.heard.keys())
      for (const [text, what] of [...(this.said.get(each) ?? [])].toReversed()) world.say(each, text, what);
    for (const text of this.own) world.rib.announce({ prefix: text, origin: 'own' }, 0);
    return walk.finish();
  }

  outcome(): unknown {
    const { rib, heard } = this.world;
    const routes = [...PREFIXES, '10.0.0.0/8', 'fd00::/16'].map((text) =>
      explain(rib.tables, text).routes.map(({ peer: from, outcome, attributes: each, staleness }) => ({
        from,
        outcome,
        each,
        staleness,
      })),
    );
    const told = KEYS.filter((each) => heard.has(each)).map((each) => [each, this.toldOf(each)]);
    return { routes, told };
  }

  /** What the peer has, sorted; path identifiers are of no meaning to others. */
  toldOf(each: string): readonly string[] {
    return [...(this.world.heard.get(each) ?? [])]
      .map(([text, what]) => `${text.split(' ')[0]} ${JSON.stringify(what, Object.keys(what).toSorted())}`)
      .toSorted();
  }
}

describe('tables after any walk', () => {
  it('are those that were told the end alone, and each peer has what it is thought to have', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 80 }), fc.constantFrom(...CONFIGS), (ops, config) => {
        const walk = new Walk(config);
        for (const each of ops) walk.step(each);
        walk.finish();
        expect(walk.outcome()).toEqual(walk.fresh(config).outcome());
        for (const each of walk.world.heard.keys()) {
          const known = ([4, 6] as const).flatMap((family) => [
            ...toldTo(walk.world.rib.tables, each, family),
          ]);
          expect(walk.world.heard.get(each)).toEqual(
            new Map(
              known.map(({ prefix: text, pathId = 0, attributes: what }) => [`${text} ${pathId}`, what]),
            ),
          );
        }
      }),
      runs(300, 20_000),
    );
  });

  it('hold nothing once all is gone', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 80 }), fc.constantFrom(...CONFIGS), (ops, config) => {
        const walk = new Walk(config);
        for (const each of ops) walk.step(each);
        const { rib, heard } = walk.world;
        for (const each of heard.keys())
          rib.take(each, { type: 'down', keepsRoutes: false, reason: 'end' }, 0);
        walk.world.heard.clear();
        walk.world.wait(10_000_000);
        for (const text of PREFIXES) rib.withdraw(text, 'own');
        rib.setAggregates([], 0);
        rib.takeBest(Infinity, 0);
        const { pool, families } = rib.tables;
        expect([pool.size, families[4].size, families[6].size]).toEqual([0, 0, 0]);
        expect([families[4].prefixes.size, families[6].prefixes.size]).toEqual([0, 0]);
      }),
      runs(300, 20_000),
    );
  });
});
