/** IFLA_INFO_DATA of kind veth (linux/veth.h): the peer, used on creation only. Its ifinfomsg must not carry IFF_UP (ENOTCONN). */
import { struct, u32 } from '#core/codec/index.ts';
import { attribute, attributes, nest } from '../../attribute.ts';
import { kernelText } from '../kernel-text.ts';
import { linkHeaderFields } from '../link-header.ts';
import { linkLayerAddress } from '../link-layer-address.ts';

const vethPeer = struct({
  ...linkHeaderFields,
  attributes: attributes({
    address: attribute(1, linkLayerAddress),
    name: attribute(3, kernelText),
    mtu: attribute(4, u32),
    netnsPid: attribute(19, u32),
    netnsFd: attribute(28, u32),
  }),
});

export const vethDetail = attributes({ peer: nest(1, vethPeer) });
