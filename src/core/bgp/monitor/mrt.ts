/**
 * MRT (RFC 6396, with additional paths by RFC 8050): records of tables and of what happened in sessions, one behind the other in a file.
 * Written only.
 */
import { utf8 } from '#base/bytes.ts';
import { familyOf, type IpAddress, type IpPrefix, ipBytes } from '#base/ip/index.ts';
import { Writer } from '#core/codec/index.ts';
import type { Asn, PathAttributes, RouterId } from '../model.ts';
import type { Phase } from '../session/index.ts';
import { encodePrefix, encodeTableAttributes, numbersOf } from '../wire/index.ts';

const TABLE_DUMP_V2 = 13;
const BGP4MP = 16;
/** By family: plain, and with the numbers of paths. */
const RIB_SUBTYPES = { 4: [2, 8], 6: [4, 10] } as const;
const PEER_INDEX_TABLE = 1;
/** By octets of AS numbers: plain, and with the numbers of paths. */
const MESSAGE_SUBTYPES = { 2: [1, 8], 4: [4, 9] } as const;
const STATE_CHANGE_AS4 = 5;
const PEER_IS_IPV6 = 0x01;
const PEER_HAS_AS4 = 0x02;
const PHASES: readonly Phase[] = ['idle', 'connect', 'active', 'open-sent', 'open-confirm', 'established'];

/** A peer of a table, known by its place in the list from then on. */
export interface MrtPeer {
  readonly routerId: RouterId;
  readonly address: IpAddress;
  readonly asn: Asn;
}

/** PEER_INDEX_TABLE, which goes before a table's routes (section 4.3.1). */
export function encodePeerIndex(
  timeSec: number,
  collector: { readonly routerId: RouterId; readonly viewName?: string },
  peers: readonly MrtPeer[],
): Uint8Array {
  return record(timeSec, TABLE_DUMP_V2, PEER_INDEX_TABLE, (writer) => {
    const name = utf8(collector.viewName ?? '');
    writer.u32be(collector.routerId);
    writer.u16be(name.length);
    writer.raw(name);
    writer.u16be(peers.length);
    for (const { routerId, address, asn } of peers) {
      writer.u8((familyOf(address) === 6 ? PEER_IS_IPV6 : 0) | PEER_HAS_AS4);
      writer.u32be(routerId);
      writer.raw(ipBytes(address));
      writer.u32be(asn);
    }
  });
}

/** What one peer says of a prefix. */
export interface MrtRoute {
  /** In the list of encodePeerIndex. */
  readonly peerIndex: number;
  readonly originatedSec: number;
  readonly attributes: PathAttributes;
  /** In all of a record's routes, or in none. */
  readonly pathId?: number;
}

/** All routes to a prefix (sections 4.3.2 to 4.3.4); `sequence` counts the records of a table from 0. */
export function encodeTableEntry(
  timeSec: number,
  sequence: number,
  prefix: IpPrefix,
  routes: readonly MrtRoute[],
): Uint8Array {
  const family = familyOf(prefix);
  const hasPathIds = routes.some(({ pathId }) => pathId !== undefined);
  return record(timeSec, TABLE_DUMP_V2, RIB_SUBTYPES[family][hasPathIds ? 1 : 0], (writer) => {
    writer.u32be(sequence);
    writer.raw(encodePrefix(prefix));
    writer.u16be(routes.length);
    for (const { peerIndex, originatedSec, attributes, pathId } of routes) {
      const bytes = encodeTableAttributes(attributes, family);
      writer.u16be(peerIndex);
      writer.u32be(originatedSec);
      if (hasPathIds) writer.u32be(pathId ?? 0);
      writer.u16be(bytes.length);
      writer.raw(bytes);
    }
  });
}

/** Both ends of a session. */
export interface MrtSession {
  readonly peerAsn: Asn;
  readonly localAsn: Asn;
  readonly peerAddress: IpAddress;
  readonly localAddress: IpAddress;
}

/** BGP4MP_STATE_CHANGE_AS4 (section 4.4.1). */
export function encodeStateChange(timeSec: number, session: MrtSession, from: Phase, to: Phase): Uint8Array {
  return record(timeSec, BGP4MP, STATE_CHANGE_AS4, (writer) => {
    putSession(writer, session, 4);
    writer.u16be(PHASES.indexOf(from) + 1);
    writer.u16be(PHASES.indexOf(to) + 1);
  });
}

/** BGP4MP_MESSAGE and its kin (sections 4.4.2 and 4.4.3): a whole message, as it was read. */
export function encodeHeardMessage(
  timeSec: number,
  session: MrtSession,
  message: Uint8Array,
  spoken: { readonly hasFourOctetAsn: boolean; readonly hasPathIds: boolean },
): Uint8Array {
  const octets = spoken.hasFourOctetAsn ? 4 : 2;
  return record(timeSec, BGP4MP, MESSAGE_SUBTYPES[octets][spoken.hasPathIds ? 1 : 0], (writer) => {
    putSession(writer, session, octets);
    writer.raw(message);
  });
}

function putSession(writer: Writer, session: MrtSession, octets: 2 | 4): void {
  const { peerAsn, localAsn, peerAddress, localAddress } = session;
  for (const asn of [peerAsn, localAsn]) {
    if (octets === 4) writer.u32be(asn);
    else writer.u16be(asn);
  }
  writer.u16be(0); // no link is told
  writer.u16be(numbersOf(familyOf(peerAddress)).afi);
  writer.raw(ipBytes(peerAddress));
  writer.raw(ipBytes(localAddress));
}

/** The common header (section 2). */
function record(timeSec: number, type: number, subtype: number, write: (writer: Writer) => void): Uint8Array {
  const body = new Writer();
  write(body);
  const out = new Writer(12 + body.length);
  out.u32be(timeSec);
  out.u16be(type);
  out.u16be(subtype);
  out.u32be(body.length);
  out.raw(body.finish());
  return out.finish();
}
