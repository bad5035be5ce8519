/** Changes to nf_tables on the real kernel: each state is reached from any other, and what others do to our tables is noticed. */
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyOf, LAB, plan, stateOf } from '#core/kernel/index.ts';
import {
  act,
  element,
  field,
  match,
  type NftChain,
  type NftHook,
  type NftObject,
  type NftSet,
  printRuleset,
} from '#core/nft/index.ts';
import { runs } from '#testing/soak.ts';
import { chain, ELEMENTS, INET, SETS, TABLE, table } from './nftables-universe.ts';
import { NftWorld, nftVersion } from './nftables-world.ts';

const FORWARD: NftHook = { hook: 'forward', priority: 0, type: 'filter', policy: 'accept' };

let world: NftWorld;
beforeEach((context) => {
  context.skip(nftVersion() === undefined, 'nft is not installed');
  world = new NftWorld([TABLE]);
});
afterEach(() => world?.[Symbol.dispose]());

/** Plans and applies, and makes sure that all three pictures agree: the wish, the mirror and a fresh dump. */
function reach(objects: readonly NftObject[]): string[] {
  const wish = stateOf(objects);
  const { ops } = plan(wish, world.state(), { owners: [LAB] });
  if (ops.length > 0) world.apply(ops);
  const state = world.state();
  expect([...state.keys()].sort()).toEqual([...wish.keys()].sort());
  expect(plan(wish, state, { owners: [LAB] }).ops).toEqual([]);
  expect(sorted(world.dumped())).toEqual(sorted(state));
  return ops.map(({ verb, object }) => `${verb} ${keyOf(object)}`);
}

function sorted(state: ReadonlyMap<string, unknown>): unknown[] {
  return [...state].sort(([a], [b]) => (a < b ? -1 : 1));
}

const accepting = (name: string, hook?: NftHook) => chain('inet', name, [[act.accept]], hook);

describe('changes of our own', () => {
  it('replaces the rules of a chain, and only those', () => {
    const two = [[match.is(field.mark, 1), act.drop], [act.accept]];
    reach([table('inet'), chain('inet', 'c', two, FORWARD), accepting('other')]);
    const handle = world.nft(['-a', 'list', 'chain', 'inet', TABLE, 'other']);
    expect(reach([table('inet'), chain('inet', 'c', two.toReversed(), FORWARD), accepting('other')])).toEqual(
      [`replace nft chain inet ${TABLE} c`],
    );
    expect(world.nft(['-a', 'list', 'chain', 'inet', TABLE, 'other'])).toBe(handle);
  });

  it.each<[string, NftHook]>([
    ['policy', { ...FORWARD, policy: 'drop' }],
    ['priority', { ...FORWARD, priority: 7 }],
    ['hook', { ...FORWARD, hook: 'input' }],
    ['type', { hook: 'output', priority: -150, type: 'route', policy: 'accept' }],
  ])('changes the %s of a base chain', (_what, hook) => {
    const jump = chain('inet', 'target', [[act.accept]]);
    const rules = [[act.jump('target')]];
    reach([table('inet'), jump, chain('inet', 'c', rules, FORWARD)]);
    reach([table('inet'), jump, chain('inet', 'c', rules, hook)]);
    reach([table('inet'), jump, chain('inet', 'c', rules)]);
    reach([table('inet'), jump, chain('inet', 'c', rules, FORWARD)]);
  });

  it('puts a table to sleep and wakes it', () => {
    const inside = [accepting('c', FORWARD), SETS.hosts4, element(SETS.hosts4, ['10.0.0.1'])];
    reach([table('inet'), ...inside]);
    expect(reach([table('inet', { dormant: true }), ...inside])).toEqual([`replace nft table inet ${TABLE}`]);
    expect(reach([table('inet'), ...inside])).toEqual([`replace nft table inet ${TABLE}`]);
  });

  it('makes a set anew when its type changes, with its elements and the rules that use it', () => {
    const rules = chain('inet', 'c', [[match.inSet(field.dport('tcp'), SETS.ports), act.drop]], FORWARD);
    const wish = (set: NftSet, more: NftObject[] = []) => [
      table('inet'),
      set,
      rules,
      accepting('other'),
      element(set, [80]),
      element(set, [443]),
      ...more,
    ];
    reach(wish(SETS.ports));
    const ranges = { ...SETS.ports, interval: true };
    expect(reach(wish(ranges, [element(ranges, [[1000, 2000]])]))).toHaveLength(2);
    expect(reach(wish({ ...ranges, size: 99 }))).toHaveLength(2);
    reach(wish(SETS.ports));
  });

  it('lets ranges take each other’s place', () => {
    const set = SETS.nets4;
    const wish = (...ranges: string[]) => [
      table('inet'),
      set,
      ...ranges.map((range) => element(set, [range])),
    ];
    reach(wish('10.0.0.0/8', '12.0.0.0/8'));
    reach(wish('10.0.0.0/9', '10.128.0.0/9', '12.0.0.0/8'));
    reach(wish('10.0.0.0/8', '11.0.0.0/8', '12.0.0.0/8'));
    reach(wish('10.0.0.0/8', '12.0.0.0/8'));
    reach(wish('0.0.0.0/0'));
    reach(wish('255.255.255.255/32', '0.0.0.0/32', '255.255.255.254/32'));
    reach(wish('0.0.0.0/1', '128.0.0.0/1'));
    reach(wish('128.0.0.0/1'));
    reach(wish());
  });

  it('changes the comment, verdict and time of elements', () => {
    const one = [table('inet'), SETS.verdicts, SETS.leases, chain('inet', 'target', [])];
    const key = ['10.0.0.1', 'tcp', 80];
    reach([
      ...one,
      element(SETS.verdicts, key, { data: { verdict: 'drop' } }),
      element(SETS.leases, ['10.0.0.1']),
    ]);
    reach([
      ...one,
      element(SETS.verdicts, key, { data: { verdict: 'jump', chain: 'target' }, comment: 'c' }),
      element(SETS.leases, ['10.0.0.1'], { timeoutMs: 60_000 }),
    ]);
    reach([table('inet'), SETS.verdicts]);
  });

  it('removes everything, in whatever order it is told', () => {
    reach(INET);
    const removals = INET.toReversed().map((object) => ({ verb: 'remove', object }) as const);
    world.apply(removals.filter(({ object }) => object.kind !== 'nft-table'));
    expect([...world.state().keys()]).toEqual([`nft table inet ${TABLE}`]);
    reach(INET);
    world.apply(removals);
    expect(world.nft(['list', 'ruleset'])).toBe('');
    expect(world.state().size).toBe(0);
  });

  it('adds what is there already without doubling it', () => {
    reach(INET);
    world.add(INET);
    reach(INET);
  });

  it('puts 20,000 elements into messages the kernel takes', () => {
    const addresses = Array.from(
      { length: 20_000 },
      (_, i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
    );
    const verdict = { verdict: 'jump', chain: 'target' } as const;
    const objects: NftObject[] = [
      table('inet'),
      SETS.hosts4,
      SETS.verdicts,
      SETS.nets6,
      chain('inet', 'target', []),
      ...addresses.map((address) =>
        element(SETS.hosts4, [address], { comment: `pod ${address} `.padEnd(100, 'x') }),
      ),
      ...addresses
        .slice(0, 5000)
        .map((address) => element(SETS.verdicts, [address, 'tcp', 80], { data: verdict })),
      ...addresses.slice(0, 2000).map((_, i) => element(SETS.nets6, [`fd00:${i.toString(16)}::/64`])),
    ];
    reach(objects);
    reach(objects.slice(0, 5));
  });

  it('ends in the same state whatever states came before', () => {
    const fixed = INET.filter((object) => object.kind !== 'nft-element' && object.kind !== 'nft-chain');
    const chains = INET.filter((object): object is NftChain => object.kind === 'nft-chain');
    const target = chains.find(({ name }) => name === 'target') as NftChain;
    const others = chains.filter((each) => each !== target);
    const wishes = fc.record({
      elements: fc.subarray([...ELEMENTS]),
      chains: fc.subarray(others),
      rules: fc.nat(40),
    });
    fc.assert(
      fc.property(fc.array(wishes, { minLength: 2, maxLength: 4 }), (walk) => {
        for (const { elements, chains: some, rules } of walk) {
          const cut = some.map((each) => ({ ...each, rules: each.rules.slice(0, rules) }));
          const wish = [...fixed, target, ...cut, ...elements];
          reach(wish);
          const state = world.state();
          const found = wish.map((object) => state.get(keyOf(object)) as NftObject);
          expect(printRuleset(found)).toBe(printRuleset(wish));
        }
      }),
      runs(12, 500),
    );
  });
});

describe('what others do to our tables', () => {
  const base = () => [
    table('inet'),
    SETS.hosts4,
    SETS.nets4,
    SETS.verdicts,
    chain('inet', 'target', [[act.counter]]),
    chain(
      'inet',
      'c',
      [[match.is(field.mark, 1)], [match.is(field.mark, 2)], [match.is(field.mark, 3), act.jump('target')]],
      FORWARD,
    ),
    element(SETS.hosts4, ['10.0.0.1']),
    element(SETS.hosts4, ['10.0.0.2']),
    element(SETS.nets4, ['10.0.0.0/8']),
    element(SETS.nets4, ['11.0.0.0/8']),
    element(SETS.verdicts, ['10.0.0.1', 'tcp', 80], { data: { verdict: 'goto', chain: 'target' } }),
  ];
  const C = ['inet', TABLE, 'c'];

  /** The mirror knows, or knows that it does not; then a plan repairs it. */
  function noticed(changes = 1): void {
    const keys = world.changes();
    if (world.mirror.takeNeedsDump()) world.resync();
    else expect(keys.size).toBeGreaterThanOrEqual(changes);
    expect(sorted(world.state())).toEqual(sorted(world.dumped()));
    expect(reach(base())).not.toEqual([]);
  }

  it.each<[string, string]>([
    ['flush ruleset', 'flush ruleset'],
    ['delete table', `delete table inet ${TABLE}`],
    ['delete and create table', `delete table inet ${TABLE}\ntable inet ${TABLE} { chain x { }; }`],
    ['flush table', `flush table inet ${TABLE}`],
    ['flush chain', `flush chain ${C.join(' ')}`],
    ['flush set', `flush set inet ${TABLE} hosts4`],
    ['delete element', `delete element inet ${TABLE} hosts4 { 10.0.0.1 }`],
    ['delete range', `delete element inet ${TABLE} nets4 { 10.0.0.0/8 }`],
    ['delete map element', `delete element inet ${TABLE} verdicts { 10.0.0.1 . tcp . 80 : goto target }`],
    ['delete all uses of a chain and it', `flush chain ${C.join(' ')}\ndelete chain ${C.join(' ')}`],
    ['delete a set', `delete set inet ${TABLE} hosts4`],
    ['flush and refill', `flush set inet ${TABLE} nets4\nadd element inet ${TABLE} nets4 { 10.0.0.0/9 }`],
    ['policy', `chain ${C.join(' ')} { policy drop; }`],
  ])('%s', (_name, script) => {
    reach(base());
    world.nft(['-f', '-'], `${script}\n`);
    noticed();
  });

  it.each<[string, string]>([
    ['add', `add element inet ${TABLE} hosts4 { 10.0.0.9 }`],
    ['add a range', `add element inet ${TABLE} nets4 { 12.0.0.0/8, 255.0.0.0/8 }`],
    ['add a set and a chain', `add set inet ${TABLE} x { type inet_service; }\nadd chain inet ${TABLE} y`],
    ['add a set of a type unknown here', `add set inet ${TABLE} x { type dscp; elements = { 5 }; }`],
    ['add a rule at the end', `add rule ${C.join(' ')} counter accept`],
    ['add a rule with a set inside', `add rule ${C.join(' ')} tcp dport { 80, 443 } accept`],
    [
      'add a rule unknown here',
      `add rule ${C.join(' ')} ip ttl 5 queue num 1`.replace(' queue num 1', ' drop'),
    ],
    ['insert a rule', `insert rule ${C.join(' ')} counter accept`],
    [
      'insert three rules',
      Array(3)
        .fill(`insert rule ${C.join(' ')} counter accept`)
        .join('\n'),
    ],
    ['add a rule in the middle', `add rule ${C.join(' ')} index 0 counter accept`],
    ['insert a rule in the middle', `insert rule ${C.join(' ')} index 1 counter accept`],
  ])('%s', (_name, script) => {
    reach(base());
    world.nft(['-f', '-'], `${script}\n`);
    noticed(0);
  });

  it.each([0, 1, 2])('replace and delete rule %i', (index) => {
    reach(base());
    const handle = () =>
      [...world.nft(['-a', 'list', 'chain', ...C]).matchAll(/meta mark .*# handle (\d+)/g)].map(([, n]) => n)[
        index
      ];
    world.nft(['replace', 'rule', ...C, 'handle', `${handle()}`, 'meta', 'mark', '77', 'drop']);
    noticed();
    world.nft(['delete', 'rule', ...C, 'handle', `${handle()}`]);
    noticed();
  });

  it('passes over other tables, and over ours of another name in another family', () => {
    reach(base());
    world.nft(
      ['-f', '-'],
      'table inet other { set s { type ipv4_addr; elements = { 1.2.3.4 }; } \n chain c { drop; }; }\n',
    );
    expect([...world.changes()]).toEqual([]);
    world.nft(['add', 'table', 'ip', TABLE]);
    expect([...world.changes()]).toEqual([`nft table ip ${TABLE}`]);
    world.nft(['delete', 'table', 'inet', 'other']);
    expect([...world.changes()]).toEqual([]);
    expect([...world.dumped().keys()].filter((key) => key.includes('other'))).toEqual([]);
  });
});
