/** IFLA_INFO_DATA of kind wireguard: it has none of its own; see core/netlink/generic/wireguard.ts. */
import { attributes } from '../../attribute.ts';

export const wireguardDetail = attributes({});
