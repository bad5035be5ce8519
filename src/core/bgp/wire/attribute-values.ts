/** The values of path attributes as codecs over exactly their bytes; what no number of bytes can tell is checked by the table's rows. */
import { fromHex, hex } from '#base/bytes.ts';
import { type Codec, DecodeError, ipOf, listOf, struct, u8, u16be, u32be } from '#core/codec/index.ts';
import type { AsPathSegment, PathAttributes } from '../model.ts';

const ORIGINS = ['igp', 'egp', 'incomplete'] as const;
/** RFC 4271 section 4.3 (1, 2), RFC 5065 section 3 (3, 4). */
const SEGMENT_TYPES = ['set', 'sequence', 'confed-sequence', 'confed-set'] as const;
const MAX_SEGMENT_ASNS = 255;

/** One octet, of which three values mean something. */
export const originCodec: Codec<PathAttributes['origin']> = {
  shape: { of: 'named', names: ORIGINS, base: u8.shape },
  decode: (r) => {
    const value = r.u8();
    const origin = ORIGINS[value];
    if (origin === undefined) throw new DecodeError(`origin ${value}`, r.offset - 1);
    return origin;
  },
  encode: (w, v) => w.u8(ORIGINS.indexOf(v)),
};

/** Segments with AS numbers of 2 or 4 octets. On encoding a segment of more than 255 becomes several. */
function asPathOf(asn: Codec<number>): Codec<readonly AsPathSegment[]> {
  return {
    shape: {
      of: 'list',
      item: {
        of: 'record',
        fields: {
          type: { shape: { of: 'named', names: SEGMENT_TYPES, base: u8.shape }, optional: false },
          asns: { shape: { of: 'list', item: asn.shape, lengthMin: 1 }, optional: false },
        },
      },
    },
    decode: (r) => {
      const out: AsPathSegment[] = [];
      while (r.remaining > 0) {
        const at = r.offset;
        const type = SEGMENT_TYPES[r.u8() - 1];
        if (type === undefined) throw new DecodeError(`segment of type ${r.bytes[at]}`, at);
        const count = r.u8();
        // RFC 7606 section 7.2: a segment of no length is malformed.
        if (count === 0) throw new DecodeError('segment of no length', at + 1);
        const asns: number[] = [];
        for (let i = 0; i < count; i++) asns.push(asn.decode(r));
        out.push({ type, asns });
      }
      return out;
    },
    encode: (w, segments) => {
      for (const { type, asns } of segments) {
        for (let at = 0; at < asns.length; at += MAX_SEGMENT_ASNS) {
          const part = asns.slice(at, at + MAX_SEGMENT_ASNS);
          w.u8(SEGMENT_TYPES.indexOf(type) + 1);
          w.u8(part.length);
          for (const each of part) asn.encode(w, each);
        }
      }
    },
  };
}

export const asPathCodec = asPathOf(u32be);
export const twoOctetAsPathCodec = asPathOf(u16be);

const ipv4 = ipOf(4);
export const nextHopCodec = ipv4;
export const aggregatorCodec: Codec<NonNullable<PathAttributes['aggregator']>> = struct({
  asn: u32be,
  address: ipv4,
});
export const twoOctetAggregatorCodec: typeof aggregatorCodec = struct({ asn: u16be, address: ipv4 });

/** A list that is not there when it is empty. */
function filled<T>(item: Codec<T>): Codec<readonly T[]> {
  const list = listOf(item);
  return {
    shape: { of: 'list', item: item.shape, lengthMin: 1 },
    decode: (r) => {
      if (r.remaining === 0) throw new DecodeError('a list of no length', r.offset);
      return list.decode(r);
    },
    encode: (w, v) => list.encode(w, v),
  };
}

export const numbersCodec = filled(u32be);

export const extendedCommunitiesCodec: Codec<readonly string[]> = filled({
  shape: { of: 'bytes', length: 8 },
  decode: (r) => hex(r.copy(8)),
  encode: (w, v) => {
    const bytes = fromHex(v);
    if (bytes.length !== 8) throw new RangeError(`not 8 bytes of hexadecimal digits: "${v}"`);
    w.raw(bytes);
  },
});

type LargeCommunity = readonly [number, number, number];
export const largeCommunitiesCodec: Codec<readonly LargeCommunity[]> = filled({
  shape: { of: 'list', item: u32be.shape, lengthMin: 3 },
  decode: (r) => [r.u32be(), r.u32be(), r.u32be()] as const,
  encode: (w, v) => v.forEach((each) => w.u32be(each)),
});
