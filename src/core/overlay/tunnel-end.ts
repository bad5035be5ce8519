/** A node's end of a tunnel in a family, whatever the tunnel is. */
import { firstIp, hostPrefixOf, type IpAddress } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import type { LocalSubnet, Underlay } from './backend.ts';
import { forwarding, unusedSubnet } from './forwarding.ts';
import { nodeRule } from './node-table.ts';

/** The node's own addresses in the underlay, with which its outer packets leave. */
export interface OwnAddresses {
  readonly ipv4?: IpAddress;
  readonly ipv6?: IpAddress;
}

/**
 * The node's address on the tunnel's link, as flannel has it: the first of its subnet; a stop for unused addresses of the subnet; a rule
 * by which pods reach other nodes' own addresses through the tunnel (see vxlan.ts); and forwarding.
 */
export function planTunnelEnd(
  local: LocalSubnet,
  link: string,
  { advertisedLinks }: Underlay,
): KernelObject[] {
  const { family, subnet } = local;
  return [
    { kind: 'address', link, address: hostPrefixOf(firstIp(subnet)), scope: 'global', noDad: true },
    unusedSubnet(subnet),
    nodeRule(local),
    ...forwarding(family, advertisedLinks),
  ];
}
