/** The tunnel's pure C code under the sanitizers, request by request, and IP packets made and checked by code that shares nothing with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const REFUSED = 0xffffffff;

export class TunnelHarness implements AsyncDisposable {
  private readonly child: ChildProcess;
  private bytes = Buffer.alloc(0);
  private errors = '';
  private ended = false;
  private wake: (() => void) | undefined;

  private constructor(path: string) {
    this.child = spawn(path, { stdio: ['pipe', 'pipe', 'pipe'], env: { ASAN_OPTIONS: 'detect_leaks=0' } });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.wake?.();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    this.child.stdin?.on('error', () => undefined);
    this.child.on('close', () => {
      this.ended = true;
      this.wake?.();
    });
  }

  /** Compiles it to `path`. */
  static async build(path: string): Promise<TunnelHarness> {
    const build: string = new URL('../../tools/build-native.mjs', import.meta.url).href;
    const module = (await import(build)) as { buildSanitizedTunnelHarness(output: string): void };
    module.buildSanitizedTunnelHarness(path);
    return new TunnelHarness(path);
  }

  /** The byte strings it answers, undefined for a refusal. Rejects with the sanitizer's report if it ended. */
  async ask(letter: string, ...parts: readonly Uint8Array[]): Promise<Buffer[] | undefined> {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(5);
    head.write(letter);
    head.writeUInt32BE(body.length, 1);
    this.child.stdin?.write(Buffer.concat([head, body]));
    const count = (await this.take(4)).readUInt32BE();
    if (count === REFUSED) return undefined;
    const answers: Buffer[] = [];
    for (let i = 0; i < count; i++) answers.push(await this.take((await this.take(4)).readUInt32BE()));
    return answers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended) return;
    const closed = once(this.child, 'close');
    this.child.stdin?.end();
    await closed;
  }

  private async take(length: number): Promise<Buffer> {
    while (this.bytes.length < length) {
      if (this.ended) throw new Error(`the harness ended: ${this.errors}`);
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    const taken = this.bytes.subarray(0, length);
    this.bytes = this.bytes.subarray(length);
    return taken;
  }
}

/** struct virtio_net_hdr, in the byte order of this machine. */
export interface VirtioHeader {
  readonly flags: number;
  readonly gsoType: number;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

export const GSO = { none: 0, tcp4: 1, tcp6: 4, udp: 5 } as const;

export function encodeVirtio(header: Partial<VirtioHeader>): Buffer {
  const bytes = Buffer.alloc(10);
  bytes[0] = header.flags ?? 0;
  bytes[1] = header.gsoType ?? 0;
  bytes.writeUInt16LE(header.gsoSize ?? 0, 4);
  bytes.writeUInt16LE(header.checksumStart ?? 0, 6);
  bytes.writeUInt16LE(header.checksumOffset ?? 0, 8);
  return bytes;
}

export function decodeVirtio(bytes: Buffer): VirtioHeader {
  return {
    flags: bytes[0] as number,
    gsoType: bytes[1] as number,
    gsoSize: bytes.readUInt16LE(4),
    checksumStart: bytes.readUInt16LE(6),
    checksumOffset: bytes.readUInt16LE(8),
  };
}

export interface Segment {
  readonly version: 4 | 6;
  readonly protocol: 'tcp' | 'udp';
  readonly payload: Uint8Array;
  /** The last byte of source and destination. */
  readonly source?: number;
  readonly destination?: number;
  readonly port?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly flags?: number;
  readonly window?: number;
  /** A multiple of 4 bytes. */
  readonly options?: Uint8Array;
  readonly id?: number;
  readonly dontFragment?: boolean;
  readonly hopLimit?: number;
  /** Added to the right checksum. */
  readonly spoil?: number;
}

/** The sum of RFC 1071, the slow way. */
export function onesSum(...parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat([...parts, Buffer.alloc(1)]);
  let sum = 0;
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    sum += bytes.readUInt16BE(i);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

function pseudoHeader(packet: Buffer, protocol: number, length: number): Buffer {
  const addresses =
    packet[0] === undefined || packet[0] >> 4 === 4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
  const rest = Buffer.alloc(8);
  rest.writeUInt32BE(length);
  rest[7] = protocol;
  return Buffer.concat([addresses, rest]);
}

const PROTOCOLS = { tcp: 6, udp: 17 } as const;

function transportOf(segment: Segment): Buffer {
  const { port = 1000, options = new Uint8Array(0), payload } = segment;
  const header = Buffer.alloc(segment.protocol === 'tcp' ? 20 : 8);
  header.writeUInt16BE(port, 0);
  header.writeUInt16BE(2000, 2);
  if (segment.protocol === 'udp') {
    header.writeUInt16BE(8 + payload.length, 4);
    return Buffer.concat([header, payload]);
  }
  header.writeUInt32BE((segment.sequence ?? 1) >>> 0, 4);
  header.writeUInt32BE((segment.acknowledgement ?? 7) >>> 0, 8);
  header[12] = ((20 + options.length) / 4) << 4;
  header[13] = segment.flags ?? 0x10;
  header.writeUInt16BE(segment.window ?? 500, 14);
  return Buffer.concat([header, options, payload]);
}

function ipHeader(segment: Segment, transportLength: number): Buffer {
  const { version, source = 1, destination = 2, hopLimit = 64 } = segment;
  const protocol = PROTOCOLS[segment.protocol];
  if (version === 4) {
    const header = Buffer.from([
      0x45,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      hopLimit,
      protocol,
      0,
      0,
      10,
      0,
      0,
      source,
      10,
      0,
      1,
      destination,
    ]);
    header.writeUInt16BE(20 + transportLength, 2);
    header.writeUInt16BE((segment.id ?? 0) & 0xffff, 4);
    header.writeUInt16BE(segment.dontFragment === false ? 0 : 0x4000, 6);
    header.writeUInt16BE(~onesSum(header) & 0xffff, 10);
    return header;
  }
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(transportLength, 4);
  header[6] = protocol;
  header[7] = hopLimit;
  [header[8], header[23], header[24], header[39]] = [0xfd, source, 0xfd, destination];
  return header;
}

/** A whole packet with right checksums. */
export function makePacket(segment: Segment): Buffer {
  const transport = transportOf(segment);
  const header = ipHeader(segment, transport.length);
  const sum = onesSum(pseudoHeader(header, PROTOCOLS[segment.protocol], transport.length), transport);
  const checksum = ~sum & 0xffff || 0xffff;
  transport.writeUInt16BE((checksum + (segment.spoil ?? 0)) & 0xffff, segment.protocol === 'tcp' ? 16 : 6);
  return Buffer.concat([header, transport]);
}

/** The checksum field as the kernel leaves it where the checksum is open: it holds the sum over the pseudo header. */
export function openChecksum(packet: Buffer, name: Segment['protocol']): Buffer {
  const copy = Buffer.from(packet);
  const start = (copy[0] as number) >> 4 === 4 ? 20 : 40;
  const sum = onesSum(pseudoHeader(copy, PROTOCOLS[name], copy.length - start));
  copy.writeUInt16BE(sum, start + (name === 'tcp' ? 16 : 6));
  return copy;
}

/**
 * The same IPv6 packet by way of a router: RFC 8200 section 4.4 has the last destination in the routing header, and section 8.1 in the
 * pseudo header.
 */
export function routedBy(router: number, packet: Buffer): Buffer {
  const fixed = Buffer.from(packet.subarray(0, 40));
  const routing = Buffer.concat([
    Buffer.from([packet[6] as number, 2, 0, 1, 0, 0, 0, 0]),
    packet.subarray(24, 40),
  ]);
  fixed[6] = 43;
  fixed[39] = router;
  fixed.writeUInt16BE(packet.length - 40 + routing.length, 4);
  return Buffer.concat([fixed, routing, packet.subarray(40)]);
}

/** The packet without its routing header, to its last destination: undoes routedBy. */
export function unrouted(packet: Buffer): Buffer {
  const fixed = Buffer.from(packet.subarray(0, 40));
  fixed[6] = packet[40] as number;
  packet.copy(fixed, 24, 48, 64);
  fixed.writeUInt16BE(packet.length - 64, 4);
  return Buffer.concat([fixed, packet.subarray(64)]);
}

/** What is wrong with the checksums or lengths of a packet; undefined if nothing is. */
export function faultOf(packet: Buffer): string | undefined {
  const version = (packet[0] as number) >> 4;
  const start = version === 4 ? 20 : 40;
  const length = version === 4 ? packet.readUInt16BE(2) : 40 + packet.readUInt16BE(4);
  if (length !== packet.length) return `says ${length} bytes and has ${packet.length}`;
  if (version === 4 && onesSum(packet.subarray(0, 20)) !== 0xffff) return 'wrong IPv4 header checksum';
  const protocol = packet[version === 4 ? 9 : 6] as number;
  const transport = packet.subarray(start);
  if (onesSum(pseudoHeader(packet, protocol, transport.length), transport) !== 0xffff)
    return 'wrong transport checksum';
  return undefined;
}
