/** IFLA_INFO_DATA of kind vrf (linux/if_link.h, IFLA_VRF_*). */
import { u32 } from '#core/codec/index.ts';
import { attribute, attributes } from '../../attribute.ts';

export const vrfDetail = attributes({ table: attribute(1, u32) });
