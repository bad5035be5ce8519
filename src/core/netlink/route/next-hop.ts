/**
 * RTA_MULTIPATH: struct rtnexthop records, each with its own length and attributes, one behind the other; and RTA_VIA, a gateway
 * of another family than the route's (RFC 5549). Both are irregular, hence written by hand.
 */
import { formatIp, type IpAddress, ipBytes } from '#base/ip/index.ts';
import {
  type Codec,
  DecodeError,
  i32,
  ip,
  isDecodeError,
  struct,
  u8,
  u32,
  type ValueOf,
} from '#core/codec/index.ts';
import { attribute, attributes } from '../attribute.ts';
import { AF } from './scope.ts';
import { encapAttributes } from './tunnel-encap.ts';

/** rtnh_flags. Of these only ONLINK is a wish; the others tell the kernel's view. */
export const RTNH_F = { DEAD: 1, ONLINK: 4, LINKDOWN: 16 } as const;

/** struct rtvia: family and address. */
export const via: Codec<IpAddress> = {
  shape: { of: 'ip' },
  decode: (reader) => {
    const at = reader.offset;
    const family = reader.u16le();
    const size = family === AF.INET ? 4 : family === AF.INET6 ? 16 : undefined;
    if (size === undefined) throw new DecodeError(`gateway of unknown family ${family}`, at);
    return formatIp(reader.copy(size));
  },
  encode: (writer, value) => {
    const raw = ipBytes(value);
    writer.u16le(raw.length === 4 ? AF.INET : AF.INET6);
    writer.raw(raw);
  },
};

const HEADER_BYTES = 8;

/** What follows rtnh_len. `hops` is the weight less one. */
const nextHop = struct({
  flags: u8,
  hops: u8,
  index: i32,
  attributes: attributes({
    gateway: attribute(5, ip),
    flow: attribute(11, u32),
    via: attribute(18, via),
    ...encapAttributes,
  }),
});
export type NextHopRecord = ValueOf<typeof nextHop>;

export const nextHopList: Codec<readonly NextHopRecord[]> = {
  shape: { of: 'list', item: nextHop.shape },
  decode: (reader) => {
    const hops: NextHopRecord[] = [];
    while (reader.remaining > 0) {
      const at = reader.offset;
      const length = reader.u16le();
      if (length < HEADER_BYTES)
        throw new DecodeError(`next hop length ${length} is under ${HEADER_BYTES}`, at);
      try {
        hops.push(nextHop.decode(reader.sub(length - 2)));
      } catch (error) {
        throw isDecodeError(error) ? error.within(`[${hops.length}]`) : error;
      }
      // #define RTNH_ALIGN(len) ( ((len)+RTNH_ALIGNTO-1) & ~(RTNH_ALIGNTO-1) )
      reader.skip(Math.min(-length & 3, reader.remaining));
    }
    return hops;
  },
  encode: (writer, hops) => {
    for (const hop of hops) {
      const at = writer.reserve(2);
      nextHop.encode(writer, hop);
      writer.patchU16le(at, writer.length - at);
    }
  },
};
