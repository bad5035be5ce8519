/** IFLA_INFO_DATA of kind vlan (linux/if_link.h, IFLA_VLAN_*); the protocol is an ethertype, big-endian. */
import { struct, u16, u16be, u32 } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

export const VLAN_8021Q = 0x8100;

export const vlanDetail = attributes({
  id: attribute(1, u16),
  flags: attribute(2, struct({ flags: u32, mask: u32 })),
  protocol: attribute(5, u16be),
});
