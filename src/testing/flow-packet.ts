/** A flow as the packet that opens it: IPv4 or IPv6 with TCP (SYN), UDP, SCTP (INIT), ICMP, or any other protocol, checksums included. */
import { concat, utf8 } from '#base/bytes.ts';
import { familyOf, ipBytes } from '#base/ip/index.ts';
import type { Flow } from '#core/policy/index.ts';

const ZERO: Uint8Array = new Uint8Array();

export interface PacketOptions {
  /** Behind the header; it tells packets apart. */
  readonly payload?: string | Uint8Array;
  readonly hopLimit?: number;
  /** Of ICMP: two questions with one identifier are one flow. */
  readonly identifier?: number;
}

export function packetOf(
  flow: Flow,
  { payload = '', hopLimit = 64, identifier = 1 }: PacketOptions = {},
): Uint8Array {
  const source = ipBytes(flow.source);
  const destination = ipBytes(flow.destination);
  const data = typeof payload === 'string' ? utf8(payload) : payload;
  const isV6 = familyOf(flow.source) === 6;
  const bare = transportOf(flow, data, identifier);
  const pseudo = concat(source, destination, word(flow.protocol), word(bare.length));
  const transport = withChecksum(flow, bare, pseudo);
  if (isV6) {
    const head = concat(
      Uint8Array.of(0x60, 0, 0, 0),
      word(transport.length),
      Uint8Array.of(flow.protocol, hopLimit),
    );
    return concat(head, source, destination, transport);
  }
  const head = concat(
    Uint8Array.of(0x45, 0),
    word(20 + transport.length),
    Uint8Array.of(0, 1, 0, 0, hopLimit, flow.protocol, 0, 0),
    source,
    destination,
  );
  head.set(word(sum(head)), 10);
  return concat(head, transport);
}

function transportOf(
  { protocol, sourcePort = 0, destinationPort = 0, icmp }: Flow,
  data: Uint8Array,
  identifier: number,
): Uint8Array {
  const ports = concat(word(sourcePort), word(destinationPort));
  switch (protocol) {
    case 1:
    case 58:
      return concat(
        Uint8Array.of(icmp?.type ?? 0, icmp?.code ?? 0, 0, 0, identifier >> 8, identifier & 0xff, 0, 1),
        data,
      );
    case 6:
      return concat(ports, Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0), data);
    case 17:
      return concat(ports, word(8 + data.length), ZERO, word(0), data);
    case 136:
      return concat(ports, word(0), word(0), data);
    case 132:
      return sctpInit(ports, data);
    default:
      return concat(new Uint8Array(8), data);
  }
}

/** A tag of zero and an INIT chunk with the data as a parameter that nobody knows: RFC 9260 sections 3.1, 3.2.1 and 3.3.2. */
function sctpInit(ports: Uint8Array, data: Uint8Array): Uint8Array {
  const padded = new Uint8Array((data.length + 3) & ~3);
  padded.set(data);
  const parameter = data.length === 0 ? ZERO : concat(word(0x8f00), word(4 + data.length), padded);
  const init = Uint8Array.of(0, 0, 0, 7, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1);
  const chunk = concat(Uint8Array.of(1, 0), word(20 + parameter.length), init, parameter);
  return concat(ports, new Uint8Array(8), chunk);
}

const CHECKSUM_AT: Readonly<Record<number, number>> = { 1: 2, 6: 16, 17: 6, 58: 2, 136: 6 };

function withChecksum({ protocol }: Flow, transport: Uint8Array, pseudo: Uint8Array): Uint8Array {
  const out = transport.slice();
  const at = CHECKSUM_AT[protocol];
  if (protocol === 132) new DataView(out.buffer).setUint32(8, crc32c(out), true);
  else if (at !== undefined) out.set(word(sum(protocol === 1 ? out : concat(pseudo, out)) || 0xffff), at);
  return out;
}

/** RFC 1071. */
function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let at = 0; at < bytes.length; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

/** RFC 9260 appendix A, bit by bit. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function word(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}
