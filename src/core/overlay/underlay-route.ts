/** Routes to other nodes' subnets over the network the nodes have without Poplin: for host-gw, and for DirectRouting. */
import { hostPrefixOf, type IpAddress, prefixContains } from '#base/ip/index.ts';
import { type KernelObject, OVERLAY } from '#core/kernel/index.ts';
import type { RemoteSubnet, Underlay } from './backend.ts';

/** True if an address is reached without a router. */
export function isAdjacent({ prefixes }: Underlay, address: IpAddress): boolean {
  return prefixes.some((prefix) => prefixContains(prefix, hostPrefixOf(address)));
}

/** The route to a subnet whose node is adjacent. */
export function directRoute({ subnet, publicIp }: RemoteSubnet, { link }: Underlay): KernelObject {
  return { kind: 'route', dst: subnet, nextHops: [{ via: publicIp, link }], protocol: OVERLAY.protocol };
}
