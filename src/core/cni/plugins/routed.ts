/** What the host needs to route to a pod over a pair of its own, whichever plugin made it: forwarding, settings of the link, a route. */
import { familyOf, hostPrefixOf, type IpAddress, type IpFamily } from '#base/ip/index.ts';
import { CNI, type Route, type Sysctl } from '#core/kernel/index.ts';

/** `LINK` in a path stands for the link's name. */
export type SysctlValue = readonly [path: string, value: string];

const IPV4_SYSCTLS: readonly SysctlValue[] = [
  ['net/ipv4/conf/LINK/forwarding', '1'],
  // A pod can send from its own address only.
  ['net/ipv4/conf/LINK/rp_filter', '1'],
];
/** Whatever families the pod has, it does not get to tell the host its routes and addresses (CVE-2020-10749). */
const NO_AUTOCONFIGURATION: readonly SysctlValue[] = [
  ['net/ipv6/conf/LINK/accept_ra', '0'],
  ['net/ipv6/conf/LINK/autoconf', '0'],
];
const IPV6_SYSCTLS: readonly SysctlValue[] = [
  ['net/ipv6/conf/LINK/disable_ipv6', '0'],
  ['net/ipv6/conf/LINK/forwarding', '1'],
  ['net/ipv6/conf/LINK/accept_dad', '0'],
];
const NO_IPV6: readonly SysctlValue[] = [['net/ipv6/conf/LINK/disable_ipv6', '1']];

/** Settings of the host's end of a pair that has these families; none of IPv6 where the kernel has none. */
export function routedLinkSysctls(
  link: string,
  families: readonly IpFamily[],
  kernelHasIpv6: boolean,
): Sysctl[] {
  return linkSysctls(link, [
    ...(families.includes(4) ? IPV4_SYSCTLS : []),
    ...(kernelHasIpv6 ? NO_AUTOCONFIGURATION : []),
    ...(families.includes(6) ? IPV6_SYSCTLS : kernelHasIpv6 ? NO_IPV6 : []),
  ]);
}

export function linkSysctls(link: string, values: readonly SysctlValue[]): Sysctl[] {
  return values.map(([path, value]) => ({ kind: 'sysctl', path: path.replace('LINK', link), value }));
}

/** The host forwards packets of a family. */
export function forwarding(family: IpFamily): Sysctl {
  const path = family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding';
  return { kind: 'sysctl', path, value: '1' };
}

/** The host's route to one address of a pod. */
export function routeToPod(address: IpAddress, link: string, preferredSource?: IpAddress): Route {
  return {
    kind: 'route',
    dst: hostPrefixOf(address),
    nextHops: [{ link }],
    ...(preferredSource !== undefined && { preferredSource }),
    ...(familyOf(address) === 4 && { scope: 'link' }),
    protocol: CNI.protocol,
  };
}
