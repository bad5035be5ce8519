/** Packs routes into as few UPDATEs as their size allows (RFC 4271 section 4.3, 4760, 8654). */
import { concat } from '#base/bytes.ts';
import { familyOf, ipBytes } from '#base/ip/index.ts';
import type { Nlri, PathAttributes, RouteFamily } from '../model.ts';
import type { RouteUpdate, RouteWithdrawal } from '../ports.ts';
import { MP_REACH, MP_UNREACH, OPTIONAL } from './attribute-table.ts';
import { writeAttributes } from './attribute-writer.ts';
import type { UpdateContext } from './attributes.ts';
import { numbersOf } from './family.ts';
import { HEADER_BYTES, MESSAGE, putHeader } from './message.ts';
import { MAX_NLRI_BYTES, putNlri } from './nlri.ts';

/** Whole messages, and the prefixes for which there is no room behind their attributes (RFC 4271 section 9.2: they are not announced). */
export interface EncodedUpdate {
  readonly messages: readonly Uint8Array[];
  readonly unsent: readonly Nlri[];
}

const EXTENDED_LENGTH = 0x10;
/** Two lengths of two octets. */
const LENGTHS_BYTES = 4;
/** Flags, type and two octets of length. */
const LONG_HEADER_BYTES = 4;
const NOTHING = new Uint8Array(0);

/** What stands around the prefixes of a message, and where they go. */
interface Frame {
  readonly family: RouteFamily;
  /** Before and behind the prefixes. */
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Writes the lengths, all of which depend on where the prefixes end. */
  readonly close: (bytes: Uint8Array, nlriEnd: number, end: number) => void;
}

/** Throws RangeError for attributes that do not fit their fields. */
export function encodeUpdate(update: RouteUpdate, context: UpdateContext): EncodedUpdate {
  const { family, attributes, nlri } = update;
  const isPlain = family === 4 && familyOf(attributes.nextHop) === 4;
  const value = writeAttributes(attributes, context, isPlain);
  const frame = isPlain ? plainReach(value) : multiprotocolReach(family, attributes, value);
  return pack(frame, nlri, context);
}

export function encodeWithdrawal(withdrawal: RouteWithdrawal, context: UpdateContext): EncodedUpdate {
  const { family, nlri } = withdrawal;
  return pack(family === 4 ? plainUnreach() : multiprotocolUnreach(family), nlri, context);
}

/** RFC 4724 section 2. */
export function encodeEndOfRib(family: RouteFamily): Uint8Array {
  return seal(family === 4 ? plainUnreach() : multiprotocolUnreach(family), NOTHING);
}

function plainUnreach(): Frame {
  const head = new Uint8Array(HEADER_BYTES + 2);
  return {
    family: 4,
    head,
    tail: new Uint8Array(2),
    close: (bytes, nlriEnd) => putU16(bytes, HEADER_BYTES, nlriEnd - head.length),
  };
}

function plainReach(attributes: Uint8Array): Frame {
  const head = new Uint8Array(HEADER_BYTES + LENGTHS_BYTES + attributes.length);
  head.set(attributes, HEADER_BYTES + LENGTHS_BYTES);
  if (attributes.length <= 0xffff) putU16(head, HEADER_BYTES + 2, attributes.length);
  return { family: 4, head, tail: NOTHING, close: () => {} };
}

function multiprotocolUnreach(family: RouteFamily): Frame {
  const { afi, safi } = numbersOf(family);
  return multiprotocol(family, MP_UNREACH, Uint8Array.of(0, afi, safi), NOTHING);
}

/** RFC 7606 section 5.1: it comes before all other attributes. */
function multiprotocolReach(family: RouteFamily, attributes: PathAttributes, others: Uint8Array): Frame {
  const { afi, safi } = numbersOf(family);
  const nextHop = nextHopBytes(attributes);
  const start = new Uint8Array(nextHop.length + 5);
  start[1] = afi;
  start[2] = safi;
  start[3] = nextHop.length;
  start.set(nextHop, 4);
  return multiprotocol(family, MP_REACH, start, others);
}

function multiprotocol(family: RouteFamily, type: number, start: Uint8Array, others: Uint8Array): Frame {
  const attributesAt = HEADER_BYTES + LENGTHS_BYTES;
  const valueAt = attributesAt + LONG_HEADER_BYTES;
  const head = new Uint8Array(valueAt + start.length);
  head[attributesAt] = OPTIONAL | EXTENDED_LENGTH;
  head[attributesAt + 1] = type;
  head.set(start, valueAt);
  return {
    family,
    head,
    tail: others,
    close: (bytes, nlriEnd, end) => {
      putU16(bytes, attributesAt - 2, end - attributesAt);
      putU16(bytes, attributesAt + 2, nlriEnd - valueAt);
    },
  };
}

/** RFC 2545 section 3: the link-local address, if there is one, behind the global one. An IPv4 address is given as a mapped one. */
function nextHopBytes({ nextHop, linkLocalNextHop }: PathAttributes): Uint8Array {
  const first = ipBytes(familyOf(nextHop) === 4 ? `::ffff:${nextHop}` : nextHop);
  return linkLocalNextHop === undefined ? first : concat(first, ipBytes(linkLocalNextHop));
}

function pack(frame: Frame, nlri: readonly Nlri[], context: UpdateContext): EncodedUpdate {
  const { family, head, tail } = frame;
  const hasPathIds = context.families.get(family)?.addPathSend === true;
  const room = context.maxMessageBytes - head.length - tail.length;
  const messages: Uint8Array[] = [];
  const unsent: Nlri[] = [];
  // One prefix, and what is cut off its address, may be written beyond the room before it is seen to be too long.
  const scratch = new Uint8Array(
    Math.min(Math.max(0, room), nlri.length * MAX_NLRI_BYTES) + 2 * MAX_NLRI_BYTES,
  );
  let at = 0;
  for (const each of nlri) {
    let end = putNlri(scratch, at, each, family, hasPathIds);
    if (end > room && at > 0) {
      messages.push(seal(frame, scratch.subarray(0, at)));
      scratch.copyWithin(0, at, end);
      end -= at;
      at = 0;
    }
    if (end > room) unsent.push(each);
    else at = end;
  }
  if (at > 0) messages.push(seal(frame, scratch.subarray(0, at)));
  return { messages, unsent };
}

function seal({ head, tail, close }: Frame, nlri: Uint8Array): Uint8Array {
  const nlriEnd = head.length + nlri.length;
  const bytes = new Uint8Array(nlriEnd + tail.length);
  bytes.set(head);
  bytes.set(nlri, head.length);
  bytes.set(tail, nlriEnd);
  close(bytes, nlriEnd, bytes.length);
  putHeader(bytes, MESSAGE.update, bytes.length);
  return bytes;
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 0xff;
}
