/** Route messages, RTM_NEWROUTE and its kin (linux/rtnetlink.h), for IPv4 and IPv6. */
import { ip, named, rest, struct, text, u8, u32, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributes, nest } from '../attribute.ts';
import { nextHopList, via } from './next-hop.ts';
import { SCOPES } from './scope.ts';
import { encapAttributes } from './tunnel-encap.ts';

export const RTM_ROUTE = { NEW: 24, DEL: 25, GET: 26 } as const;
/** rtm_flags: the route is a cached copy, not an entry of a table. */
export const RTM_F_CLONED = 0x200;

export const ROUTE_TYPES = {
  unspecified: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
  nat: 10,
} as const;

const metrics = attributes({
  lock: attribute(1, u32),
  mtu: attribute(2, u32),
  window: attribute(3, u32),
  rtt: attribute(4, u32),
  rttVariance: attribute(5, u32),
  slowStartThreshold: attribute(6, u32),
  congestionWindow: attribute(7, u32),
  advMss: attribute(8, u32),
  reordering: attribute(9, u32),
  hopLimit: attribute(10, u32),
  initialCongestionWindow: attribute(11, u32),
  features: attribute(12, u32),
  minRetransmitTimeout: attribute(13, u32),
  initialReceiveWindow: attribute(14, u32),
  quickAck: attribute(15, u32),
  congestionControl: attribute(16, text),
  fastOpenNoCookie: attribute(17, u32),
});

export const routeMessage = struct({
  family: u8,
  dstLength: u8,
  srcLength: u8,
  tos: u8,
  /** The low eight bits; `attributes.table` has all of them. */
  table: u8,
  protocol: u8,
  scope: named(u8, SCOPES),
  type: named(u8, ROUTE_TYPES),
  flags: u32,
  attributes: attributes({
    dst: attribute(1, ip),
    src: attribute(2, ip),
    inputLink: attribute(3, u32),
    outputLink: attribute(4, u32),
    gateway: attribute(5, ip),
    priority: attribute(6, u32),
    preferredSource: attribute(7, ip),
    metrics: nest(8, metrics),
    nextHops: attribute(9, nextHopList),
    flow: attribute(11, u32),
    cache: attribute(12, rest),
    table: attribute(15, u32),
    mark: attribute(16, u32),
    via: attribute(18, via),
    preference: attribute(20, u8),
    ...encapAttributes,
    expires: attribute(23, u32),
    nextHopId: attribute(30, u32),
  }),
});
export type RouteMessage = ValueOf<typeof routeMessage>;
