/** Register contents as text: `0x` and two digits for each byte, in the order the bytes lie in memory. */

/** `0x0a000001`: bytes in memory order, not a number. */
export type HexText = string;

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function formatHex(bytes: Uint8Array): HexText {
  let text = '0x';
  for (const byte of bytes) text += DIGITS[byte] as string;
  return text;
}

/** Throws a RangeError that names the text. */
export function parseHex(text: HexText): Uint8Array {
  if (!/^0x([0-9a-f]{2})*$/i.test(text)) throw new RangeError(`not hexadecimal bytes: "${text}"`);
  const bytes = new Uint8Array((text.length - 2) / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 + i * 2, 4 + i * 2), 16);
  return bytes;
}
