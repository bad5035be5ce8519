/** What every backend's node needs, whatever carries the packets: it forwards, and refuses what no pod of its subnet has. */
import type { IpFamily, IpPrefix } from '#base/ip/index.ts';
import { type KernelObject, OVERLAY } from '#core/kernel/index.ts';

/** Only what no pod and no bridge claims gets here: an unused address of the local subnet is refused, not sent away. */
const UNUSED_METRIC = 65_000;

/** Packets are forwarded; `advertisedLinks` go on heeding router advertisements, which forwarding would end. */
export function forwarding(family: IpFamily, advertisedLinks: readonly string[] = []): KernelObject[] {
  if (family === 4) return [{ kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' }];
  return [
    // First, so that no advertisement is missed in between. 2: accept them though forwarding.
    ...advertisedLinks.map(
      (link) => ({ kind: 'sysctl', path: `net/ipv6/conf/${link}/accept_ra`, value: '2' }) as const,
    ),
    { kind: 'sysctl', path: 'net/ipv6/conf/all/forwarding', value: '1' },
  ];
}

export function unusedSubnet(subnet: IpPrefix): KernelObject {
  const { protocol } = OVERLAY;
  return { kind: 'route', dst: subnet, type: 'unreachable', nextHops: [], metric: UNUSED_METRIC, protocol };
}
