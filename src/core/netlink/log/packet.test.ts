import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipBytes } from '#base/ip/index.ts';
import { isDecodeError } from '#core/codec/index.ts';
import { repeatableRuns } from '#testing/soak.ts';
import { decodePacketFlow, decodeUdpPayload } from './packet.ts';

const V4 = { source: '10.1.0.2', destination: '10.2.0.3' };
const V6 = { source: 'fd00::1', destination: 'fd00::2' };
/** Ports 40000 and 443, and what begins a header of each protocol. */
const PORTS = [0x9c, 0x40, 0x01, 0xbb];
const TO_443 = { sourcePort: 40_000, destinationPort: 443 };

interface Ipv4 {
  readonly protocol: number;
  readonly fragment?: number;
  readonly options?: readonly number[];
}

function ipv4({ protocol, fragment = 0, options = [] }: Ipv4, payload: readonly number[]): Uint8Array {
  const words = 5 + options.length / 4;
  const [high, low] = [fragment >> 8, fragment & 0xff];
  const head = [0x40 | words, 0, 0, 0, 0, 0, high, low, 64, protocol, 0, 0];
  return Uint8Array.of(...head, ...ipBytes(V4.source), ...ipBytes(V4.destination), ...options, ...payload);
}

function ipv6(nextHeader: number, payload: readonly number[]): Uint8Array {
  const head = [0x60, 0, 0, 0, 0, 0, nextHeader, 64];
  return Uint8Array.of(...head, ...ipBytes(V6.source), ...ipBytes(V6.destination), ...payload);
}

/** An extension header of `units` times 8 bytes beyond the first 8. */
const extension = (next: number, units = 0) => [next, units, ...Array<number>(6 + 8 * units).fill(0)];
const fragment = (next: number, offset: number) => [next, 0, offset >> 5, (offset << 3) & 0xff, 0, 0, 0, 1];
const authentication = (next: number, words: number) => [
  next,
  words - 2,
  ...Array<number>(words * 4 - 2).fill(0),
];

describe.each([
  ['tcp', 6],
  ['udp', 17],
  ['dccp', 33],
  ['sctp', 132],
  ['udplite', 136],
])('%s', (_, protocol) => {
  test.each([
    ['in IPv4', ipv4({ protocol }, PORTS), V4],
    ['in IPv4 behind options', ipv4({ protocol, options: [1, 1, 1, 0, 0, 0, 0, 0] }, PORTS), V4],
    ['in the first fragment of IPv4', ipv4({ protocol, fragment: 0x2000 }, PORTS), V4],
    ['in IPv6', ipv6(protocol, PORTS), V6],
    ['behind hop-by-hop options', ipv6(0, [...extension(protocol, 2), ...PORTS]), V6],
    [
      'behind options, routing, a first fragment and authentication',
      ipv6(0, [
        ...extension(60),
        ...extension(43, 1),
        ...extension(44, 2),
        ...fragment(51, 0),
        ...authentication(135, 6),
        ...extension(protocol),
        ...PORTS,
      ]),
      V6,
    ],
  ])('has its ports %s', (_place, bytes, ends) => {
    expect(decodePacketFlow(bytes)).toEqual({ ...ends, protocol, ...TO_443 });
  });

  test('has none in a later fragment', () => {
    expect(decodePacketFlow(ipv4({ protocol, fragment: 0x0001 }, [1]))).toEqual({ ...V4, protocol });
    expect(decodePacketFlow(ipv6(44, [...fragment(protocol, 3), 1]))).toEqual({ ...V6, protocol });
  });
});

test('ICMP has type and code, and other protocols have nothing', () => {
  expect(decodePacketFlow(ipv4({ protocol: 1 }, [8, 0]))).toEqual({
    ...V4,
    protocol: 1,
    icmp: { type: 8, code: 0 },
  });
  expect(decodePacketFlow(ipv6(58, [1, 4, 0, 0]))).toEqual({
    ...V6,
    protocol: 58,
    icmp: { type: 1, code: 4 },
  });
  expect(decodePacketFlow(ipv4({ protocol: 47 }, []))).toEqual({ ...V4, protocol: 47 });
  // 50 is ESP: what is in it nobody knows; 59 is "nothing follows".
  for (const protocol of [50, 59, 253])
    expect(decodePacketFlow(ipv6(protocol, PORTS))).toEqual({ ...V6, protocol });
});

describe('what a datagram carries', () => {
  const datagram = (length: number, ...payload: readonly number[]) => [
    0,
    53,
    0x9c,
    0x40,
    0,
    length,
    0,
    0,
    ...payload,
  ];

  test.each([
    ['in IPv4', ipv4({ protocol: 17 }, datagram(10, 1, 2)), [1, 2]],
    ['in IPv6, behind options', ipv6(0, [...extension(17, 1), ...datagram(10, 1, 2)]), [1, 2]],
    ['without what fills the frame up', ipv4({ protocol: 17 }, datagram(9, 1, 0, 0, 0)), [1]],
    ['as far as it was copied', ipv6(17, datagram(200, 1, 2, 3)), [1, 2, 3]],
    ['which may be nothing', ipv6(17, datagram(8)), []],
    ['and nothing in a later fragment', ipv4({ protocol: 17, fragment: 3 }, [1, 2, 3]), []],
  ])('is read %s', (_, bytes, payload) => {
    expect([...decodeUdpPayload(bytes)]).toEqual(payload);
  });

  test.each([
    ['another protocol', ipv4({ protocol: 6 }, PORTS), 'protocol: protocol 6'],
    ['a length below its least', ipv6(17, datagram(7)), 'length: a datagram of 7 bytes'],
    ['a cut header', ipv4({ protocol: 17 }, PORTS), 'needs 2 bytes'],
  ])('is an error for %s', (_, bytes, message) => {
    expect(() => decodeUdpPayload(bytes)).toThrow(message);
  });
});

test.each([
  ['nothing', Uint8Array.of(), 'needs 1 bytes'],
  ['another version', Uint8Array.of(0x50, 0, 0, 0), 'version: version 5 of IP'],
  [
    'a header shorter than its least',
    ipv4({ protocol: 6 }, PORTS).fill(0x44, 0, 1),
    'length: a header of 16',
  ],
  ['a cut address', ipv6(6, []).subarray(0, 30), 'needs 16 bytes'],
  ['cut ports', ipv4({ protocol: 17 }, [1, 2, 3]), 'needs 2 bytes'],
  ['options longer than the packet', ipv6(0, [6, 200, 0, 0]), 'needs 1606 bytes'],
  ['a cut row of headers', ipv6(0, extension(60)), 'needs 1 bytes'],
])('%s is an error that says where', (_, bytes, message) => {
  expect(() => decodePacketFlow(bytes)).toThrow(message);
});

test('whatever the bytes, there is a flow or a DecodeError', () => {
  const start = fc.constantFrom(ipv4({ protocol: 6 }, PORTS), ipv6(0, [...extension(44), ...fragment(6, 0)]));
  const tampered = fc
    .tuple(start, fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }), fc.nat(80))
    .map(([bytes, changes, length]) => {
      const copy = Uint8Array.from(bytes);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(tampered, fc.uint8Array({ maxLength: 90 })), (bytes) => {
      for (const decode of [decodePacketFlow, decodeUdpPayload]) {
        try {
          decode(bytes);
        } catch (error) {
          if (!isDecodeError(error)) throw error;
        }
      }
    }),
    repeatableRuns(2000, 100_000),
  );
});
