import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAll, encodeAll, isDecodeError } from '#core/codec/index.ts';
import { arbitraryOf, collectPaths, declaredPaths } from '#testing/codec-arbitrary.ts';
import { NFTABLES_CODECS } from './registry.ts';

const runs = (numRuns: number) => ({ numRuns, seed: 20_260_101 });

test('the registry names each codec once', () => {
  const names = NFTABLES_CODECS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThan(30);
});

describe.each(NFTABLES_CODECS)('$name', ({ codec }) => {
  test('decodes what it encoded to the same value, and every declared field is exercised', () => {
    const exercised = new Set<string>();
    fc.assert(
      fc.property(arbitraryOf(codec), (value) => {
        collectPaths(codec.shape, value, exercised);
        expect(decodeAll(codec, encodeAll(codec, value))).toEqual(value);
      }),
      runs(300),
    );
    // Expressions have rows of their own in the registry; nested in others not all of them come up.
    const missed = declaredPaths(codec.shape).filter((path) => !exercised.has(path));
    expect(missed.filter((path) => !path.includes('expression'))).toEqual([]);
  });

  test('throws nothing but DecodeError for any bytes, and encodes whatever it decodes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 96 }), (bytes) => survives(codec, bytes)),
      runs(200),
    );
  });

  test('throws nothing but DecodeError for an encoding in which a byte is wrong or the end is missing', () => {
    const tampered = fc
      .tuple(
        arbitraryOf(codec).map((value) => encodeAll(codec, value)),
        fc.nat(),
        fc.nat(255),
        fc.boolean(),
      )
      .map(([bytes, place, value, cut]) => {
        const at = place % Math.max(1, bytes.length);
        if (cut || bytes.length === 0) return bytes.slice(0, at);
        return bytes.with(at, value);
      });
    fc.assert(
      fc.property(tampered, (bytes) => survives(codec, bytes)),
      runs(200),
    );
  });
});

function survives(codec: (typeof NFTABLES_CODECS)[number]['codec'], bytes: Uint8Array): void {
  let value: unknown;
  try {
    value = decodeAll(codec, bytes);
  } catch (error) {
    if (!isDecodeError(error)) throw error;
    return;
  }
  expect(decodeAll(codec, encodeAll(codec, value))).toEqual(value);
}
