/** IFLA_INFO_DATA of kind bridge (linux/if_link.h, IFLA_BR_*). Times are in hundredths of a second. */
import { bytes, mac, u8, u16, u16be, u32 } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

export const bridgeDetail = attributes({
  forwardDelay: attribute(1, u32),
  helloTime: attribute(2, u32),
  maxAge: attribute(3, u32),
  ageingTime: attribute(4, u32),
  stpState: attribute(5, u32),
  priority: attribute(6, u16),
  vlanFiltering: attribute(7, u8),
  vlanProtocol: attribute(8, u16be),
  groupForwardMask: attribute(9, u16),
  rootId: attribute(10, bytes(8)),
  bridgeId: attribute(11, bytes(8)),
  rootPort: attribute(12, u16),
  rootPathCost: attribute(13, u32),
  topologyChange: attribute(14, u8),
  topologyChangeDetected: attribute(15, u8),
  groupAddress: attribute(20, mac),
  multicastRouter: attribute(22, u8),
  multicastSnooping: attribute(23, u8),
  multicastQuerier: attribute(25, u8),
  callIptables: attribute(36, u8),
  callIp6tables: attribute(37, u8),
  callArptables: attribute(38, u8),
  vlanDefaultPvid: attribute(39, u16),
  vlanStats: attribute(41, u8),
  multicastStats: attribute(42, u8),
});
