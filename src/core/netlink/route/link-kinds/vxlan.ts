/** IFLA_INFO_DATA of kind vxlan (linux/if_link.h, IFLA_VXLAN_*; RFC 7348). Ports are big-endian, all else in host order. */
import { flag, ipOf, struct, u8, u16be, u32, u32be } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

export const vxlanDetail = attributes({
  id: attribute(1, u32),
  group: attribute(2, ipOf(4)),
  link: attribute(3, u32),
  local: attribute(4, ipOf(4)),
  ttl: attribute(5, u8),
  tos: attribute(6, u8),
  learning: attribute(7, u8),
  ageing: attribute(8, u32),
  limit: attribute(9, u32),
  portRange: attribute(10, struct({ low: u16be, high: u16be })),
  proxy: attribute(11, u8),
  rsc: attribute(12, u8),
  l2miss: attribute(13, u8),
  l3miss: attribute(14, u8),
  port: attribute(15, u16be),
  group6: attribute(16, ipOf(6)),
  local6: attribute(17, ipOf(6)),
  udpChecksum: attribute(18, u8),
  udpZeroChecksum6Transmit: attribute(19, u8),
  udpZeroChecksum6Receive: attribute(20, u8),
  remoteChecksumTransmit: attribute(21, u8),
  remoteChecksumReceive: attribute(22, u8),
  gbp: attribute(23, flag),
  collectMetadata: attribute(25, u8),
  label: attribute(26, u32be),
  gpe: attribute(27, flag),
  ttlInherit: attribute(28, u8),
  dontFragment: attribute(29, u8),
});
