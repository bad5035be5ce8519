/** nf_tables on the real kernel: everything that can be said is accepted, comes back equal, and nft prints it as we do. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyOf } from '#core/kernel/index.ts';
import { equalNftObject, type NftObject, printRuleset } from '#core/nft/index.ts';
import { INET, OTHERS, TABLE } from './nftables-universe.ts';
import { NftWorld } from './nftables-world.ts';

/** What nft prints, without the time elements still have; it knows no name for a bare integer. */
function listing(world: NftWorld): string {
  return world
    .nft(['list', 'ruleset'])
    .replace(/ expires [0-9a-z]+/g, '')
    .replaceAll('\ttype 0 :', '\ttype integer :');
}

describe('nf_tables', () => {
  let world: NftWorld;
  beforeEach(() => {
    world = new NftWorld([TABLE]);
  });
  afterEach(() => world[Symbol.dispose]());

  it.each([
    ['inet', INET],
    ['the other families', OTHERS],
  ])('everything of %s is accepted and comes back equal, by notification and by dump', (_name, objects) => {
    world.add(objects);
    for (const state of [world.state(), world.dumped()]) {
      expect([...state.keys()].sort()).toEqual(objects.map(keyOf).sort());
      for (const object of objects) {
        const found = state.get(keyOf(object)) as NftObject;
        if (!equalNftObject(object, found)) expect(found).toEqual(object);
      }
    }
    const listed = listing(world);
    expect(printRuleset(objects)).toBe(listed);
    expect(printRuleset(world.state().values() as Iterable<NftObject>)).toBe(listed);
  });
});
