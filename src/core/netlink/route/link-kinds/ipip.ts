/** IFLA_INFO_DATA of kind ipip (linux/if_tunnel.h, IFLA_IPTUN_*; RFC 2003). */
import { flag, ipOf, u8, u16, u16be, u32 } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

export const ipipDetail = attributes({
  link: attribute(1, u32),
  local: attribute(2, ipOf(4)),
  remote: attribute(3, ipOf(4)),
  ttl: attribute(4, u8),
  tos: attribute(5, u8),
  innerProtocol: attribute(9, u8),
  pathMtuDiscovery: attribute(10, u8),
  encapsulationType: attribute(15, u16),
  encapsulationFlags: attribute(16, u16),
  encapsulationSourcePort: attribute(17, u16be),
  encapsulationDestinationPort: attribute(18, u16be),
  collectMetadata: attribute(19, flag),
  mark: attribute(20, u32),
});
