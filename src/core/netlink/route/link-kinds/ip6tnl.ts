/** IFLA_INFO_DATA of kind ip6tnl (linux/if_tunnel.h, IFLA_IPTUN_*; RFC 2473). */
import { flag, ipOf, u8, u16, u16be, u32, u32be } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

/** IPPROTO_IPV6 as `innerProtocol`: IPv6 and nothing else goes through. */
export const INNER_IPV6 = 41;

export const ip6tnlDetail = attributes({
  link: attribute(1, u32),
  local: attribute(2, ipOf(6)),
  remote: attribute(3, ipOf(6)),
  hopLimit: attribute(4, u8),
  encapsulationLimit: attribute(6, u8),
  flowInfo: attribute(7, u32be),
  flags: attribute(8, u32),
  innerProtocol: attribute(9, u8),
  encapsulationType: attribute(15, u16),
  encapsulationFlags: attribute(16, u16),
  encapsulationSourcePort: attribute(17, u16be),
  encapsulationDestinationPort: attribute(18, u16be),
  collectMetadata: attribute(19, flag),
  mark: attribute(20, u32),
});
