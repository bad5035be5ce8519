/** Reads the values of attributes, each by its row of the table, and says what is to become of the UPDATE (RFC 7606). */
import { isDecodeError, Reader } from '#core/codec/index.ts';
import type { UnknownAttribute } from '../model.ts';
import type { Piece } from './attribute-scan.ts';
import { ATTRIBUTE_ROWS, type AttributeRow, MP_REACH, MP_UNREACH, OPTIONAL } from './attribute-table.ts';
import type { UpdateContext, UpdateFault, WireAttributes } from './attributes.ts';
import { MessageError } from './error.ts';
import { mergeFourOctet } from './four-octet-asn.ts';
import { ERROR, UPDATE_ERROR } from './notification-table.ts';

const ROWS: readonly (AttributeRow | undefined)[] = byType();
/** The optional and transitive bits. */
export const KIND_BITS = 0xc0;
const TRANSITIVE = 0x40;

/** Reads all but the two that hold routes; adds to the faults. Throws MessageError for a well-known attribute that is not known. */
export function readAttributes(
  bytes: Uint8Array,
  pieces: readonly Piece[],
  context: UpdateContext,
  faults: UpdateFault[],
): WireAttributes {
  const out: WireAttributes = {};
  const unknown: UnknownAttribute[] = [];
  for (const piece of pieces) {
    const row = ROWS[piece.type];
    if (holdsRoutes(piece.type)) continue;
    if (row === undefined) {
      keepUnknown(bytes, piece, unknown);
    } else if ((piece.flags & KIND_BITS) !== row.flags) {
      const reason = `flags ${piece.flags.toString(16)} instead of ${row.flags.toString(16)}`;
      faults.push(faultOf(row, reason, row.flagsTreatment ?? 'treat-as-withdraw'));
    } else if (row.relations !== undefined && !row.relations.includes(context.relation)) {
      // RFC 7606 sections 7.5, 7.9 and 7.10: from outside it is discarded, malformed or not.
      faults.push({ attribute: row.type, treatment: 'attribute-discard', reason: 'it comes from outside' });
    } else {
      readOne(bytes, piece, row, context, out, faults);
    }
  }
  if (unknown.length > 0) out.unknown = unknown;
  if (!context.hasFourOctetAsn) {
    mergeFourOctet(out);
  } else if (out.as4Path !== undefined || out.as4Aggregator !== undefined) {
    // RFC 6793 section 4.1: from a peer with four octets they are discarded.
    delete out.as4Path;
    delete out.as4Aggregator;
  }
  return out;
}

function readOne(
  bytes: Uint8Array,
  piece: Piece,
  row: AttributeRow,
  context: UpdateContext,
  out: WireAttributes,
  faults: UpdateFault[],
): void {
  if (row.key === undefined) return;
  const codec = context.hasFourOctetAsn ? row.codec : (row.twoOctetCodec ?? row.codec);
  const reader = new Reader(bytes, piece.at, piece.end);
  try {
    const value: unknown = codec?.decode(reader);
    reader.finish();
    const reason = row.check?.(value, context);
    if (reason === undefined) (out as Record<string, unknown>)[row.key] = value;
    else faults.push(faultOf(row, reason));
  } catch (error) {
    if (!isDecodeError(error)) throw error;
    faults.push(faultOf(row, error.message));
  }
}

/** What is not transitive, nobody else is told (RFC 4271 section 9). */
function keepUnknown(bytes: Uint8Array, { type, flags, at, end }: Piece, unknown: UnknownAttribute[]): void {
  // RFC 4271 section 6.3, which RFC 7606 leaves as it is.
  if ((flags & OPTIONAL) === 0)
    throw new MessageError(
      ERROR.update,
      UPDATE_ERROR.unknownWellKnown,
      `well-known attribute ${type} is not known`,
      at,
      bytes.slice(at, end),
    );
  if ((flags & TRANSITIVE) !== 0) unknown.push({ type, flags, value: bytes.slice(at, end) });
}

/** No value that is read here resets the session. */
function faultOf(row: AttributeRow, reason: string, treatment = row.treatment): UpdateFault {
  const strongest = treatment === 'session-reset' ? 'treat-as-withdraw' : treatment;
  return { attribute: row.type, treatment: strongest, reason: `${row.name}: ${reason}` };
}

function byType(): (AttributeRow | undefined)[] {
  const out: (AttributeRow | undefined)[] = Array.from({ length: 256 });
  for (const row of ATTRIBUTE_ROWS) out[row.type] = row;
  return out;
}

/** True for those that hold routes. */
export function holdsRoutes(type: number): boolean {
  return type === MP_REACH || type === MP_UNREACH;
}
