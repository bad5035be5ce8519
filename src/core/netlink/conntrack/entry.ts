/**
 * Entries of connection tracking as ctnetlink has them: struct nfgenmsg and attributes. Numbers of an entry are big-endian, filter flags are
 * in the machine's order. Source: linux/netfilter/nfnetlink_conntrack.h, enum ctattr_*.
 */
import { ipOf, struct, u8, u16be, u32, u32be, u64be, type ValueOf } from '#core/codec/index.ts';
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
      icmpId: attribute(4, u16be),
      icmpType: attribute(5, u8),
      icmpCode: attribute(6, u8),
      icmp6Id: attribute(7, u16be),
      icmp6Type: attribute(8, u8),
      icmp6Code: attribute(9, u8),
    }),
  ),
  zone: attribute(3, u16be),
});

const counters = attributes({ packets: attribute(1, u64be), bytes: attribute(2, u64be) });

export const conntrackMessage = struct({
  family: u8,
  version: u8,
  resourceId: u16be,
  attributes: attributes({
    original: nest(1, tuple),
    reply: nest(2, tuple),
    /** IPS_*. */
    status: attribute(3, u32be),
    protocolInfo: nest(4, attributes({ tcp: nest(1, attributes({ state: attribute(1, u8) })) })),
    /** Seconds until it is forgotten. */
    timeout: attribute(7, u32be),
    mark: attribute(8, u32be),
    /** Where net.netfilter.nf_conntrack_acct is on. */
    originalCounters: nest(9, counters),
    replyCounters: nest(10, counters),
    id: attribute(12, u32be),
    zone: attribute(18, u16be),
    /** Nanoseconds since 1970; where net.netfilter.nf_conntrack_timestamp is on. */
    timestamp: nest(20, attributes({ start: attribute(1, u64be), stop: attribute(2, u64be) })),
    /** The bits of the mark that are to be changed. */
    markMask: attribute(21, u32be),
    /** Which fields of the tuples beside it a dump compares; kernels before 5.8 pass it over. */
    filter: nest(25, attributes({ original: attribute(1, u32), reply: attribute(2, u32) })),
  }),
});

export type Entry = ValueOf<typeof conntrackMessage>;
/** One direction of a flow, as the kernel has it. */
export type EntryTuple = NonNullable<Entry['attributes']['original']>;

/** NFNL_SUBSYS_CTNETLINK in the high byte; enum cntl_msg_types. */
export const CONNTRACK_MESSAGE = { NEW: 0x100, GET: 0x101, DELETE: 0x102 } as const;
