/**
 * What every registered codec does, as tests made from its shape: values go round, any bytes give a value or a DecodeError.
 * A module lists its codecs in a registry; a new row there is tested without another line here.
 */
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Codec, decodeAll, encodeAll, isDecodeError, type RegisteredCodec } from '#core/codec/index.ts';
import { arbitraryOf, collectPaths, declaredPaths } from './codec-arbitrary.ts';
import { repeatableRuns } from './soak.ts';

/** `isReached` says of which declared fields a codec's own values must hold one; all, if absent. */
export function codecContract(
  codecs: readonly RegisteredCodec[],
  isReached: (path: string) => boolean = () => true,
): void {
  test('the registry names each codec once', () => {
    const names = codecs.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(15);
  });

  describe.each(codecs)('$name', ({ codec }) => {
    test('decodes what it encoded to the same value, and every declared field is exercised', () => {
      const exercised = new Set<string>();
      fc.assert(
        fc.property(arbitraryOf(codec), (value) => {
          collectPaths(codec.shape, value, exercised);
          goesRound(codec, value);
        }),
        repeatableRuns(300, 2000),
      );
      expect(declaredPaths(codec.shape).filter((path) => isReached(path) && !exercised.has(path))).toEqual(
        [],
      );
    });

    test('throws nothing but DecodeError for any bytes, and encodes whatever it decodes', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 96 }), (bytes) => survives(codec, bytes)),
        repeatableRuns(100, 10_000),
      );
    });

    test('throws nothing but DecodeError for an encoding that was tampered with', () => {
      const encoding = arbitraryOf(codec).map((value) => encodeAll(codec, value));
      const tampered = fc
        .tuple(encoding, fc.nat(), fc.nat(255), fc.nat(3))
        .map(([bytes, at, value, how]) => tamper(bytes, at, value, how));
      fc.assert(
        fc.property(tampered, (bytes) => survives(codec, bytes)),
        repeatableRuns(100, 10_000),
      );
    });
  });
}

function survives(codec: Codec<unknown>, bytes: Uint8Array): void {
  let value: unknown;
  try {
    value = decodeAll(codec, bytes);
  } catch (error) {
    if (!isDecodeError(error)) throw error;
    if (error.offset > bytes.length) expect.fail(`offset ${error.offset} lies behind ${bytes.length} bytes`);
    return;
  }
  goesRound(codec, value);
}

function goesRound(codec: Codec<unknown>, value: unknown): void {
  const again = decodeAll(codec, encodeAll(codec, value));
  // Matchers cost more than the codecs; they are asked only to show a difference.
  if (!isDeepStrictEqual(again, value)) expect(again).toEqual(value);
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
