/** Neighbour messages, RTM_NEWNEIGH and its kin (linux/neighbour.h); with family AF_BRIDGE they are forwarding entries. */
import { i32, ip, named, pad, struct, u8, u16, u16be, u32, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributes } from '../attribute.ts';
import { linkLayerAddress } from './link-layer-address.ts';

export const RTM_NEIGHBOUR = { NEW: 28, DEL: 29, GET: 30 } as const;

/** NUD_*: bits, of which a neighbour has one; a forwarding entry is `permanent` and `noarp` at once. */
export const NEIGHBOUR_STATES = {
  none: 0,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const;
export const PERMANENT_NOARP = NEIGHBOUR_STATES.permanent | NEIGHBOUR_STATES.noarp;

export const NTF = {
  USE: 0x01,
  SELF: 0x02,
  MASTER: 0x04,
  PROXY: 0x08,
  EXT_LEARNED: 0x10,
  ROUTER: 0x80,
} as const;

export const neighbourMessage = struct({
  family: u8,
  reserved: pad(3),
  index: i32,
  state: named(u16, NEIGHBOUR_STATES),
  flags: u8,
  type: u8,
  attributes: attributes({
    dst: attribute(1, ip),
    linkLayerAddress: attribute(2, linkLayerAddress),
    cache: attribute(3, struct({ confirmed: u32, used: u32, updated: u32, references: u32 })),
    probes: attribute(4, u32),
    vlan: attribute(5, u16),
    port: attribute(6, u16be),
    vni: attribute(7, u32),
    outputLink: attribute(8, u32),
    master: attribute(9, u32),
    linkNetnsId: attribute(10, i32),
    sourceVni: attribute(11, u32),
    protocol: attribute(12, u8),
    nextHopId: attribute(13, u32),
    flagsExtended: attribute(15, u32),
  }),
});
export type NeighbourMessage = ValueOf<typeof neighbourMessage>;
