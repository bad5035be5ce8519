/**
 * Text the kernel keeps without looking at it, as link names and aliases: any bytes without NUL. Bytes that are not UTF-8
 * become lone surrogates (0xff is U+DCFF) and turn into the same bytes again, so that another's odd name breaks nothing.
 */
import { asciiBetween, fromUtf8, utf8 } from '#base/bytes.ts';
import { type Codec, text } from '#core/codec/index.ts';

const ESCAPE = 0xdc00;

function decodeBytes(bytes: Uint8Array): string {
  const escaped = () =>
    Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : ESCAPE + byte)).join('');
  return fromUtf8(bytes) ?? escaped();
}

function encodeText(value: string): Uint8Array {
  if (value.includes('\0')) throw new RangeError('text holds a NUL');
  if (value.isWellFormed()) return utf8(value);
  return Uint8Array.from(value, (unit) => {
    const code = unit.charCodeAt(0);
    if (unit.length === 1 && code < 0x80) return code;
    if (unit.length === 1 && code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff) return code - ESCAPE;
    throw new RangeError(`text mixes escaped bytes with "${unit}"`);
  });
}

function decode(reader: Parameters<Codec<string>['decode']>[0]): string {
  const { bytes, offset: at, end } = reader;
  reader.skip(reader.remaining);
  const nul = bytes.indexOf(0, at);
  const textEnd = nul < 0 || nul > end ? end : nul;
  return asciiBetween(bytes, at, textEnd) ?? decodeBytes(bytes.slice(at, textEnd));
}

/** Up to the first NUL or the end; encoded with a closing NUL. */
export const kernelText: Codec<string> = {
  shape: text.shape,
  decode,
  encode: (writer, value) => {
    writer.raw(encodeText(value));
    writer.u8(0);
  },
};

/** The same, encoded without a NUL: the kernel would take the NUL for part of an alias, and an alias of one NUL for an alias. */
export const bareKernelText: Codec<string> = {
  shape: text.shape,
  decode,
  encode: (writer, value) => writer.raw(encodeText(value)),
};
