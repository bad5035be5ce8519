/**
 * Options in their areas: number, length, value. An option longer than 255 bytes is several of the same number, joined in order
 * (RFC 3396); with option 52 the fields `file` and `sname` hold options too (RFC 2132 section 9.3), read after the first area.
 */
import { concat } from '#base/bytes.ts';
import { DecodeError, Reader, Writer } from '#core/codec/index.ts';
import { OPTION } from './options.ts';
import type { DhcpPacket } from './packet.ts';

/** Values by option number. */
export type DhcpOptions = ReadonlyMap<number, Uint8Array>;

const MAX_PIECE_BYTES = 255;
const FILE = 1;
const SERVER_NAME = 2;

/** All options of a packet. Throws DecodeError for an option that goes past its area, or a wrong overload. */
export function readOptions({ options, file, serverName }: DhcpPacket): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  readArea(options, 'options', found);
  const overload = found.get(OPTION.overload);
  if (overload === undefined) return found;
  const where = overload[0] as number;
  if (overload.length !== 1 || where < FILE || where > (FILE | SERVER_NAME))
    throw new DecodeError(`overload is 1, 2 or 3, not ${where}`, 0).within('options');
  found.delete(OPTION.overload);
  if ((where & FILE) !== 0) readArea(file, 'file', found);
  if ((where & SERVER_NAME) !== 0) readArea(serverName, 'serverName', found);
  return found;
}

/** One area with its end; long options are cut in pieces. */
export function writeOptions(options: DhcpOptions): Uint8Array {
  const writer = new Writer();
  for (const [code, value] of options) {
    if (code === OPTION.pad || code === OPTION.end || code === OPTION.overload)
      throw new RangeError(`option ${code} holds nothing`);
    for (let at = 0; at === 0 || at < value.length; at += MAX_PIECE_BYTES) {
      const piece = value.subarray(at, at + MAX_PIECE_BYTES);
      writer.u8(code);
      writer.u8(piece.length);
      writer.raw(piece);
    }
  }
  writer.u8(OPTION.end);
  return writer.finish();
}

/** An area may end without an end option: some servers fill it to the last byte. */
function readArea(area: Uint8Array, name: string, found: Map<number, Uint8Array>): void {
  const reader = new Reader(area);
  try {
    while (reader.remaining > 0) {
      const code = reader.u8();
      if (code === OPTION.pad) continue;
      if (code === OPTION.end) return;
      const value = reader.copy(reader.u8());
      const before = found.get(code);
      found.set(code, before === undefined ? value : concat(before, value));
    }
  } catch (error) {
    throw error instanceof DecodeError ? error.within(name) : error;
  }
}
