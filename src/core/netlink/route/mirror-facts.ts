/** Small questions a mirror asks of messages and objects. */
import type { Link } from '#core/kernel/index.ts';
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
