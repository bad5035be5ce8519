import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAll, encodeAll, isDecodeError } from '#core/codec/index.ts';
import { arbitraryOf, collectPaths, declaredPaths } from '#testing/codec-arbitrary.ts';
import { NETLINK_CODECS } from './index.ts';

const runs = (numRuns: number) => ({ numRuns, seed: 20_260_101 });

test('the registry names each codec once', () => {
  const names = NETLINK_CODECS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThan(15);
});

describe.each(NETLINK_CODECS)('$name', ({ codec }) => {
  test('decodes what it encoded to the same value, and every declared field is exercised', () => {
    const exercised = new Set<string>();
    fc.assert(
      fc.property(arbitraryOf(codec), (value) => {
        collectPaths(codec.shape, value, exercised);
        expect(decodeAll(codec, encodeAll(codec, value))).toEqual(value);
      }),
      runs(400),
    );
    expect(declaredPaths(codec.shape).filter((path) => !exercised.has(path))).toEqual([]);
  });

  test('throws nothing but DecodeError for any bytes, and encodes whatever it decodes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 96 }), (bytes) => survives(codec, bytes)),
      runs(300),
    );
  });

  test('throws nothing but DecodeError for an encoding that was tampered with', () => {
    const tampered = fc
      .tuple(
        arbitraryOf(codec).map((value) => encodeAll(codec, value)),
        fc.nat(),
        fc.nat(255),
        fc.nat(3),
      )
      .map(([bytes, at, value, how]) => tamper(bytes, at, value, how));
    fc.assert(
      fc.property(tampered, (bytes) => survives(codec, bytes)),
      runs(400),
    );
  });
});

function survives(codec: (typeof NETLINK_CODECS)[number]['codec'], bytes: Uint8Array): void {
  let value: unknown;
  try {
    value = decodeAll(codec, bytes);
  } catch (error) {
    if (!isDecodeError(error)) throw error;
    expect(error.offset).toBeLessThanOrEqual(bytes.length);
    return;
  }
  expect(decodeAll(codec, encodeAll(codec, value))).toEqual(value);
}

/** Overwrites, cuts, drops or inserts a byte. */
function tamper(bytes: Uint8Array, place: number, value: number, how: number): Uint8Array {
  const at = place % Math.max(1, bytes.length);
  if (bytes.length === 0) return Uint8Array.of(value);
  if (how === 0) return bytes.with(at, value);
  if (how === 1) return bytes.slice(0, at);
  const tail = bytes.subarray(how === 2 ? at + 1 : at);
  return Uint8Array.from([...bytes.subarray(0, at), ...(how === 2 ? [] : [value]), ...tail]);
}
