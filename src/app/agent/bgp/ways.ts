/** How packets of BGP's routes get on their way on this node. */
import { type IpAddress, isLinkLocal } from '#base/ip/index.ts';
import type { NeighborConfig } from '#core/bgp/speaker/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';

/** A next hop that is not looked for: what is ours has no address, and what is on a link is known with it. */
export function hasNoWay(nextHop: IpAddress): boolean {
  return nextHop === '0.0.0.0' || nextHop === '::' || isLinkLocal(nextHop);
}

/** Where no overlay does it: packets of pods are forwarded, in the families that are spoken. */
export function forwarding(neighbors: readonly NeighborConfig[]): KernelObject[] {
  const hasIpv6 = neighbors.some(({ session }) => session.families.some(({ family }) => family === 6));
  return [
    { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' },
    ...(hasIpv6 ? [{ kind: 'sysctl', path: 'net/ipv6/conf/all/forwarding', value: '1' } as const] : []),
  ];
}
