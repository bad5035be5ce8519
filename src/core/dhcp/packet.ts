/**
 * The fixed part of a DHCP message as it lies on the wire (RFC 2131 section 2), with the option areas as bytes: see option-area.ts for
 * what is in them, message.ts for the whole.
 */
import { bytes, ipOf, rest, struct, u8, u16be, u32be, type ValueOf } from '#core/codec/index.ts';

export const BOOT_REQUEST = 1;
export const BOOT_REPLY = 2;
/** Hardware type of Ethernet (RFC 1700). */
export const ETHERNET = 1;
export const ETHERNET_BYTES = 6;
/** 99.130.83.99, RFC 2131 section 3. */
export const MAGIC_COOKIE = 0x63825363;
export const BROADCAST_FLAG = 0x8000;
/** What every relay and server takes: the minimum of BOOTP (RFC 951, 1542 section 2.1). */
export const MIN_MESSAGE_BYTES = 300;

const address = ipOf(4);

export const packet = struct({
  op: u8,
  hardwareType: u8,
  hardwareLength: u8,
  hops: u8,
  xid: u32be,
  secs: u16be,
  flags: u16be,
  clientAddress: address,
  yourAddress: address,
  nextServer: address,
  relay: address,
  hardwareAddress: bytes(16),
  serverName: bytes(64),
  file: bytes(128),
  cookie: u32be,
  options: rest,
});

export type DhcpPacket = ValueOf<typeof packet>;
