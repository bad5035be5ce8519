/** Small questions a mirror asks of messages and objects. */
import { familyOf } from '#base/ip/index.ts';
import type { Link } from '#core/kernel/index.ts';
import type { LinkRecord } from './link-table.ts';
import { NEIGHBOUR_STATES } from './neighbour.ts';
import { AF } from './scope.ts';

/** The VLAN that a bridge puts its ports into. */
export function defaultPvidOf({ detail }: Link): number | undefined {
  return detail.type === 'bridge' ? detail.vlanDefaultPvid : undefined;
}

/** RFC 8200 section 5: a link of less than 1280 bytes carries no IPv6. */
export function carriesIpv6(link: Link): boolean {
  return link.mtuBytes === undefined || link.mtuBytes >= 1280;
}

/** True for IPv4 and IPv6, which have addresses, routes and rules. */
export function isIp(family: number | undefined): boolean {
  return family === AF.INET || family === AF.INET6;
}

/** True for neighbours that only their maker removes. */
export function isPermanent(state: string | number): boolean {
  return state === 'permanent' || (typeof state === 'number' && (state & NEIGHBOUR_STATES.permanent) !== 0);
}

/** True if an IPv4 address lies on the link. */
export function hasIpv4Address(record: LinkRecord): boolean {
  for (const key of record.dependents) {
    if (key.startsWith('address ') && familyOf(key) === 4) return true;
  }
  return false;
}
