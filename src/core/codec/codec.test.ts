import { describe, expect, test } from 'vitest';
import {
  bytes,
  type Codec,
  decodeAll,
  encodeAll,
  flag,
  i32,
  i32be,
  ip,
  ipOf,
  isDecodeError,
  listOf,
  mac,
  mapped,
  named,
  pad,
  Reader,
  registry,
  rest,
  struct,
  text,
  u8,
  u16,
  u16be,
  u32,
  u32be,
  u64,
  u64be,
  Writer,
} from './index.ts';

const of = (...values: number[]) => Uint8Array.of(...values);

function refusal(codec: Codec<unknown>, input: Uint8Array): string {
  try {
    return `decoded ${JSON.stringify(decodeAll(codec, input))}`;
  } catch (error) {
    return isDecodeError(error) ? error.message : `another error: ${String(error)}`;
  }
}

const header = struct({ kind: named(u8, { open: 1, close: 2 }), reserved: pad(1), length: u16be });

describe('values and their bytes', () => {
  const cases: readonly [string, Codec<unknown>, unknown, number[]][] = [
    ['u8', u8, 255, [0xff]],
    ['u16', u16, 0x0102, [2, 1]],
    ['u16be', u16be, 0x0102, [1, 2]],
    ['u32', u32, 0x01020304, [4, 3, 2, 1]],
    ['u32be', u32be, 0xfffefdfc, [0xff, 0xfe, 0xfd, 0xfc]],
    ['i32', i32, -2, [0xfe, 0xff, 0xff, 0xff]],
    ['i32be', i32be, -2, [0xff, 0xff, 0xff, 0xfe]],
    ['u64', u64, 0x0102030405060708n, [8, 7, 6, 5, 4, 3, 2, 1]],
    ['u64be', u64be, 0x0102030405060708n, [1, 2, 3, 4, 5, 6, 7, 8]],
    ['bytes', bytes(2), of(1, 2), [1, 2]],
    ['rest', rest, of(1, 2, 3), [1, 2, 3]],
    ['text', text, 'né', [0x6e, 0xc3, 0xa9, 0]],
    ['text that begins with a byte order mark', text, '\ufeffa', [0xef, 0xbb, 0xbf, 0x61, 0]],
    ['an IPv4 address', ip, '10.1.2.3', [10, 1, 2, 3]],
    ['an IPv6 address', ip, 'fd00::1', [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['an address of one family', ipOf(4), '10.1.2.3', [10, 1, 2, 3]],
    ['a MAC address', mac, '0a:00:00:00:00:ff', [10, 0, 0, 0, 0, 255]],
    ['a flag', flag, true, []],
    ['a name', named(u8, { a: 7 }), 'a', [7]],
    ['a number without a name', named(u8, { a: 7 }), 8, [8]],
    ['a struct', header, { kind: 'close', length: 515 }, [2, 0, 2, 3]],
    ['a list', listOf(u16be), [1, 2], [0, 1, 0, 2]],
    [
      'a mapped value',
      mapped(
        u8,
        (n) => n * 2,
        (n: number) => n / 2,
      ),
      8,
      [4],
    ],
  ];
  test.each(cases)('%s', (_name, codec, value, expected) => {
    expect(encodeAll(codec, value)).toEqual(Uint8Array.from(expected));
    expect(decodeAll(codec, Uint8Array.from(expected))).toEqual(value);
  });

  test('text may lack its closing NUL', () => {
    expect(decodeAll(text, of(0x61))).toBe('a');
  });

  test('padding holds anything on the way in and zero on the way out', () => {
    expect(decodeAll(header, of(1, 99, 0, 0))).toEqual({ kind: 'open', length: 0 });
  });
});

describe('refusals name the field and the byte', () => {
  const packet = struct({ header, items: listOf(struct({ id: u16be, name: ipOf(4) })) });
  const cases: readonly [string, Codec<unknown>, Uint8Array, string][] = [
    ['the end comes early', u32, of(1, 2), 'needs 4 bytes, has 2 (byte 0)'],
    ['bytes are left over', u8, of(1, 2), '1 trailing bytes (byte 1)'],
    ['a field within a struct is cut', packet, of(1, 0, 5), 'header.length: needs 2 bytes, has 1 (byte 2)'],
    [
      'a field within an item is cut',
      packet,
      of(1, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 2, 10),
      'items.[1].name: needs 4 bytes, has 1 (byte 12)',
    ],
    ['text goes on after its NUL', text, of(0x61, 0, 0x62), 'text goes on after NUL (byte 1)'],
    ['text is not UTF-8', struct({ a: u8, t: text }), of(1, 0xff), 't: not UTF-8 (byte 1)'],
    ['an address has an odd length', ip, of(1, 2, 3), 'an address has 4 or 16 bytes, not 3 (byte 0)'],
    ['an item has no length', listOf(flag), of(1), 'an item of no length repeats for ever (byte 0)'],
  ];
  test.each(cases)('when %s', (_name, codec, input, expected) => {
    expect(refusal(codec, input)).toBe(expected);
  });
});

describe('values that do not fit are a RangeError', () => {
  const cases: readonly [string, Codec<never>, unknown][] = [
    ['a number too large', u8 as Codec<never>, 256],
    ['a negative number', u16 as Codec<never>, -1],
    ['a fraction', u32 as Codec<never>, 1.5],
    ['bytes of another length', bytes(2) as Codec<never>, of(1)],
    ['text with a NUL', text as Codec<never>, 'a\0b'],
    ['an address of the other family', ipOf(6) as Codec<never>, '10.0.0.1'],
    ['no address at all', ip as Codec<never>, '10.0.0'],
    ['no MAC address', mac as Codec<never>, '0a:00'],
    ['an unknown name', named(u8, { a: 1 }) as Codec<never>, 'b'],
  ];
  test.each(cases)('%s', (_name, codec, value) => {
    expect(() => encodeAll(codec, value as never)).toThrow(RangeError);
  });
});

describe('a writer', () => {
  test.each(['u8', 'u16le', 'u16be', 'u32le', 'u32be', 'i32le', 'i32be'] as const)(
    'grows in the middle of %s',
    (method) => {
      const writer = new Writer(3);
      for (let i = 0; i < 40; i++) writer[method](1);
      const single = new Writer();
      single[method](1);
      const one = single.finish();
      expect(writer.finish()).toEqual(Uint8Array.from(Array.from({ length: 40 }, () => [...one]).flat()));
    },
  );

  test('grows in the middle of eight bytes and of raw bytes', () => {
    const writer = new Writer(1);
    writer.u64le(1n);
    writer.u64be(1n);
    writer.raw(new Uint8Array(40).fill(7));
    expect(writer.finish()).toEqual(
      Uint8Array.from([
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        ...Array.from({ length: 40 }, () => 7),
      ]),
    );
  });

  test('pads to a multiple and patches what it wrote', () => {
    const writer = new Writer();
    const at = writer.reserve(2);
    writer.u8(9);
    writer.align(4);
    writer.align(4);
    writer.patchU16be(at, writer.length);
    expect(writer.finish()).toEqual(of(0, 4, 9, 0));
  });

  test('serves again after a reset, with zeros where nothing is written', () => {
    const writer = new Writer();
    writer.u32be(0xffffffff);
    writer.reset();
    writer.reserve(2);
    expect(writer.finish()).toEqual(of(0, 0));
  });
});

describe('a reader', () => {
  test('gives copies, not windows', () => {
    const source = of(1, 2);
    const copy = new Reader(source).copy(2);
    source[0] = 9;
    expect(copy).toEqual(of(1, 2));
  });

  test('over a part cannot read beyond it and counts bytes from the outermost start', () => {
    const reader = new Reader(of(1, 2, 3, 4));
    reader.skip(1);
    const part = reader.sub(2);
    expect(part.u8()).toBe(2);
    expect(() => part.u16be()).toThrow('needs 2 bytes, has 1 (byte 2)');
    expect(reader.u8()).toBe(4);
  });

  test('reads a view into a larger buffer from the view’s own start', () => {
    const view = of(9, 9, 1, 2).subarray(2);
    expect(new Reader(view).u16be()).toBe(0x0102);
  });
});

test('a registry names its rows after the protocol', () => {
  expect(registry('p', { a: u8, b: u16 }).map(({ name }) => name)).toEqual(['p.a', 'p.b']);
});
