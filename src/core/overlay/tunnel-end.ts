/** What a node has in a family whatever tunnel it is that carries its packets, and what backends ask of the underlay. */
import { firstIp, hostPrefixOf, type IpAddress, type IpFamily, prefixContains } from '#base/ip/index.ts';
import { type KernelObject, OVERLAY } from '#core/kernel/index.ts';
import type { LocalSubnet, Underlay } from './backend.ts';
import { NODE_TABLE } from './vxlan.ts';

/** The node's own addresses in the underlay, with which its outer packets leave. */
export interface OwnAddresses {
  readonly ipv4?: IpAddress;
  readonly ipv6?: IpAddress;
}

const NODE_RULE_PRIORITY = 10_112;
/** Only what no pod and no bridge claims gets here: an unused address of the local subnet is refused, not sent away. */
export const UNUSED_METRIC = 65_000;
/** RFC 8200 section 5: the least MTU of a link that carries IPv6. */
const IPV6_MIN_MTU_BYTES = 1280;

/**
 * The node's address on the tunnel's link, as flannel has it: the first of its subnet; a stop for unused addresses of the subnet; a rule
 * by which pods reach other nodes' own addresses through the tunnel (see vxlan.ts); and forwarding.
 */
export function planTunnelEnd(local: LocalSubnet, link: string, underlay: Underlay): KernelObject[] {
  const { family, subnet } = local;
  const { protocol } = OVERLAY;
  return [
    { kind: 'address', link, address: hostPrefixOf(firstIp(subnet)), scope: 'global', noDad: true },
    { kind: 'route', dst: subnet, type: 'unreachable', nextHops: [], metric: UNUSED_METRIC, protocol },
    { kind: 'rule', family, priority: NODE_RULE_PRIORITY, from: subnet, table: NODE_TABLE, protocol },
    ...planForwarding(family, underlay),
  ];
}

function planForwarding(family: IpFamily, { advertisedLinks }: Underlay): KernelObject[] {
  if (family === 4) return [{ kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' }];
  return [
    // First, so that no advertisement is missed in between. 2: accept them though forwarding.
    ...advertisedLinks.map(
      (link) => ({ kind: 'sysctl', path: `net/ipv6/conf/${link}/accept_ra`, value: '2' }) as const,
    ),
    { kind: 'sysctl', path: 'net/ipv6/conf/all/forwarding', value: '1' },
  ];
}

/** True if an address is reached without a router. */
export function isAdjacent({ prefixes }: Underlay, address: IpAddress): boolean {
  return prefixes.some((prefix) => prefixContains(prefix, address));
}

/** What an underlay's MTU leaves beside so many bytes of encapsulation. Throws RangeError where that is too little for IPv6. */
export function innerMtuBytes(
  underlayMtuBytes: number,
  overheadBytes: number,
  families: readonly IpFamily[],
): number {
  const mtuBytes = underlayMtuBytes - overheadBytes;
  if (families.includes(6) && mtuBytes < IPV6_MIN_MTU_BYTES) {
    throw new RangeError(
      `an underlay MTU of ${underlayMtuBytes} bytes leaves ${mtuBytes} for pods, and IPv6 needs ${IPV6_MIN_MTU_BYTES}: ` +
        `raise it to ${IPV6_MIN_MTU_BYTES + overheadBytes}, or leave IPv6 out of the network`,
    );
  }
  return mtuBytes;
}
