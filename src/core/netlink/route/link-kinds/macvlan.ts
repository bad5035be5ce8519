/** IFLA_INFO_DATA of kind macvlan (linux/if_link.h, IFLA_MACVLAN_*). */
import { named, u16, u32 } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

export const macvlanDetail = attributes({
  mode: attribute(1, named(u32, { private: 1, vepa: 2, bridge: 4, passthru: 8, source: 16 })),
  flags: attribute(2, u16),
  broadcastQueueLength: attribute(7, u32),
  broadcastQueueLengthUsed: attribute(8, u32),
});
