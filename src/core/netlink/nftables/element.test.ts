import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bigIntToIp } from '#base/ip/index.ts';
import { Writer } from '#core/codec/index.ts';
import { element, formatHex, type NftElement, type NftSet } from '#core/nft/index.ts';
import { encodeMessage } from '../message.ts';
import { elementFromWire, elementToWire } from './element.ts';
import { elementsMessage, setElement, type WireElement } from './messages.ts';
import { layoutOf } from './set.ts';

const base = { kind: 'nft-set', family: 'inet', table: 't', name: 's' } as const;
const nets: NftSet = { ...base, keyType: ['ipv4_addr'], interval: true };
const endpoints: NftSet = { ...base, keyType: ['ipv4_addr', 'inet_proto', 'inet_service'] };

function keys(set: NftSet, made: NftElement): string[] {
  return elementToWire(layoutOf(set), made).map(
    ({ key, keyEnd, flags }) =>
      formatHex(key?.value as Uint8Array) +
      (keyEnd?.value ? ` to ${formatHex(keyEnd.value)}` : '') +
      (flags === 1 ? ' end' : ''),
  );
}

describe('the kernel gets', () => {
  test.each<[string, NftSet, NftElement, string[]]>([
    [
      'a range as its start and the key after it',
      nets,
      element(nets, ['10.0.0.0/8']),
      ['0x0a000000', '0x0b000000 end'],
    ],
    ['one address as a range', nets, element(nets, ['10.0.0.1']), ['0x0a000001', '0x0a000002 end']],
    ['no end behind the last address', nets, element(nets, ['255.0.0.0/8']), ['0xff000000']],
    ['everything as the first address', nets, element(nets, ['0.0.0.0/0']), ['0x00000000']],
    [
      'a concatenation in whole registers',
      endpoints,
      element(endpoints, ['10.0.0.1', 'tcp', 80]),
      ['0x0a0000010600000000500000'],
    ],
    [
      'ranges of a concatenation as two keys of one element',
      { ...endpoints, interval: true },
      element({ ...endpoints, interval: true }, ['10.0.0.0/8', 'tcp', [80, 90]]),
      ['0x0a0000000600000000500000 to 0x0affffff06000000005a0000'],
    ],
  ])('%s', (_name, set, made, expected) => {
    expect(keys(set, made)).toEqual(expected);
  });

  test('marks in host order, but of ranges in the order that sorts', () => {
    const marks: NftSet = { ...base, keyType: ['mark'] };
    const ranges: NftSet = { ...marks, interval: true };
    expect(keys(marks, element(marks, [0x4000]))).toEqual(['0x00400000']);
    expect(keys(ranges, element(ranges, [[0x100, 0x1ff]]))).toEqual(['0x00000100', '0x00000200 end']);
  });
});

test('every element comes back as it was', () => {
  const ip4 = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((n) => bigIntToIp(n, 4));
  const ip6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((n) => bigIntToIp(n, 6));
  const port = fc.nat(65_535);
  const data = fc.oneof(
    fc.constantFrom({ verdict: 'accept' } as const, { verdict: 'return' } as const),
    fc
      .string({ minLength: 1, unit: 'grapheme-ascii' })
      .map((name) => ({ verdict: 'jump', chain: name }) as const),
  );
  const comment = fc.string({ maxLength: 60 }).filter((text) => !text.includes('\0'));
  const set: NftSet = { ...base, keyType: ['ipv4_addr', 'ipv6_addr', 'inet_service'], dataType: 'verdict' };
  const layout = layoutOf(set);
  fc.assert(
    fc.property(ip4, ip6, port, data, comment, fc.nat(), (a, b, c, verdict, text, ms) => {
      const timeoutMs = ms + 1;
      const made = element(set, [a, b, c], { data: verdict, comment: text, timeoutMs });
      expect(elementFromWire(layout, elementToWire(layout, made)[0] as WireElement)).toEqual(made);
    }),
  );
});

test('a catch-all element, which has no key, is none of ours', () => {
  expect(elementFromWire(layoutOf(nets), { flags: 2 })).toBeUndefined();
});

test('a comment that does not fit is refused', () => {
  const made = element(nets, ['10.0.0.1'], { comment: 'x'.repeat(255) });
  expect(() => elementToWire(layoutOf(nets), made)).toThrow('a comment has at most 254 bytes');
});

test('an element that is a key alone is written as its declaration says, whatever its length', () => {
  for (let length = 0; length <= 64; length++) {
    const wire: WireElement = { key: { value: Uint8Array.from({ length }, (_, at) => at + 1) } };
    const payload = { family: 1, version: 0, resourceId: 0, attributes: { elements: [wire, wire] } };
    const message = encodeMessage(elementsMessage, { type: 0, flags: 0, payload });
    const writer = new Writer();
    for (const each of [wire, wire]) {
      const at = writer.reserve(4);
      setElement.encode(writer, each);
      writer.patchU16le(at, writer.length - at);
      writer.patchU16le(at + 2, 0x8001);
    }
    // Headers of the message, of its family and of the list.
    expect(message.subarray(16 + 4 + 4)).toEqual(writer.finish());
  }
});
