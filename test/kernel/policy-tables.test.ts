/** The tables of policy on the real kernel: it takes them in one transaction, they come back equal, and nft lists them as we print them. */
import { expect, test } from 'vitest';
import { keyOf } from '#core/kernel/index.ts';
import { equalNftObject, type NftObject, printRuleset } from '#core/nft/index.ts';
import { GOLDENS } from '#core/policy/compile/scenes.fixture.ts';
import { NftWorld, nftVersion } from './nftables-world.ts';

const PRINTED_AS = '1.0.6';
const TABLE = 'poplin-policy';

test.each(Object.entries(GOLDENS))('%s', (name, make) => {
  using world = new NftWorld([TABLE]);
  // What needs tracking of bridged connections is another test's (test/vm).
  const wish = make().tables.filter(({ family }) => name !== 'bridged' || family === 'inet');
  world.add(wish);
  for (const state of [world.state(), world.dumped()]) {
    expect([...state.keys()].toSorted()).toEqual(wish.map(keyOf).toSorted());
    for (const object of wish) {
      const found = state.get(keyOf(object)) as NftObject;
      if (!equalNftObject(object, found)) expect(found).toEqual(object);
    }
  }
  // That release has no word for what a neighbour advertisement is about.
  if (nftVersion() === PRINTED_AS && !make().print().includes('icmpv6 taddr'))
    expect(printRuleset(wish)).toBe(world.nft(['list', 'ruleset']));
});
