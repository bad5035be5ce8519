import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex } from '#base/bytes.ts';
import { isDecodeError, Reader } from '#core/codec/index.ts';
import { dnsAnswer } from '#testing/dns-packet.ts';
import { repeatableRuns } from '#testing/soak.ts';
import { readName } from './name.ts';
import { decodeDnsResponse } from './response.ts';

const bytesOf = (text: string) => fromHex(text.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''));

test('an answer is read as its bytes are annotated', () => {
  const bytes = bytesOf(`
    1234 8180                # id, a response, recursion desired and available
    0001 0003 0000 0001      # a question, three answers, and one record more
    03 577777 07 6578616d706c65 03 636f6d 00    # 12: WWw.example.com
    0001 0001                # A, IN
    c00c 0005 0001 0000012c 0006   # 33: www.example.com is an alias for 300 s
      03 63646e c010         # 45: cdn.example.com
    c02d 0001 0001 0000003c 0004 c0000201       # 192.0.2.1 for 60 s
    c02d 001c 0001 ffffffff 0010 20010db8000000000000000000000001
    00 0029 04d0 00000000 0000   # EDNS`);
  expect(decodeDnsResponse(bytes)).toEqual({
    question: 'www.example.com',
    code: 0,
    isTruncated: false,
    aliases: [{ name: 'www.example.com', ttlSec: 300, target: 'cdn.example.com' }],
    addresses: [
      { name: 'cdn.example.com', ttlSec: 60, address: '192.0.2.1' },
      // RFC 2181 section 8: more than 31 bits are none.
      { name: 'cdn.example.com', ttlSec: 0, address: '2001:db8::1' },
    ],
  });
});

test('records of other kinds and classes are passed over', () => {
  const bytes = bytesOf(`
    0000 8400 0000 0003 0000 0000
    01 61 00 0010 0001 00000001 0003 02 6162    # TXT
    01 61 00 0001 0003 00000001 0004 0a000001   # A of class CHAOS
    01 61 00 0001 0001 00000001 0004 0a000002`);
  expect(decodeDnsResponse(bytes)).toMatchObject({
    question: undefined,
    addresses: [{ name: 'a', ttlSec: 1, address: '10.0.0.2' }],
    aliases: [],
  });
});

test('an answer that there is none has its code', () => {
  expect(decodeDnsResponse(dnsAnswer({ question: 'a.example', flags: 0x8183 }))).toMatchObject({
    question: 'a.example',
    code: 3,
    addresses: [],
  });
});

describe('of an answer that goes on past its end', () => {
  const records = ['192.0.2.1', '192.0.2.2'].map((address) => ({ name: 'a.example', address }));
  const cut = (flags: number) => dnsAnswer({ question: 'a.example', records, flags }).subarray(0, -20);

  test('what is whole counts if the server says that it is truncated', () => {
    expect(decodeDnsResponse(cut(0x8380))).toMatchObject({
      isTruncated: true,
      addresses: [{ address: '192.0.2.1' }],
    });
  });

  test('nothing counts if it does not', () => {
    expect(() => decodeDnsResponse(cut(0x8180))).toThrow('answers[1]');
  });
});

test.each([
  ['a question', dnsAnswer({ question: 'a.example', flags: 0x0100 }), 'flags: a question'],
  ['an update', dnsAnswer({ question: 'a.example', flags: 0xa800 }), 'flags: operation 5'],
  ['a cut head', Uint8Array.of(0, 0, 0x81), 'flags: needs 2 bytes'],
  ['a cut question', dnsAnswer({ question: 'a.example' }).subarray(0, 16), 'questions[0]: a label goes on'],
  [
    'an address of another length',
    bytesOf('0000 8400 0000 0001 0000 0000 01 61 00 0001 0001 00000001 0005 0a00000100'),
    'answers[0]: 1 trailing bytes',
  ],
])('%s is an error that says where', (_, bytes, message) => {
  expect(() => decodeDnsResponse(bytes)).toThrow(message);
});

describe('a name', () => {
  const nameAt = (hex: string, offset = 0) => readName(new Reader(bytesOf(hex), offset));

  test.each([
    ['the root', '00', 0, ''],
    ['in lower case', '03 4162 2d 00', 0, 'ab-'],
    ['by a pointer', '03 636f6d 00 c000', 5, 'com'],
    ['by a pointer to a pointer', '03 636f6d 00 c000 c005', 7, 'com'],
    [
      'with bytes of all kinds, none of which parts labels',
      '04 2e5c00c3 01 20 00',
      0,
      '\\046\\092\\000\\195.\\032',
    ],
  ])('%s is read', (_, hex, offset, name) => {
    expect(nameAt(hex, offset)).toBe(name);
  });

  test('leaves the reader behind it, wherever its labels are', () => {
    const reader = new Reader(bytesOf('03 636f6d 00 01 61 c000 ff'), 5);
    expect(readName(reader)).toBe('a.com');
    expect(reader.u8()).toBe(0xff);
  });

  test.each([
    ['without an end', '03 636f6d', 0, 'goes on past the end'],
    ['with half a pointer', '00 c0', 1, 'a pointer goes on'],
    ['that leads to itself', 'c000', 0, 'does not lead to a name before it'],
    ['that leads forward', 'c002 00', 0, 'does not lead to a name before it'],
    ['that comes back to its pointer', '01 61 c000', 0, 'more than 255 bytes'],
    ['with a label of another kind', '41 00', 0, 'a label of kind 1'],
    ['of 256 bytes', `${'03 616161'.repeat(63)} 02 6161 00`, 0, 'more than 255 bytes'],
  ])('%s is an error', (_, hex, offset, message) => {
    expect(() => nameAt(hex, offset)).toThrow(message);
  });

  test('of 255 bytes is the longest', () => {
    expect(nameAt(`${'03 616161'.repeat(63)} 01 61 00`)).toHaveLength(253);
  });

  test('over a long row of pointers ends soon', () => {
    const pointers = Array.from({ length: 200 }, (_, at) =>
      (0xc000 | (at === 0 ? 0 : 2 * at - 1)).toString(16),
    );
    const hex = `00 ${pointers.join('')}`;
    expect(nameAt(hex, 1 + 2 * 100)).toBe('');
    expect(() => nameAt(hex, 1 + 2 * 199)).toThrow('does not lead to a name before it');
  });
});

test('whatever the bytes, there is an answer or a DecodeError', () => {
  const start = dnsAnswer({
    question: 'www.example.com',
    records: [
      { name: 'www.example.com', target: 'cdn.example.com' },
      { name: 'cdn.example.com', address: '192.0.2.1' },
      { name: 'cdn.example.com', address: '2001:db8::1' },
    ],
  });
  const tampered = fc
    .tuple(fc.array(fc.tuple(fc.nat(start.length), fc.nat(255)), { maxLength: 6 }), fc.nat(start.length + 1))
    .map(([changes, length]) => {
      const copy = Uint8Array.from(start);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy.subarray(0, length);
    });
  const any = fc.uint8Array({ maxLength: 120 }).map((bytes) => Uint8Array.of(0, 0, 0x81, 0x80, ...bytes));
  fc.assert(
    fc.property(fc.oneof(tampered, any), (bytes) => {
      try {
        decodeDnsResponse(bytes);
      } catch (error) {
        if (!isDecodeError(error)) throw error;
        expect(error.offset).toBeLessThanOrEqual(bytes.length);
      }
    }),
    repeatableRuns(3000, 200_000),
  );
});
