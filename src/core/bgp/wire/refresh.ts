/** ROUTE-REFRESH (RFC 2918), with the marks of an enhanced one in the octet that was reserved (RFC 7313). */
import { type Codec, named, struct, u8, u16be } from '#core/codec/index.ts';

export interface Refresh {
  readonly afi: number;
  readonly subtype: 'request' | 'begin' | 'end' | number;
  readonly safi: number;
}

/** The body of the message: 4 octets. */
export const refreshCodec: Codec<Refresh> = struct({
  afi: u16be,
  subtype: named(u8, { request: 0, begin: 1, end: 2 }),
  safi: u8,
});

export const REFRESH_BYTES = 4;
