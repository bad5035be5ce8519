import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  decodeVirtio,
  encodeVirtio,
  faultOf,
  GSO,
  makePacket,
  onesSum,
  openChecksum,
  routedBy,
  type Segment,
  TunnelHarness,
  unrouted,
} from './tunnel-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'poplin-tunnel-'));
let harness: TunnelHarness;

beforeAll(async () => {
  harness = await TunnelHarness.build(join(folder, 'harness'));
}, 60_000);
afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const NEEDS_CHECKSUM = 1;
const version = fc.constantFrom<4 | 6>(4, 6);
const protocol = fc.constantFrom<'tcp' | 'udp'>('tcp', 'udp');
const check = (property: fc.IAsyncProperty<unknown>, numRuns = 300) => fc.assert(property, { numRuns });
const withLength = (bytes: Uint8Array) => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** A copy with another byte at a place, which is taken round the end. */
function withByte(packet: Buffer, place: number, value: number): Buffer {
  const copy = Buffer.from(packet);
  copy[place % packet.length] = value;
  return copy;
}

/** As the kernel hands over a packet that it left whole. */
function largePacket(segment: Segment, gsoSize: number): Buffer {
  const packet = openChecksum(makePacket(segment), segment.protocol);
  const checksumStart = segment.version === 4 ? 20 : 40;
  const gsoType = segment.protocol === 'udp' ? GSO.udp : segment.version === 4 ? GSO.tcp4 : GSO.tcp6;
  const checksumOffset = segment.protocol === 'tcp' ? 16 : 6;
  return Buffer.concat([
    encodeVirtio({ flags: NEEDS_CHECKSUM, gsoType, gsoSize, checksumStart, checksumOffset }),
    packet,
  ]);
}

function payloadOf(packet: Buffer, name: 'tcp' | 'udp'): Buffer {
  const start = (packet[0] as number) >> 4 === 4 ? 20 : 40;
  return packet.subarray(start + (name === 'udp' ? 8 : ((packet[start + 12] as number) >> 4) * 4));
}

async function merged(packets: readonly Buffer[], of: 4 | 6, udp: boolean): Promise<Buffer[]> {
  return (await harness.ask('M', Buffer.from([of, udp ? 1 : 0]), ...packets.map(withLength))) ?? [];
}

/** What the kernel makes of what is written to the device: each merged packet is cut again. */
async function unfolded(written: readonly Buffer[]): Promise<Buffer[]> {
  const packets: Buffer[] = [];
  for (const each of written) {
    const { gsoType } = decodeVirtio(each);
    if (gsoType === GSO.none) packets.push(each.subarray(10));
    else packets.push(...((await harness.ask('S', each)) as Buffer[]));
  }
  return packets;
}

/** Where fragmentation is forbidden, the identification says nothing (RFC 6864): it and the checksum over it may differ. */
function withoutId(packet: Buffer): string {
  const copy = Buffer.from(packet);
  if ((copy[0] as number) >> 4 === 4 && ((copy[6] as number) & 0x40) !== 0)
    copy.fill(0, 4, 6).fill(0, 10, 12);
  return copy.toString('hex');
}

describe('a packet that the kernel left whole', () => {
  const large = fc.record({
    version,
    protocol,
    payload: fc.uint8Array({ minLength: 1, maxLength: 9000 }),
    options: fc.constantFrom(new Uint8Array(0), new Uint8Array(12).fill(1)),
    flags: fc.nat(255),
    sequence: fc.nat(2 ** 32 - 1),
    id: fc.nat(65_535),
    gsoSize: fc.integer({ min: 1, max: 2000 }),
  });

  test('becomes packets with right lengths, checksums, numbers and flags', async () => {
    await check(
      fc.asyncProperty(large, async ({ gsoSize, ...segment }) => {
        const size = Math.max(gsoSize, Math.ceil(segment.payload.length / 200));
        const packets = (await harness.ask('S', largePacket(segment, size))) as Buffer[];
        expect(packets).toHaveLength(Math.ceil(segment.payload.length / size));
        expect(packets.map(faultOf)).toEqual(packets.map(() => undefined));
        const payloads = packets.map((packet) => payloadOf(packet, segment.protocol));
        expect(Buffer.concat(payloads).equals(segment.payload)).toBe(true);
        expect(payloads.slice(0, -1).every((payload) => payload.length === size)).toBe(true);
        if (segment.protocol === 'udp') return;
        packets.forEach((packet, index) => {
          const transport = packet.subarray(segment.version === 4 ? 20 : 40);
          const isLast = index === packets.length - 1;
          expect(transport.readUInt32BE(4)).toBe((segment.sequence + index * size) % 2 ** 32);
          const cleared = (isLast ? 0 : 0x09) | (index === 0 ? 0 : 0x80);
          expect(transport[13]).toBe(segment.flags & ~cleared);
          if (segment.version === 4) expect(packet.readUInt16BE(4)).toBe((segment.id + index) & 0xffff);
        });
      }),
    );
  });

  test('with an IPv6 routing header has checksums over its last destination', async () => {
    const routed = large.map((each) => ({ ...each, version: 6 as const }));
    await check(
      fc.asyncProperty(routed, async ({ gsoSize, ...segment }) => {
        const size = Math.max(gsoSize, Math.ceil(segment.payload.length / 20));
        const direct = (await harness.ask('S', largePacket(segment, size))) as Buffer[];
        const whole = largePacket(segment, size);
        whole.writeUInt16LE(64, 6);
        const packets = await harness.ask(
          'S',
          Buffer.concat([whole.subarray(0, 10), routedBy(77, whole.subarray(10))]),
        );
        expect(packets?.map(unrouted)).toEqual(direct);
        expect(packets?.map((packet) => packet.readUInt16BE(4) + 40)).toEqual(
          packets?.map(({ length }) => length),
        );
      }),
      100,
    );
  });

  test('is refused, and nothing out of bounds is touched, if its header does not fit it', async () => {
    const header = fc.record({
      flags: fc.constantFrom(0, 1),
      gsoType: fc.constantFrom(1, 3, 4, 5, 0x81, 0x84, 77),
      gsoSize: fc.nat(65_535),
      checksumStart: fc.oneof(fc.constantFrom(20, 40), fc.nat(65_535)),
      checksumOffset: fc.nat(65_535),
    });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      large.map((each) => makePacket({ ...each, payload: each.payload.subarray(0, 50) })),
      fc
        .tuple(large, fc.nat(90), fc.nat(255))
        .map(([each, place, value]) =>
          withByte(makePacket({ ...each, payload: each.payload.subarray(0, 50) }), place, value),
        ),
    );
    let refused = 0;
    await check(
      fc.asyncProperty(header, bytes, async (virtio, packet) => {
        if ((await harness.ask('S', encodeVirtio(virtio), packet)) === undefined) refused++;
        await harness.ask('C', encodeVirtio(virtio), packet);
      }),
      3000,
    );
    expect(refused).toBeGreaterThan(1000);
  });
});

test('a checksum that the kernel left open is completed', async () => {
  await check(
    fc.asyncProperty(version, protocol, fc.uint8Array({ maxLength: 300 }), async (of, name, payload) => {
      const packet = makePacket({ version: of, protocol: name, payload });
      const [start, offset] = [of === 4 ? 20 : 40, name === 'tcp' ? 16 : 6];
      const transport = packet.subarray(start);
      const right = Buffer.from(packet);
      // The field holds the pseudo header's sum until then: all but what the transport itself adds.
      transport.writeUInt16BE(0, offset);
      const pseudo =
        (onesSum(Buffer.from([0xff, 0xff])) -
          onesSum(transport) -
          right.readUInt16BE(start + offset) +
          3 * 0xffff) %
        0xffff;
      transport.writeUInt16BE(pseudo, offset);
      const virtio = encodeVirtio({ flags: NEEDS_CHECKSUM, checksumStart: start, checksumOffset: offset });
      const [completed] = (await harness.ask('C', virtio, packet)) as Buffer[];
      expect(faultOf(completed as Buffer)).toBeUndefined();
      expect(completed?.equals(right)).toBe(true);
    }),
  );
});

describe('packets from a node', () => {
  const odd = fc.record({
    protocol,
    length: fc.constantFrom(0, 1, 99, 100, 101),
    follows: fc.boolean(),
    flags: fc.constantFrom(0x10, 0x18, 0x11, 0x12, 0x50, 0xd0),
    window: fc.constantFrom(500, 501),
    port: fc.constantFrom(1000, 1001),
    options: fc.constantFrom(new Uint8Array(0), new Uint8Array(12).fill(1)),
    hopLimit: fc.constantFrom(64, 63),
    dontFragment: fc.boolean(),
    idStep: fc.constantFrom(1, 0, 7),
    spoil: fc.constantFrom(0, 1),
  });
  const usual = fc.record({
    protocol: fc.constant<'tcp' | 'udp'>('tcp'),
    length: fc.constant(100),
    follows: fc.constant(true),
    flags: fc.constant(0x10),
    window: fc.constant(500),
    port: fc.constant(1000),
    options: fc.constant(new Uint8Array(0)),
    hopLimit: fc.constant(64),
    dontFragment: fc.constant(true),
    idStep: fc.constant(1),
    spoil: fc.constant(0),
  });
  const datagram = usual.map((each) => ({ ...each, protocol: 'udp' as const }));
  const part = fc.oneof(
    { weight: 6, arbitrary: usual },
    { weight: 2, arbitrary: datagram },
    { weight: 1, arbitrary: odd },
  );
  let [count, writes] = [0, 0];

  test('reach the kernel as they came, however they were merged', async () => {
    const parts = fc.array(part, { minLength: 1, maxLength: 80 });
    await check(
      fc.asyncProperty(version, fc.boolean(), parts, async (of, udp, list) => {
        let [sequence, id] = [2 ** 32 - 3000, 65_530];
        const packets = list.map(({ length, follows, idStep, ...rest }) => {
          const payload = Buffer.alloc(length, sequence & 0xff);
          const packet = makePacket({ version: of, payload, sequence, id, ...rest });
          sequence += follows ? length : length + 1;
          id += idStep;
          return packet;
        });
        const written = await merged(packets, of, udp);
        expect((await unfolded(written)).map(withoutId)).toEqual(packets.map(withoutId));
        count += packets.length;
        writes += written.length;
        for (const each of written) {
          const { gsoType } = decodeVirtio(each);
          expect(udp || gsoType !== GSO.udp).toBe(true);
        }
      }),
      500,
    );
    expect(writes).toBeLessThan(count * 0.7);
  });

  test('that follow each other are written at once, up to what one packet can hold', async () => {
    for (const of of [4, 6] as const) {
      const packets = Array.from({ length: 100 }, (_, index) =>
        makePacket({
          version: of,
          protocol: 'tcp',
          payload: Buffer.alloc(1400, index),
          sequence: 1 + index * 1400,
          id: index,
        }),
      );
      const written = await merged(packets, of, false);
      // 46 packets of 1400 bytes of payload fit one of 65535.
      expect(written.map((each) => payloadOf(each.subarray(10), 'tcp').length / 1400)).toEqual([46, 46, 8]);
      expect(decodeVirtio(written[0] as Buffer)).toMatchObject({ flags: NEEDS_CHECKSUM, gsoSize: 1400 });
    }
  });

  test('are merged no further where one ends the burst', async () => {
    const burst = (index: number, more: Partial<Segment>) =>
      makePacket({
        version: 4,
        protocol: 'tcp',
        payload: Buffer.alloc(100),
        sequence: 1 + index * 100,
        id: index,
        ...more,
      });
    const sizes = async (...packets: Buffer[]) =>
      (await merged(packets, 4, false)).map((each) => payloadOf(each.subarray(10), 'tcp').length);
    expect(await sizes(burst(0, {}), burst(1, { flags: 0x18 }), burst(2, {}))).toEqual([200, 100]);
    expect(await sizes(burst(0, {}), burst(1, { payload: Buffer.alloc(50) }), burst(2, {}))).toEqual([
      150, 100,
    ]);
    expect(await sizes(burst(0, {}), burst(1, { spoil: 1 }), burst(2, {}))).toEqual([100, 100, 100]);
    expect(await sizes(burst(0, { spoil: 1 }), burst(1, {}), burst(2, {}))).toEqual([100, 200]);
    expect(await sizes(burst(0, {}), burst(1, { source: 9 }), burst(1, {}))).toEqual([100, 100, 100]);
  });

  test('that are no packets are left out, and nothing out of bounds is touched', async () => {
    const spoilt = fc
      .tuple(version, protocol, fc.uint8Array({ maxLength: 60 }), fc.nat(70), fc.nat(255))
      .map(([of, name, payload, place, value]) =>
        withByte(makePacket({ version: of, protocol: name, payload }), place, value),
      );
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 120 }), spoilt);
    const cut = fc.tuple(bytes, fc.nat(80)).map(([each, length]) => each.subarray(0, length));
    await check(
      fc.asyncProperty(version, fc.array(fc.oneof(bytes, cut), { maxLength: 20 }), async (of, list) => {
        const packets = list.map((each) => Buffer.from(each));
        const whole = packets.filter((each) => isWhole(each, of));
        const found = await unfolded(await merged(packets, of, true));
        expect(found.map(withoutId)).toEqual(whole.map(withoutId));
      }),
      1500,
    );
  });
});

/** RFC 791 and RFC 8200: the version, a header that fits, and a length that is the packet's. */
function isWhole(bytes: Buffer, of: 4 | 6): boolean {
  if (bytes.length < (of === 4 ? 20 : 40) || (bytes[0] as number) >> 4 !== of) return false;
  if (of === 6) return bytes.readUInt16BE(4) + 40 === bytes.length;
  const header = ((bytes[0] as number) & 15) * 4;
  return header >= 20 && header <= bytes.length && bytes.readUInt16BE(2) === bytes.length;
}

describe('the answer about a destination that no node has', () => {
  const ask = async (packet: Uint8Array) => (await harness.ask('U', packet))?.[0];

  test('names the packet and has right checksums', async () => {
    await check(
      fc.asyncProperty(version, protocol, fc.uint8Array({ maxLength: 1400 }), async (of, name, payload) => {
        const packet = makePacket({ version: of, protocol: name, payload });
        const answer = (await ask(packet)) as Buffer;
        const start = of === 4 ? 20 : 40;
        expect([...answer.subarray(start, start + 2)]).toEqual(of === 4 ? [3, 0] : [1, 0]);
        const quoted = answer.subarray(start + 8);
        expect(quoted.equals(packet.subarray(0, quoted.length))).toBe(true);
        expect(quoted).toHaveLength(of === 4 ? 28 : Math.min(packet.length, 1232));
        if (of === 6) expect(faultOf(answer)).toBeUndefined();
        else
          expect([onesSum(answer.subarray(0, 20)), onesSum(answer.subarray(20))]).toEqual([0xffff, 0xffff]);
      }),
    );
  });

  test('is not given to errors, groups and later fragments', async () => {
    const packet4 = makePacket({ version: 4, protocol: 'udp', payload: Buffer.alloc(50) });
    const packet6 = makePacket({ version: 6, protocol: 'udp', payload: Buffer.alloc(50) });
    expect(await ask(withByte(packet4, 9, 1))).toBeUndefined();
    expect(await ask(withByte(withByte(packet4, 9, 1), 20, 8))).toBeDefined();
    expect(await ask(withByte(packet4, 7, 1))).toBeUndefined();
    expect(await ask(withByte(packet4, 16, 224))).toBeUndefined();
    expect(await ask(withByte(packet4, 12, 0))).toBeUndefined();
    expect(await ask(withByte(packet6, 24, 0xff))).toBeUndefined();
    expect(await ask(withByte(packet6, 8, 0))).toBeUndefined();
    expect(await ask(withByte(withByte(packet6, 6, 58), 40, 1))).toBeUndefined();
    expect(await ask(withByte(withByte(packet6, 6, 58), 40, 128))).toBeDefined();
    await check(fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (bytes) => void (await ask(bytes))));
  });
});

test('the table of peers finds the longest prefix, whatever was set, removed and renewed before', async () => {
  const operation = fc.record({
    letter: fc.constantFrom('s', 's', 's', 'r', 'f', 'f', 'n', 'd'),
    value: fc.nat(400),
    length: fc.constantFrom(0, 8, 16, 24, 24, 24, 28, 32, 32),
    outer: fc.integer({ min: 1, max: 200 }),
  });
  await check(
    fc.asyncProperty(fc.array(operation, { maxLength: 400 }), async (operations) => {
      const entries = new Map<string, { outer: number; generation: number }>();
      let generation = 0;
      const expected: string[] = [];
      const requests = operations.map(({ letter, value, length, outer }) => {
        const address = (0x0a000000 | ((value & 0x1f) << 8) | (value >> 5)) >>> 0;
        const masked = (bits: number) => (bits === 0 ? 0 : (address & (-1 << (32 - bits))) >>> 0);
        const key = (bits: number) => `${masked(bits)}/${bits}`;
        if (letter === 's') entries.set(key(length), { outer, generation });
        if (letter === 'r') entries.delete(key(length));
        if (letter === 'n') generation++;
        if (letter === 'd')
          for (const [each, entry] of entries) if (entry.generation !== generation) entries.delete(each);
        const found = [32, 28, 24, 16, 8, 0]
          .map((bits) => entries.get(key(bits)))
          .find((entry) => entry !== undefined);
        expected.push(
          letter === 'f' && found !== undefined ? `c00002${found.outer.toString(16).padStart(2, '0')}` : '',
        );
        const request = Buffer.alloc(34);
        request.write(letter);
        request.writeUInt32BE(letter === 'f' ? address : masked(length), 1);
        request[17] = length;
        request.writeUInt32BE((0xc0000200 | outer) >>> 0, 18);
        return request;
      });
      const answers = (await harness.ask('P', Buffer.from([4]), ...requests)) as Buffer[];
      expect(answers.map((each) => each.toString('hex'))).toEqual(expected);
    }),
  );
});
