import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressesIn, addressesOn, IndexedState, linksOfAlias } from './indexed-state.ts';
import { keyOf } from './key.ts';
import type { KernelObject } from './state.ts';

const name = fc.constantFrom('a0', 'b0', 'c0');
const alias = fc.constantFrom('one', 'two', '');
const object: fc.Arbitrary<KernelObject> = fc.oneof(
  fc.record({
    kind: fc.constant('address' as const),
    link: name,
    address: fc.constantFrom('10.0.0.1/24', 'fd00::1/64'),
    noDad: fc.boolean(),
  }),
  fc.record(
    { kind: fc.constant('link' as const), name, detail: fc.constant({ type: 'dummy' as const }), alias },
    { requiredKeys: ['kind', 'name', 'detail'] },
  ),
  fc.record({ kind: fc.constant('sysctl' as const), path: fc.constant('net/ipv4/ip_forward'), value: name }),
);
const step = fc.oneof(
  { weight: 4, arbitrary: object.map((each) => ({ verb: 'set' as const, each })) },
  { weight: 2, arbitrary: object.map((each) => ({ verb: 'delete' as const, each })) },
  { weight: 1, arbitrary: fc.constant({ verb: 'clear' as const }) },
);

test('an indexed state answers as one that is walked through', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const indexed = new IndexedState();
      for (const { verb, ...rest } of steps) {
        if (verb === 'clear') indexed.clear();
        else if ('each' in rest && verb === 'set') indexed.set(keyOf(rest.each), rest.each);
        else if ('each' in rest) indexed.delete(keyOf(rest.each));
      }
      const plain = new Map(indexed);
      const sorted = (objects: readonly KernelObject[]) => objects.map((each) => JSON.stringify(each)).sort();
      expect(sorted(addressesIn(indexed))).toEqual(sorted(addressesIn(plain)));
      for (const link of ['a0', 'b0', 'c0', 'd0'])
        expect(sorted(addressesOn(indexed, link))).toEqual(sorted(addressesOn(plain, link)));
      for (const each of ['one', 'two', 'three'])
        expect(sorted(linksOfAlias(indexed, each))).toEqual(sorted(linksOfAlias(plain, each)));
    }),
  );
});
