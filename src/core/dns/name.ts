/**
 * Domain names on the wire: labels, and pointers to labels that came before (RFC 1035 section 4.1.4). As text they are in lower case, for
 * case is nothing to DNS (RFC 4343), without the dot at the end, and what is no letter, digit, hyphen or underscore is written `\DDD`.
 */
import { DecodeError, type Reader } from '#core/codec/index.ts';

/** RFC 1035 section 2.3.4, the byte of the root included. */
const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;
/** A name has 127 labels at most, and needs no more pointers than labels. */
const MAX_POINTERS = 127;
const POINTER = 0xc0;

/** Reads a name, and leaves the reader behind it; pointers count from the start of the reader's bytes. Throws DecodeError. */
export function readName(reader: Reader): string {
  const { bytes, end, offset: first } = reader;
  const labels: string[] = [];
  let at = first;
  let behind: number | undefined;
  let [total, pointers] = [1, 0];
  for (;;) {
    if (at >= end) throw new DecodeError('a name goes on past the end', end);
    const length = bytes[at] as number;
    if (length === 0) break;
    if (length >= POINTER) {
      if (at + 2 > end) throw new DecodeError('a pointer goes on past the end', end);
      behind ??= at + 2;
      const target = ((length & 0x3f) << 8) | (bytes[at + 1] as number);
      // RFC 1035 section 4.1.4: to a prior occurrence. So reading ends.
      if (target >= at || ++pointers > MAX_POINTERS)
        throw new DecodeError('a pointer does not lead to a name before it', at);
      at = target;
      continue;
    }
    // RFC 6891 section 5: 0x40 was meant for other kinds of labels, of which none is in use.
    if (length > MAX_LABEL_BYTES) throw new DecodeError(`a label of kind ${length >> 6}`, at);
    if (at + 1 + length > end) throw new DecodeError('a label goes on past the end', end);
    total += length + 1;
    if (total > MAX_NAME_BYTES) throw new DecodeError(`a name of more than ${MAX_NAME_BYTES} bytes`, first);
    labels.push(labelText(bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  reader.skip((behind ?? at + 1) - first);
  return labels.join('.');
}

function labelText(label: Uint8Array): string {
  let text = '';
  for (const byte of label) text += CHARACTERS[byte];
  return text;
}

const CHARACTERS: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[A-Za-z0-9_-]/.test(character) ? character.toLowerCase() : `\\${byte.toString().padStart(3, '0')}`;
});
