/** Finds where each attribute of an UPDATE lies (RFC 4271 section 4.3, RFC 7606 sections 3 and 4), without reading their values. */

import { MP_REACH, MP_UNREACH } from './attribute-table.ts';
import type { UpdateFault } from './attributes.ts';
import { MessageError } from './error.ts';
import { type FamilyNumbers } from './family.ts';
import { ERROR, UPDATE_ERROR } from './notification-table.ts';

/** An attribute: its value lies from `at` to `end`. */
export interface Piece {
  readonly type: number;
  /** Without the extended length bit, which says nothing about the attribute. */
  readonly flags: number;
  readonly at: number;
  readonly end: number;
}

/** MP_REACH_NLRI taken apart: next hop and prefixes each as a range. */
export interface ReachPiece extends FamilyNumbers {
  readonly nextHopAt: number;
  readonly nextHopEnd: number;
  readonly nlriAt: number;
  readonly nlriEnd: number;
}

export interface UnreachPiece extends FamilyNumbers {
  readonly nlriAt: number;
  readonly nlriEnd: number;
}

const EXTENDED_LENGTH = 0x10;

/** All but repeated ones; adds to the faults what is wrong. Throws MessageError where nothing is left but to reset the session. */
export function scanAttributes(bytes: Uint8Array, from: number, to: number, faults: UpdateFault[]): Piece[] {
  const pieces: Piece[] = [];
  let at = from;
  while (at < to) {
    const octet = bytes[at] as number;
    const headerBytes = (octet & EXTENDED_LENGTH) === 0 ? 3 : 4;
    // RFC 7606 section 4: too few octets for a header, or for the value, are treat-as-withdraw; the prefixes are found all the same.
    if (to - at < headerBytes) {
      faults.push(withdrawFor(`${to - at} bytes of an attribute`));
      break;
    }
    const type = bytes[at + 1] as number;
    const second = bytes[at + 2] as number;
    const length = headerBytes === 3 ? second : (second << 8) | (bytes[at + 3] as number);
    const value = at + headerBytes;
    if (length > to - value) {
      faults.push(withdrawFor(`attribute ${type} has ${length} bytes where ${to - value} are left`));
      break;
    }
    at = value + length;
    if (pieces.some((piece) => piece.type === type)) onRepeated(type, faults);
    else pieces.push({ type, flags: octet & ~EXTENDED_LENGTH, at: value, end: at });
  }
  return pieces;
}

/** RFC 7606 section 3, point g: the first counts; of the two that hold routes there is one, or the session ends. */
function onRepeated(type: number, faults: UpdateFault[]): void {
  if (type === MP_REACH || type === MP_UNREACH)
    throw new MessageError(ERROR.update, UPDATE_ERROR.attributeList, `attribute ${type} twice`);
  faults.push({ attribute: type, treatment: 'attribute-discard', reason: 'it is there twice' });
}

function withdrawFor(reason: string): UpdateFault {
  return { attribute: 0, treatment: 'treat-as-withdraw', reason };
}

/** RFC 4760 section 3. Throws MessageError. */
export function scanReach(bytes: Uint8Array, { at, end }: Piece): ReachPiece {
  const nextHopAt = at + 4;
  const nextHopEnd = nextHopAt + (end - at < 4 ? 0 : (bytes[at + 3] as number));
  // RFC 7606 section 7.11; one reserved octet is behind the next hop.
  if (end - at < 5 || nextHopEnd + 1 > end)
    throw new MessageError(ERROR.update, UPDATE_ERROR.optionalAttribute, 'MP_REACH_NLRI ends too soon', at);
  return { ...numbersAt(bytes, at), nextHopAt, nextHopEnd, nlriAt: nextHopEnd + 1, nlriEnd: end };
}

/** RFC 4760 section 4. Throws MessageError. */
export function scanUnreach(bytes: Uint8Array, { at, end }: Piece): UnreachPiece {
  // RFC 7606 section 7.12, and section 5.3 for the least length.
  if (end - at < 3)
    throw new MessageError(ERROR.update, UPDATE_ERROR.optionalAttribute, 'MP_UNREACH_NLRI ends too soon', at);
  return { ...numbersAt(bytes, at), nlriAt: at + 3, nlriEnd: end };
}

function numbersAt(bytes: Uint8Array, at: number): FamilyNumbers {
  return { afi: ((bytes[at] as number) << 8) | (bytes[at + 1] as number), safi: bytes[at + 2] as number };
}
