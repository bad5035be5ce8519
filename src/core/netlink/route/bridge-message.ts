/**
 * Link messages of family AF_BRIDGE (linux/if_bridge.h, IFLA_BRIDGE_*): a bridge tells of one of its ports, or of itself, that options or
 * VLANs changed, and lets its VLANs be changed. Not links of their own.
 */
import { struct, u16, u32, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributes, nest, repeatedAttribute } from '../attribute.ts';
import { kernelText } from './kernel-text.ts';
import { linkHeaderFields } from './link-header.ts';
import { bridgePort } from './link-kinds/bridge-port.ts';

/** IFLA_EXT_MASK: VLANs that follow each other come as ranges. */
export const RTEXT_FILTER_BRVLAN_COMPRESSED = 1 << 2;

/** IFLA_BRIDGE_FLAGS: whether the bridge of a port is meant, or the device itself. */
export const BRIDGE_FLAGS = { MASTER: 1, SELF: 2 } as const;

/** struct bridge_vlan_info. */
export const BRIDGE_VLAN_INFO = { PVID: 2, UNTAGGED: 4, RANGE_BEGIN: 8, RANGE_END: 16 } as const;

const vlanInfo = struct({ flags: u16, id: u16 });
export type VlanInfo = ValueOf<typeof vlanInfo>;

export const bridgeMessage = struct({
  ...linkHeaderFields,
  attributes: attributes({
    name: attribute(3, kernelText),
    master: attribute(10, u32),
    port: nest(12, bridgePort),
    bridge: nest(
      26,
      attributes({
        flags: attribute(0, u16),
        mode: attribute(1, u16),
        vlans: repeatedAttribute(2, vlanInfo),
      }),
    ),
    extensions: attribute(29, u32),
  }),
});
