import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalVlans, equalVlans, vlanChange } from './bridge-vlans.ts';
import type { BridgeVlans } from './state.ts';

const vlans = fc.array(
  fc
    .record({
      from: fc.integer({ min: 1, max: 60 }),
      length: fc.integer({ min: 0, max: 20 }),
      pvid: fc.boolean(),
      untagged: fc.boolean(),
    })
    .map(({ from, length, ...flags }): BridgeVlans => ({ from, to: from + length, ...flags })),
  { maxLength: 5 },
);

/** Each VLAN with its flags, the plain way. */
function members(list: readonly BridgeVlans[]): Map<number, string> {
  const found = new Map<number, string>();
  for (let id = 1; id <= 4094; id++) {
    const named = list.filter(({ from, to = from }) => from <= id && id <= to);
    const text = `${named.some(({ pvid }) => pvid)} ${named.some(({ untagged }) => untagged)}`;
    if (named.length > 0) found.set(id, text);
  }
  return found;
}

describe('VLANs of a port', () => {
  it('are the same however the ranges are cut, and different by any flag', () => {
    const range: BridgeVlans[] = [{ from: 10, to: 12 }];
    expect(equalVlans([{ from: 12 }, { from: 10, to: 11 }], range)).toBe(true);
    expect(equalVlans([{ from: 10, to: 12, untagged: false, pvid: false }], range)).toBe(true);
    expect(equalVlans([{ from: 10, to: 12, untagged: true }], range)).toBe(false);
    expect(
      equalVlans(
        [
          { from: 10, to: 11 },
          { from: 12, pvid: true },
        ],
        range,
      ),
    ).toBe(false);
    expect(equalVlans(undefined, [])).toBe(true);
    expect(equalVlans(undefined, range)).toBe(false);
  });

  it('are written as few ranges, in order, with the flags of all that name a VLAN', () => {
    expect(
      canonicalVlans([
        { from: 30 },
        { from: 1, to: 4 },
        { from: 3, untagged: true, pvid: true },
        { from: 5 },
      ]),
    ).toEqual([
      { from: 1, to: 2 },
      { from: 3, pvid: true, untagged: true },
      { from: 4, to: 5 },
      { from: 30 },
    ]);
  });

  it('lead from any to any by what is added and removed', () => {
    fc.assert(
      fc.property(vlans, vlans, (wanted, previous) => {
        const { add, remove } = vlanChange(wanted, previous);
        const result = members(previous);
        for (const [id, flags] of members(add)) result.set(id, flags);
        for (const id of members(remove).keys()) expect(result.delete(id)).toBe(true);
        expect([...result].sort(([a], [b]) => a - b)).toEqual([...members(wanted)]);
        const again = vlanChange(wanted, wanted);
        expect(again).toEqual({ add: [], remove: [] });
      }),
      { numRuns: 40 },
    );
  });

  it('that are not known all go, but for those wanted', () => {
    expect(vlanChange([{ from: 100, pvid: true }, { from: 4094 }], undefined)).toEqual({
      add: [{ from: 100, pvid: true }, { from: 4094 }],
      remove: [
        { from: 1, to: 99 },
        { from: 101, to: 4093 },
      ],
    });
  });
});
