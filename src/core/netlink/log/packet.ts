/**
 * The headers of a packet, as far as its flow goes: addresses, protocol, and ports or ICMP's type and code. Checksums and whatever else is in
 * a header are not looked at. RFC 791, 8200, 4302, 9293, 768, 9260, 792, 4443.
 */
import { formatIp, type IpAddress } from '#base/ip/index.ts';
import { DecodeError, Reader } from '#core/codec/index.ts';

/** The flow of one packet, as it was when it was logged. */
export interface PacketFlow {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** IPPROTO_*. */
  readonly protocol: number;
  /** Absent in all fragments but the first, and where the protocol has none. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmp?: { readonly type: number; readonly code: number };
}

/** TCP, UDP, DCCP, SCTP, UDP-Lite: all begin with their ports. */
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 33, 132, 136]);
/** ICMP, ICMPv6. */
const WITH_TYPE: ReadonlySet<number> = new Set([1, 58]);
/** Hop-by-hop options, routing, destination options, mobility, HIP, shim6: a length in units of 8 bytes beyond the first 8. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60, 135, 139, 140]);
const FRAGMENT = 44;
const UDP = 17;
const UDP_HEADER_BYTES = 8;
const AUTHENTICATION = 51;

/** Reads a packet from its network header on; it may be cut behind the ports. Throws DecodeError. */
export function decodePacketFlow(bytes: Uint8Array): PacketFlow {
  return readFlow(new Reader(bytes));
}

/** What a UDP packet carries, as far as it was copied; empty in a later fragment. Throws DecodeError for other packets. */
export function decodeUdpPayload(bytes: Uint8Array): Uint8Array {
  const reader = new Reader(bytes);
  const { protocol, sourcePort } = readFlow(reader);
  if (protocol !== UDP) throw new DecodeError(`protocol ${protocol}`, 0, 'protocol');
  if (sourcePort === undefined) return new Uint8Array(0);
  const length = reader.u16be();
  if (length < UDP_HEADER_BYTES)
    throw new DecodeError(`a datagram of ${length} bytes`, reader.offset - 2, 'length');
  reader.skip(2);
  // Behind it there may be what fills a frame up.
  return reader.copy(Math.min(length - UDP_HEADER_BYTES, reader.remaining));
}

function readFlow(reader: Reader): PacketFlow {
  const version = reader.sub(1).u8() >> 4;
  reader.offset--;
  if (version === 4) return ipv4(reader);
  if (version === 6) return ipv6(reader);
  throw new DecodeError(`version ${version} of IP`, 0, 'version');
}

function ipv4(reader: Reader): PacketFlow {
  const headerBytes = (reader.u8() & 0xf) * 4;
  if (headerBytes < 20) throw new DecodeError(`a header of ${headerBytes} bytes`, 0, 'length');
  reader.skip(5);
  const fragmentOffset = reader.u16be() & 0x1fff;
  reader.skip(1);
  const protocol = reader.u8();
  reader.skip(2);
  const ends = { source: formatIp(reader.copy(4)), destination: formatIp(reader.copy(4)), protocol };
  reader.skip(headerBytes - 20);
  return fragmentOffset > 0 ? ends : { ...ends, ...inner(protocol, reader) };
}

function ipv6(reader: Reader): PacketFlow {
  reader.skip(6);
  let protocol = reader.u8();
  reader.skip(1);
  const ends = { source: formatIp(reader.copy(16)), destination: formatIp(reader.copy(16)) };
  let isFirst = true;
  // Each header tells the next one's kind; their number is bounded by the bytes there are.
  while (isFirst && (EXTENSIONS.has(protocol) || protocol === FRAGMENT || protocol === AUTHENTICATION)) {
    const kind = protocol;
    protocol = reader.u8();
    const length = reader.u8();
    if (kind === FRAGMENT) {
      isFirst = reader.u16be() >> 3 === 0;
      reader.skip(4);
    } else reader.skip(kind === AUTHENTICATION ? length * 4 + 6 : length * 8 + 6);
  }
  // Behind the header of a later fragment there is no other header, whatever its kind would be.
  return isFirst ? { ...ends, protocol, ...inner(protocol, reader) } : { ...ends, protocol };
}

function inner(protocol: number, reader: Reader): Omit<PacketFlow, 'source' | 'destination' | 'protocol'> {
  if (WITH_PORTS.has(protocol)) return { sourcePort: reader.u16be(), destinationPort: reader.u16be() };
  if (WITH_TYPE.has(protocol)) return { icmp: { type: reader.u8(), code: reader.u8() } };
  return {};
}
