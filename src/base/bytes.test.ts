import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  asciiBetween,
  base64,
  compare,
  concat,
  equal,
  fromBase64,
  fromHex,
  fromUtf8,
  hex,
  lenientUtf8,
  untilNul,
  utf8,
} from './bytes.ts';

describe('bytes', () => {
  it('writes and reads hexadecimal text', () => {
    expect(hex(Uint8Array.of(0, 10, 255))).toBe('000aff');
    expect(hex(Uint8Array.of(0, 10, 255), ':')).toBe('00:0a:ff');
    expect(fromHex('000Aff10')).toEqual(Uint8Array.of(0, 10, 255, 16));
    for (const wrong of ['123', '1x', 'x1', '0:0a', '१२'])
      expect(() => fromHex(wrong)).toThrow(`not hexadecimal bytes: "${wrong}"`);
    fc.assert(fc.property(fc.uint8Array(), (bytes) => equal(fromHex(hex(bytes)), bytes)));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => hex(bytes) === Buffer.from(bytes).toString('hex')));
  });

  it('writes and reads base64 as Buffer does', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => equal(fromBase64(base64(bytes)), bytes)));
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => base64(bytes) === Buffer.from(bytes).toString('base64')),
    );
  });

  it('joins, compares and orders as Buffer does', () => {
    const buffers = fc.uint8Array({ maxLength: 5, max: 3 });
    fc.assert(
      fc.property(buffers, buffers, (a, b) => {
        expect(concat(a, b)).toEqual(new Uint8Array(Buffer.concat([a, b])));
        expect(equal(a, b)).toBe(Buffer.compare(a, b) === 0);
        expect(Math.sign(compare(a, b))).toBe(Buffer.compare(a, b));
      }),
    );
    expect(concat()).toEqual(new Uint8Array());
  });

  it('reads UTF-8 strictly or leniently', () => {
    const units = fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes));
    fc.assert(fc.property(units, (text) => fromUtf8(utf8(text)) === text.toWellFormed()));
    expect(fromUtf8(Uint8Array.of(0x61, 0xff))).toBeUndefined();
    expect(lenientUtf8(Uint8Array.of(0x61, 0xff))).toBe('a\ufffd');
    expect(untilNul(utf8('ab\0c\0'))).toEqual(utf8('ab'));
    expect(untilNul(utf8('abc'))).toEqual(utf8('abc'));
    expect(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa');
  });

  it('short ASCII is read where it lies; all else is left to others', () => {
    const bytes = utf8('<eth0>\0é');
    expect(asciiBetween(bytes, 1, 5)).toBe('eth0');
    expect(asciiBetween(bytes, 3, 3)).toBe('');
    expect(asciiBetween(bytes, 1, 7)).toBeUndefined();
    expect(asciiBetween(bytes, 7, 9)).toBeUndefined();
    expect(asciiBetween(utf8('x'.repeat(300)), 0, 300)).toBeUndefined();
  });
});
