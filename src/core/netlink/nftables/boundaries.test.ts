import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatHex } from '#core/nft/index.ts';
import { Boundaries } from './boundaries.ts';
import { INTERVAL_END, predecessor, successor } from './element.ts';
import type { WireElement } from './messages.ts';

const start = (key: number): WireElement => ({ key: { value: Uint8Array.of(key) } });
const end = (key: number): WireElement => ({ ...start(key), flags: INTERVAL_END });

/** All ranges, by first key, as what takeChanged told over time adds up to. */
class Ranges {
  readonly boundaries = new Boundaries();
  private readonly told = new Map<number, number>();

  now(): [number, number][] {
    for (const [key, range] of this.boundaries.takeChanged()) {
      const first = Number.parseInt(key.slice(2), 16);
      if (range === undefined) this.told.delete(first);
      else this.told.set(first, range.last[0] as number);
    }
    return [...this.told].sort(([a], [b]) => a - b);
  }
}

test('a range is its start up to the key before its end', () => {
  const ranges = new Ranges();
  for (const wire of [start(10), end(20)]) ranges.boundaries.add(wire);
  expect(ranges.now()).toEqual([[10, 19]]);
});

test('adjacent ranges stay two, in whatever order they are told', () => {
  const parts = [start(10), end(20), start(20), end(30)];
  fc.assert(
    fc.property(fc.shuffledSubarray(parts, { minLength: 4 }), (order) => {
      const ranges = new Ranges();
      for (const wire of order) ranges.boundaries.add(wire);
      expect(ranges.now()).toEqual([
        [10, 19],
        [20, 29],
      ]);
    }),
  );
});

test('a range without an end goes up to the last key', () => {
  const ranges = new Ranges();
  ranges.boundaries.add(start(250));
  expect(ranges.now()).toEqual([[250, 255]]);
});

test('an end without a start, as nft puts at the beginning, is no range', () => {
  const ranges = new Ranges();
  ranges.boundaries.add(end(0));
  expect(ranges.now()).toEqual([]);
});

test('whatever comes and goes, the ranges are those of the sets that came of it', () => {
  const range = fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  fc.assert(
    fc.property(
      fc.array(fc.array(range, { maxLength: 12 }), { maxLength: 6 }),
      fc.boolean(),
      (states, drain) => {
        const ranges = new Ranges();
        let present: [number, number][] = [];
        for (const state of states) {
          const wanted = disjoint(state);
          const gone = present.filter((each) => !wanted.some((other) => same(each, other)));
          const fresh = wanted.filter((each) => !present.some((other) => same(each, other)));
          for (const each of gone) for (const wire of toWire(each)) ranges.boundaries.remove(wire);
          for (const each of fresh) for (const wire of toWire(each)) ranges.boundaries.add(wire);
          present = wanted;
          if (drain) expect(ranges.now()).toEqual(present);
        }
        expect(ranges.now()).toEqual(present);
      },
    ),
  );
});

/** The ranges that do not overlap one before them. */
function disjoint(ranges: readonly (readonly [number, number])[]): [number, number][] {
  const out: [number, number][] = [];
  for (const [from, to] of ranges)
    if (!out.some(([low, high]) => from <= high && low <= to)) out.push([from, to]);
  return out.sort(([a], [b]) => a - b);
}

function toWire([from, to]: [number, number]): WireElement[] {
  return to === 255 ? [start(from)] : [start(from), end(to + 1)];
}

function same(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

test('the key after a key is the key before which it lies, and the last has none', () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 16 });
  fc.assert(
    fc.property(key, (bytes) => {
      const next = successor(bytes);
      if (next === undefined) expect(bytes.every((byte) => byte === 0xff)).toBe(true);
      else {
        expect(predecessor(next)).toEqual(bytes);
        expect(formatHex(next) > formatHex(bytes)).toBe(true);
      }
    }),
  );
});
