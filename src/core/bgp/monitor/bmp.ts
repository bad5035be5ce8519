/** BMP (RFC 7854, 8671): what a monitoring station is told of our peers and their routes. Written only; the station does not answer. */
import { utf8 } from '#base/bytes.ts';
import { familyOf, type IpAddress, ipBytes } from '#base/ip/index.ts';
import { Writer } from '#core/codec/index.ts';
import type { Asn, RouterId } from '../model.ts';

const VERSION = 3;
const HEADER_BYTES = 6;
const TYPE = {
  routeMonitoring: 0,
  statistics: 1,
  peerDown: 2,
  peerUp: 3,
  initiation: 4,
  termination: 5,
} as const;
const GLOBAL_INSTANCE = 0;
const FLAG = { ipv6: 0x80, afterPolicy: 0x40, twoOctetAsn: 0x20, adjacentOut: 0x10 } as const;
const TEXT = { free: 0, description: 1, name: 2 } as const;
const ADDRESS_BYTES = 16;

/** Whose routes, seen where and when (section 4.2). */
export interface BmpPeer {
  readonly address: IpAddress;
  readonly asn: Asn;
  readonly routerId: RouterId;
  /** Milliseconds since 1970; when the routes were learned, or the peer's state changed. */
  readonly timeMs: number;
  /** The peer writes AS_PATH with two octets a number. */
  readonly hasTwoOctetAsns?: boolean;
  /** What our filters have left. */
  readonly isAfterPolicy?: boolean;
  /** What we tell the peer (RFC 8671), instead of what it tells us. */
  readonly isOutgoing?: boolean;
}

/** The first message (section 4.3). */
export function encodeInitiation(system: {
  readonly name: string;
  readonly description: string;
}): Uint8Array {
  return bmp(TYPE.initiation, (writer) => {
    putText(writer, TEXT.description, system.description);
    putText(writer, TEXT.name, system.name);
  });
}

/** The last message (section 4.5): 0 closed by an operator, 1 unspecified, 2 out of resources, 3 redundant, 4 for good. */
export function encodeTermination(reason: 0 | 1 | 2 | 3 | 4, text = ''): Uint8Array {
  return bmp(TYPE.termination, (writer) => {
    if (text !== '') putText(writer, TEXT.free, text);
    writer.u16be(1);
    writer.u16be(2);
    writer.u16be(reason);
  });
}

/** A session has come up (section 4.10). */
export function encodePeerUp(
  peer: BmpPeer,
  session: {
    readonly localAddress: IpAddress;
    readonly localPort: number;
    readonly remotePort: number;
    /** Both OPENs, whole as they were on the wire. */
    readonly sent: Uint8Array;
    readonly received: Uint8Array;
  },
): Uint8Array {
  return bmp(TYPE.peerUp, (writer) => {
    putPeer(writer, peer);
    putAddress(writer, session.localAddress);
    writer.u16be(session.localPort);
    writer.u16be(session.remotePort);
    writer.raw(session.sent);
    writer.raw(session.received);
  });
}

/** Why a session ended: by a NOTIFICATION, whole as it was on the wire, or by an event of the state machine (RFC 4271 section 8.1). */
export type BmpEnd =
  | { readonly by: 'us'; readonly notification: Uint8Array }
  | { readonly by: 'us'; readonly event: number }
  | { readonly by: 'peer'; readonly notification: Uint8Array }
  | { readonly by: 'network' }
  /** It goes on, and is not told of any more. */
  | { readonly by: 'configuration' };

/** A session has ended (section 4.9). */
export function encodePeerDown(peer: BmpPeer, end: BmpEnd): Uint8Array {
  return bmp(TYPE.peerDown, (writer) => {
    putPeer(writer, peer);
    if ('notification' in end) {
      writer.u8(end.by === 'us' ? 1 : 3);
      writer.raw(end.notification);
    } else if (end.by === 'us') {
      writer.u8(2);
      writer.u16be(end.event);
    } else {
      writer.u8(end.by === 'network' ? 4 : 5);
    }
  });
}

/** Routes (section 4.6): a whole UPDATE, as the wire has it. */
export function encodeRouteMonitoring(peer: BmpPeer, update: Uint8Array): Uint8Array {
  return bmp(TYPE.routeMonitoring, (writer) => {
    putPeer(writer, peer);
    writer.raw(update);
  });
}

/** Counters and gauges of a peer (section 4.8) by the number of their type; those of 64 bits are bigints. */
export function encodeStatistics(peer: BmpPeer, values: ReadonlyMap<number, number | bigint>): Uint8Array {
  return bmp(TYPE.statistics, (writer) => {
    putPeer(writer, peer);
    writer.u32be(values.size);
    for (const [type, value] of values) {
      writer.u16be(type);
      writer.u16be(typeof value === 'bigint' ? 8 : 4);
      if (typeof value === 'bigint') writer.u64be(value);
      else writer.u32be(value);
    }
  });
}

function putPeer(writer: Writer, peer: BmpPeer): void {
  const { address, asn, routerId, timeMs, hasTwoOctetAsns, isAfterPolicy, isOutgoing } = peer;
  writer.u8(GLOBAL_INSTANCE);
  writer.u8(
    (familyOf(address) === 6 ? FLAG.ipv6 : 0) |
      (isAfterPolicy === true ? FLAG.afterPolicy : 0) |
      (hasTwoOctetAsns === true ? FLAG.twoOctetAsn : 0) |
      (isOutgoing === true ? FLAG.adjacentOut : 0),
  );
  writer.reserve(8); // the distinguisher, of which there is one instance
  putAddress(writer, address);
  writer.u32be(asn);
  writer.u32be(routerId);
  writer.u32be(Math.floor(timeMs / 1000));
  writer.u32be(Math.floor((timeMs % 1000) * 1000));
}

/** An IPv4 address lies in the last 4 of 16 octets. */
function putAddress(writer: Writer, address: IpAddress): void {
  const bytes = ipBytes(address);
  writer.reserve(ADDRESS_BYTES - bytes.length);
  writer.raw(bytes);
}

function putText(writer: Writer, type: number, text: string): void {
  const bytes = utf8(text);
  writer.u16be(type);
  writer.u16be(bytes.length);
  writer.raw(bytes);
}

/** The common header (section 4.1). */
function bmp(type: number, write: (writer: Writer) => void): Uint8Array {
  const body = new Writer();
  write(body);
  const out = new Writer(HEADER_BYTES + body.length);
  out.u8(VERSION);
  out.u32be(HEADER_BYTES + body.length);
  out.u8(type);
  out.raw(body.finish());
  return out.finish();
}
