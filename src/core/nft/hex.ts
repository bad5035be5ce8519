/** Register contents as text: `0x` and two digits for each byte, in the order the bytes lie in memory. */
import { fromHex, hex } from '#base/bytes.ts';

/** `0x0a000001`: bytes in memory order, not a number. */
export type HexText = string;

/** The bytes in lower case. */
export function formatHex(bytes: Uint8Array): HexText {
  return `0x${hex(bytes)}`;
}

/** Throws a RangeError that names the text. */
export function parseHex(text: HexText): Uint8Array {
  if (!text.startsWith('0x')) throw new RangeError(`not hexadecimal bytes with 0x before them: "${text}"`);
  return fromHex(text.slice(2));
}
