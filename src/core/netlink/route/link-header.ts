/** struct ifinfomsg (linux/rtnetlink.h), the fixed part of link messages and of a veth peer's description. */
import { i32, pad, u8, u16, u32 } from '#core/codec/index.ts';

/** Interface flags (linux/if.h). */
export const IFF = {
  UP: 0x1,
  LOOPBACK: 0x8,
  RUNNING: 0x40,
  PROMISC: 0x100,
  ALLMULTI: 0x200,
  LOWER_UP: 0x10000,
} as const;

/** The fields of ifinfomsg, to be followed by an `attributes` field. `change` is the mask of flags to set. */
export const linkHeaderFields = {
  family: u8,
  reserved: pad(1),
  deviceType: u16,
  index: i32,
  flags: u32,
  change: u32,
} as const;
