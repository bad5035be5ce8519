/**
 * Messages of nfnetlink_log: what a listener wants, and the packets that `log group N` gives it. All numbers are big-endian.
 * Source: linux/netfilter/nfnetlink_log.h, enum nfulnl_attr_config and nfulnl_attr_type.
 */
import { bytes, pad, rest, struct, text, u8, u16be, u32be, u64be } from '#core/codec/index.ts';
import { attribute, attributes } from '../attribute.ts';

/** NFNL_SUBSYS_ULOG in the high byte; enum nfulnl_msg_types. */
export const LOG_MESSAGE = { PACKET: 0x400, CONFIG: 0x401 } as const;
/** enum nfulnl_msg_config_cmds. */
export const LOG_COMMAND = { BIND: 1, UNBIND: 2 } as const;
/** NFULNL_COPY_*. */
export const COPY_MODE = { NONE: 0, META: 1, PACKET: 2 } as const;
/** NFULNL_CFG_F_SEQ: packets of a group are numbered, so that the lost ones can be counted. */
export const NUMBERED = 0x1;

/** struct nfgenmsg; resourceId is the group. */
const header = { family: u8, version: u8, group: u16be };

export const logConfigMessage = struct({
  ...header,
  attributes: attributes({
    command: attribute(1, u8),
    mode: attribute(2, struct({ copyBytes: u32be, copyMode: u8, padding: pad(1) })),
    /** What the kernel gathers before it sends, at most. */
    bufferBytes: attribute(3, u32be),
    /** Hundredths of a second after which it sends what it has. */
    timeout: attribute(4, u32be),
    /** Packets after which it sends. */
    threshold: attribute(5, u32be),
    flags: attribute(6, u16be),
  }),
});

export const logPacketMessage = struct({
  ...header,
  attributes: attributes({
    packet: attribute(1, struct({ etherType: u16be, hook: u8, padding: pad(1) })),
    mark: attribute(2, u32be),
    /** Absent where nobody asked the kernel for the time of packets. */
    timestamp: attribute(3, struct({ seconds: u64be, microseconds: u64be })),
    inputLink: attribute(4, u32be),
    outputLink: attribute(5, u32be),
    bridgeInputLink: attribute(6, u32be),
    bridgeOutputLink: attribute(7, u32be),
    sender: attribute(8, struct({ length: u16be, padding: pad(2), address: bytes(8) })),
    /** From the network header on, as far as the listener asked. */
    payload: attribute(9, rest),
    prefix: attribute(10, text),
    uid: attribute(11, u32be),
    sequence: attribute(12, u32be),
    gid: attribute(14, u32be),
  }),
});
