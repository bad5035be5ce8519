/** nf_tables on the real kernel: everything that can be said is accepted, comes back equal, and nft prints it as we do. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyOf } from '#core/kernel/index.ts';
import {
  type ExpressionOp,
  equalNftObject,
  type NftChain,
  type NftObject,
  printRuleset,
} from '#core/nft/index.ts';
import { chain, INET, OTHERS, TABLE } from './nftables-universe.ts';
import { NftWorld, nftVersion } from './nftables-world.ts';

/** The release whose listings printRuleset follows. */
const PRINTED_AS = '1.0.6';
const CASES = [
  ['inet', INET],
  ['the other families', OTHERS],
] as const;

/** A rule for each expression, with the chain it lies in. */
const PROBES = new Map<ExpressionOp, readonly [NftChain, NftChain['rules'][0]]>();
for (const object of [...INET, ...OTHERS]) {
  if (object.kind !== 'nft-chain') continue;
  for (const rule of object.rules)
    for (const { op } of rule.expressions) if (!PROBES.has(op)) PROBES.set(op, [object, rule]);
}

let world: NftWorld;
beforeEach(() => {
  world = new NftWorld([TABLE]);
});
afterEach(() => world[Symbol.dispose]());

/** True if the kernel was built without an expression. */
function lacks(op: ExpressionOp): boolean {
  const [from, rule] = PROBES.get(op) as readonly [NftChain, NftChain['rules'][0]];
  using scratch = new NftWorld([TABLE]);
  const around = [...INET, ...OTHERS].filter(({ kind }) => kind === 'nft-table' || kind === 'nft-set');
  scratch.add([...around, chain('inet', 'target', [])]);
  try {
    scratch.add([{ ...from, rules: [rule] }]);
    return false;
  } catch (error) {
    if (error instanceof Error && error.message.includes('ENOENT')) return true;
    throw error;
  }
}

/** The objects without rules this kernel has no expressions for. */
function supported(objects: readonly NftObject[]): NftObject[] {
  const lacking = new Set([...PROBES.keys()].filter(lacks));
  return objects.map((object) =>
    object.kind !== 'nft-chain'
      ? object
      : {
          ...object,
          rules: object.rules.filter(({ expressions }) => !expressions.some(({ op }) => lacking.has(op))),
        },
  );
}

/** What nft prints, without the time elements still have; it knows no name for a bare integer. */
function listing(): string {
  return world
    .nft(['list', 'ruleset'])
    .replace(/ expires [0-9a-z]+/g, '')
    .replaceAll('\ttype 0 :', '\ttype integer :');
}

for (const op of PROBES.keys()) {
  it(`the kernel has the expression ${op}`, (context) => {
    context.skip(lacks(op), `kernel has no nf_tables expression ${op}`);
  });
}

describe('everything', () => {
  it.each(CASES)('of %s is accepted and comes back equal, by notification and by dump', (_name, objects) => {
    const wish = supported(objects);
    world.add(wish);
    for (const state of [world.state(), world.dumped()]) {
      expect([...state.keys()].sort()).toEqual(wish.map(keyOf).sort());
      for (const object of wish) {
        const found = state.get(keyOf(object)) as NftObject;
        if (!equalNftObject(object, found)) expect(found).toEqual(object);
      }
    }
  });

  for (const [name, objects] of CASES) {
    it(`of ${name} is printed as nft prints it`, (context) => {
      const version = nftVersion();
      context.skip(version !== PRINTED_AS, `nft is ${version ?? 'not installed'}, not ${PRINTED_AS}`);
      const wish = supported(objects);
      world.add(wish);
      const listed = listing();
      expect(printRuleset(wish)).toBe(listed);
      expect(printRuleset(world.state().values() as Iterable<NftObject>)).toBe(listed);
    });
  }
});
