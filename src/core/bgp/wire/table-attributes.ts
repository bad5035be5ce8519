/** Attributes and prefixes as files of tables have them (RFC 6396 section 4.3.4): with four octets a number, and of MP_REACH_NLRI the next hop only. */
import { concat } from '#base/bytes.ts';
import { familyOf, type IpPrefix, ipBytes } from '#base/ip/index.ts';
import type { PathAttributes, RouteFamily } from '../model.ts';
import { MP_REACH, OPTIONAL } from './attribute-table.ts';
import { writeAttributes } from './attribute-writer.ts';
import { MAX_EXTENDED_BYTES } from './message.ts';
import { MAX_NLRI_BYTES, putNlri } from './nlri.ts';

/** All attributes of a route in a table, whoever it is for. */
export function encodeTableAttributes(attributes: PathAttributes, family: RouteFamily): Uint8Array {
  const isPlain = family === 4 && familyOf(attributes.nextHop) === 4;
  const context = {
    hasFourOctetAsn: true,
    relation: 'internal',
    families: new Map(),
    peerAsn: 0,
    maxMessageBytes: MAX_EXTENDED_BYTES,
  } as const;
  const others = writeAttributes(attributes, context, isPlain);
  if (isPlain) return others;
  const { nextHop, linkLocalNextHop } = attributes;
  const global = ipBytes(familyOf(nextHop) === 4 ? `::ffff:${nextHop}` : nextHop);
  const addresses = linkLocalNextHop === undefined ? global : concat(global, ipBytes(linkLocalNextHop));
  const length = addresses.length;
  return concat(Uint8Array.of(OPTIONAL, MP_REACH, length + 1, length), addresses, others);
}

/** A prefix as an UPDATE has it. */
export function encodePrefix(prefix: IpPrefix): Uint8Array {
  const bytes = new Uint8Array(2 * MAX_NLRI_BYTES);
  return bytes.slice(0, putNlri(bytes, 0, { prefix }, familyOf(prefix), false));
}
