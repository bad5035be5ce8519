/** IFLA_INFO_SLAVE_DATA of a bridge port (linux/if_link.h, IFLA_BRPORT_*). */
import { bytes, u8, u16, u32 } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

export const bridgePortRows = {
  state: attribute(1, u8),
  priority: attribute(2, u16),
  cost: attribute(3, u32),
  hairpin: attribute(4, u8),
  guard: attribute(5, u8),
  protect: attribute(6, u8),
  fastLeave: attribute(7, u8),
  learning: attribute(8, u8),
  unicastFlood: attribute(9, u8),
  proxyArp: attribute(10, u8),
  proxyArpWifi: attribute(12, u8),
  rootId: attribute(13, bytes(8)),
  bridgeId: attribute(14, bytes(8)),
  designatedPort: attribute(15, u16),
  designatedCost: attribute(16, u16),
  portId: attribute(17, u16),
  portNumber: attribute(18, u16),
  multicastRouter: attribute(25, u8),
  multicastFlood: attribute(27, u8),
  multicastToUnicast: attribute(28, u8),
  vlanTunnel: attribute(29, u8),
  broadcastFlood: attribute(30, u8),
  groupForwardMask: attribute(31, u16),
  neighbourSuppress: attribute(32, u8),
  isolated: attribute(33, u8),
  backupPort: attribute(34, u32),
  locked: attribute(39, u8),
} as const;

export const bridgePort = attributes(bridgePortRows);
