import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '#testing/soak.ts';
import { formatMicroTime, formatTime, parseTimeMs } from './rfc3339.ts';

const good: readonly [string, string][] = [
  ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000000Z'],
  ['2026-03-01T12:34:56.789012Z', '2026-03-01T12:34:56.789000Z'],
  ['2024-02-29T23:59:60Z', '2024-03-01T00:00:00.000000Z'],
  ['2024-03-01T00:30:00.5+01:00', '2024-02-29T23:30:00.500000Z'],
  ['2023-12-31T23:30:00-01:30', '2024-01-01T01:00:00.000000Z'],
  ['1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999000Z'],
];
test.each(good)('reads %s as %s', (text, canonical) => {
  expect(formatMicroTime(parseTimeMs(text) as number)).toBe(canonical);
});

const bad = [
  '',
  '2026-03-01',
  '2026-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-00-01T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:60:00Z',
  '2026-01-01T00:00:61Z',
  '2026-01-01T00:00:00',
  '2026-01-01 00:00:00Z',
  '2026-1-1T0:0:0Z',
  '2026-01-01T00:00:00+24:00',
];
test.each(bad)('refuses "%s"', (text) => {
  expect(parseTimeMs(text)).toBeUndefined();
});

test('agrees with the calendar of the platform', () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }), (ms) => {
      const text = formatMicroTime(ms);
      expect(text).toBe(new Date(ms).toISOString().replace('Z', '000Z'));
      expect(parseTimeMs(text)).toBe(ms);
      const seconds = Math.floor(ms / 1000);
      expect(formatTime(seconds, 0, 0)).toBe(`${text.slice(0, 19)}Z`);
    }),
    runs(500, 50_000),
  );
});

test('writes as many digits of a second as asked for', () => {
  expect(formatTime(0, 123_456_789, 0)).toBe('1970-01-01T00:00:00Z');
  expect(formatTime(-1, 5_000, 6)).toBe('1969-12-31T23:59:59.000005Z');
  expect(formatTime(1, 123_456_789, 9)).toBe('1970-01-01T00:00:01.123456789Z');
});

test('refuses instants that RFC 3339 cannot write', () => {
  expect(() => formatMicroTime(253_402_300_800_000)).toThrow(RangeError);
  expect(() => formatMicroTime(Number.NaN)).toThrow(RangeError);
});
