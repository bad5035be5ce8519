/**
 * Small operations on Uint8Array that Node's Buffer would give, without Buffer: core may use them.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Lower-case hexadecimal digits, two a byte, with `separator` between bytes (none if absent). */
export function hex(bytes: Uint8Array, separator = ''): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) {
    if (i > 0) text += separator;
    text += DIGITS[bytes[i] as number];
  }
  return text;
}

/** The value of a hexadecimal digit, of either case, by its character code; -1 if it is none. */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** The bytes of hexadecimal text, two digits a byte and nothing between. Throws a RangeError that names the text. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  for (let i = 0; i < bytes.length; i++) {
    const value = (hexDigit(text.charCodeAt(2 * i)) << 4) | hexDigit(text.charCodeAt(2 * i + 1));
    if (value < 0) throw new RangeError(`not hexadecimal bytes: "${text}"`);
    bytes[i] = value;
  }
  if (text.length % 2 !== 0) throw new RangeError(`not hexadecimal bytes: "${text}"`);
  return bytes;
}

/** Base64 of RFC 4648 section 4, padded. */
export function base64(bytes: Uint8Array): string {
  let binary = '';
  for (let i = 0; i < bytes.length; i++) binary += String.fromCharCode(bytes[i] as number);
  return btoa(binary);
}

/** The bytes of base64. Throws a DOMException for text that is none. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** One new array with the parts' bytes in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** True if both hold the same bytes. Not for secrets: the time taken depends on the content. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Orders byte strings as memcmp does; a prefix comes before what it begins. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The UTF-8 bytes of text. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, or undefined if they are not valid UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The text of UTF-8 bytes, each invalid sequence replaced by U+FFFD: for messages to people. */
export function lenientUtf8(bytes: Uint8Array): string {
  return lenientDecoder.decode(bytes);
}

/** What comes before the first NUL byte, or all if there is none; a view. */
export function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Longer text is left to the decoder of UTF-8. */
const SHORT_BYTES = 256;

/** What lies between two places as text, if it is short and all ASCII without NUL: the quick way for the many names. */
export function asciiBetween(bytes: Uint8Array, from: number, end: number): string | undefined {
  if (end - from > SHORT_BYTES) return undefined;
  const codes: number[] = [];
  for (let at = from; at < end; at++) {
    const code = bytes[at] as number;
    if (code === 0 || code >= 0x80) return undefined;
    codes.push(code);
  }
  return String.fromCharCode(...codes);
}
