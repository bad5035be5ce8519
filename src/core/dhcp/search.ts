/**
 * The domain search list (RFC 3397): names as in DNS (RFC 1035 section 4.1.4), compressed by pointers that count from the start
 * of the option. Written without compression.
 */
import { fromUtf8, utf8 } from '#base/bytes.ts';
import { type Codec, DecodeError, type Reader, type Writer } from '#core/codec/index.ts';

const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;
const POINTER = 0xc0;
/** What a name in resolv.conf may be made of; anything else could end up as another line of it. */
const LABEL = /^[a-zA-Z0-9_-]+$/;

export const domainSearch: Codec<readonly string[]> = {
  shape: { of: 'list', item: { of: 'text', maxBytes: MAX_NAME_BYTES } },
  decode: (reader) => {
    const start = reader.offset;
    const names: string[] = [];
    while (reader.remaining > 0) names.push(decodeName(reader, start));
    return names;
  },
  encode: (writer: Writer, names) => {
    for (const name of names) {
      for (const label of name.split('.')) {
        const raw = utf8(label);
        if (!LABEL.test(label) || raw.length > MAX_LABEL_BYTES)
          throw new RangeError(`not a domain name: "${name}"`);
        writer.u8(raw.length);
        writer.raw(raw);
      }
      writer.u8(0);
    }
  },
};

/** Pointers lead backwards only, so that reading ends. */
function decodeName(reader: Reader, start: number): string {
  const { bytes, end } = reader;
  const first = reader.offset;
  const labels: string[] = [];
  let total = 0;
  let at = first;
  let bound = first;
  let behind: number | undefined;
  for (;;) {
    const length = at < end ? (bytes[at] as number) : -1;
    if (length < 0) throw new DecodeError('a name goes on past the end', end);
    at += 1;
    if (length === 0) break;
    if (length >= POINTER) {
      if (at >= end) throw new DecodeError('a pointer goes on past the end', end);
      behind ??= at + 1;
      const target = start + (((length & 0x3f) << 8) | (bytes[at] as number));
      if (target >= bound) throw new DecodeError('a pointer does not lead backwards', at - 1);
      bound = target;
      at = target;
      continue;
    }
    if (length > MAX_LABEL_BYTES || at + length > end)
      throw new DecodeError(`a label of ${length} bytes`, at - 1);
    const label = fromUtf8(bytes.subarray(at, at + length));
    if (label === undefined || !LABEL.test(label)) throw new DecodeError('not a label of a host name', at);
    total += length + 1;
    if (total >= MAX_NAME_BYTES) throw new DecodeError('a name of more than 255 bytes', first);
    labels.push(label);
    at += length;
  }
  if (labels.length === 0) throw new DecodeError('an empty name', first);
  reader.skip((behind ?? at) - first);
  return labels.join('.');
}
