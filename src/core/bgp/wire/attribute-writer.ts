/** Writes the attributes of a route, each by its row of the table; the two that hold routes are the encoder's. */
import { Writer } from '#core/codec/index.ts';
import type { PathAttributes, UnknownAttribute } from '../model.ts';
import { ATTRIBUTE_ROWS, type AttributeRow } from './attribute-table.ts';
import type { UpdateContext, WireAttributes } from './attributes.ts';
import { splitFourOctet } from './four-octet-asn.ts';

const EXTENDED_LENGTH = 0x10;
const PARTIAL = 0x20;
/** Written anew each time: to make a buffer takes longer than to fill it. */
const SCRATCH = [new Writer(4096), new Writer(4096)] as const;

/**
 * In the order of their numbers (RFC 4271 section 5), NEXT_HOP only if asked for. What does not go to such a peer is left out; what nobody
 * here knows is marked as partial. Throws RangeError for values that do not fit.
 */
export function writeAttributes(
  attributes: PathAttributes,
  context: UpdateContext,
  withNextHop: boolean,
): Uint8Array {
  const wire: WireAttributes = context.hasFourOctetAsn ? attributes : splitFourOctet(attributes);
  const unknown = [...(attributes.unknown ?? [])].sort((a, b) => a.type - b.type);
  const [out, value] = SCRATCH;
  out.reset();
  for (const row of ATTRIBUTE_ROWS) {
    while (unknown[0] !== undefined && unknown[0].type < row.type) putUnknown(out, unknown.shift());
    if (row.key === undefined || row.codec === undefined) continue;
    if (row.key === 'nextHop' && !withNextHop) continue;
    if (row.relations !== undefined && !row.relations.includes(context.relation)) continue;
    const field = wire[row.key];
    if (field === undefined || isEmptyList(row, field)) continue;
    value.reset();
    const codec = context.hasFourOctetAsn ? row.codec : (row.twoOctetCodec ?? row.codec);
    codec.encode(value, field);
    putAttribute(out, row.flags, row.type, value.finish());
  }
  for (const each of unknown) putUnknown(out, each);
  return out.finish();
}

/** An attribute with its header. */
function putAttribute(out: Writer, flags: number, type: number, value: Uint8Array): void {
  const isLong = value.length > 255;
  out.u8(isLong ? flags | EXTENDED_LENGTH : flags);
  out.u8(type);
  if (isLong) out.u16be(value.length);
  else out.u8(value.length);
  out.raw(value);
}

/** RFC 4271 section 5: passed on by one who does not know it, it is partial. */
function putUnknown(out: Writer, attribute: UnknownAttribute | undefined): void {
  if (attribute !== undefined) putAttribute(out, attribute.flags | PARTIAL, attribute.type, attribute.value);
}

/** A path may be empty; a list of communities or clusters is not there then. */
function isEmptyList({ key }: AttributeRow, field: unknown): boolean {
  return key !== 'asPath' && Array.isArray(field) && field.length === 0;
}
