/**
 * Entries of connection tracking as ctnetlink has them: struct nfgenmsg and attributes. Ports are big-endian, filter flags are in the
 * machine's order. Source: linux/netfilter/nfnetlink_conntrack.h, enum ctattr_*.
 */
import { ipOf, struct, u8, u16be, u32, u32be } from '#core/codec/index.ts';
import { attribute, attributes, nest } from '../attribute.ts';

const tuple = attributes({
  ip: nest(
    1,
    attributes({
      source: attribute(1, ipOf(4)),
      destination: attribute(2, ipOf(4)),
      source6: attribute(3, ipOf(6)),
      destination6: attribute(4, ipOf(6)),
    }),
  ),
  protocol: nest(
    2,
    attributes({
      number: attribute(1, u8),
      sourcePort: attribute(2, u16be),
      destinationPort: attribute(3, u16be),
    }),
  ),
  zone: attribute(3, u16be),
});

export const conntrackMessage = struct({
  family: u8,
  version: u8,
  resourceId: u16be,
  attributes: attributes({
    original: nest(1, tuple),
    reply: nest(2, tuple),
    id: attribute(12, u32be),
    zone: attribute(18, u16be),
    /** Which fields of the tuples beside it a dump compares; kernels before 5.8 pass it over. */
    filter: nest(25, attributes({ original: attribute(1, u32), reply: attribute(2, u32) })),
  }),
});
