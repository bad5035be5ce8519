/** IFLA_INFO_DATA of kind ipvlan (linux/if_link.h, IFLA_IPVLAN_*). */
import { named, u16 } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

export const ipvlanDetail = attributes({
  mode: attribute(1, named(u16, { l2: 0, l3: 1, l3s: 2 })),
  flags: attribute(2, u16),
});
