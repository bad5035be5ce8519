/** The capabilities of OPEN (RFC 5492) that are spoken here: number, source and form of the value. */
import { type Codec, flag, listOf, struct, u8, u16be, u32be } from '#core/codec/index.ts';

/** 24 bits. */
const u24be: Codec<number> = {
  shape: { of: 'integer', bits: 24 },
  decode: (r) => (r.u8() << 16) | r.u16be(),
  encode: (w, v) => {
    w.u8(v >>> 16);
    w.u16be(v & 0xffff);
  },
};

export const CAPABILITY = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedNextHop: 5,
  extendedMessage: 6,
  gracefulRestart: 64,
  fourOctetAsn: 65,
  addPath: 69,
  enhancedRefresh: 70,
  longLivedRestart: 71,
} as const;

export const CAPABILITY_CODECS = {
  /** RFC 4760 section 8. */
  multiprotocol: struct({ afi: u16be, reserved: u8, safi: u8 }),
  /** RFC 2918. */
  routeRefresh: flag,
  /** RFC 8950 section 4: the SAFI has two octets here. */
  extendedNextHop: listOf(struct({ afi: u16be, safi: u16be, nextHopAfi: u16be })),
  /** RFC 8654. */
  extendedMessage: flag,
  /** RFC 4724 section 3, 8538 section 2: 4 bits of flags, 12 of seconds. */
  gracefulRestart: struct({
    flagsAndTime: u16be,
    families: listOf(struct({ afi: u16be, safi: u8, flags: u8 })),
  }),
  /** RFC 6793. */
  fourOctetAsn: u32be,
  /** RFC 7911 section 4: 1 can receive, 2 can send, 3 both. */
  addPath: listOf(struct({ afi: u16be, safi: u8, mode: u8 })),
  /** RFC 7313. */
  enhancedRefresh: flag,
  /** RFC 9494 section 3.1. */
  longLivedRestart: listOf(struct({ afi: u16be, safi: u8, flags: u8, staleTimeSec: u24be })),
} as const;
