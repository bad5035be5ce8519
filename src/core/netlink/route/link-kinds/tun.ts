/** IFLA_INFO_DATA of kind tun (linux/if_link.h, IFLA_TUN_*). Read only: such links are made by ioctl (io/kernel/tun-device.ts). */
import { named, u8, u32 } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

export const tunDetail = attributes({
  owner: attribute(1, u32),
  group: attribute(2, u32),
  mode: attribute(3, named(u8, { tun: 1, tap: 2 })),
  packetInformation: attribute(4, u8),
  virtioHeader: attribute(5, u8),
  persistent: attribute(6, u8),
  multiQueue: attribute(7, u8),
  queues: attribute(8, u32),
  disabledQueues: attribute(9, u32),
});
