/**
 * What a server grants, read from its DHCPACK and checked: nothing in it can be trusted. Times are absolute, in milliseconds since
 * 1970. RFC 2131 section 4.4.5 for T1 and T2, RFC 3442 for which routes count.
 */
import {
  type IpAddress,
  type IpInterface,
  type IpPrefix,
  ipBytes,
  networkOf,
  prefixContains,
} from '#base/ip/index.ts';
import { type DhcpMessage, optionOf } from './message.ts';
import type { DhcpRoute } from './routes.ts';

export interface DhcpLease {
  readonly address: IpInterface;
  readonly serverId: IpAddress;
  /** The first router. */
  readonly router?: IpAddress;
  /** In the order they are to be made. */
  readonly routes: readonly DhcpRoute[];
  readonly nameServers: readonly IpAddress[];
  readonly domain?: string;
  readonly search: readonly string[];
  readonly mtuBytes?: number;
  /** All three are absent from a lease that never ends. */
  readonly renewAtMs?: number;
  readonly rebindAtMs?: number;
  readonly expiresAtMs?: number;
}

/** 0xffffffff seconds are for ever (RFC 2131 section 3.3). */
const FOR_EVER = 0xffffffff;
/** Less is no lease but a way to keep clients busy. */
export const MIN_LEASE_SECONDS = 5;
/** The smallest IPv4 MTU a server may ask for (RFC 2132 section 5.1). */
const MIN_MTU_BYTES = 68;
const NO_ROUTER = '0.0.0.0';

/** The lease of an acknowledgement of a request sent at a time; or what is wrong with it. */
export function leaseOf(ack: DhcpMessage, requestedAtMs: number): DhcpLease | string {
  const { options, yourAddress } = ack;
  if (!isHostAddress(yourAddress)) return `${yourAddress} is not an address for a host`;
  const serverId = optionOf(options, 'serverId');
  if (serverId === undefined) return 'the server does not name itself (option 54)';
  const mask = optionOf(options, 'subnetMask');
  if (mask === undefined) return 'there is no subnet mask (option 1)';
  const length = maskLength(mask);
  if (length === undefined) return `${mask} is not a subnet mask`;
  const times = timesOf(ack, requestedAtMs);
  if (typeof times === 'string') return times;
  const router = optionOf(options, 'routers')?.[0];
  const usable = router !== undefined && isHostAddress(router) ? router : undefined;
  const domain = optionOf(options, 'domainName');
  const mtu = optionOf(options, 'interfaceMtu');
  return {
    address: `${yourAddress}/${length}`,
    serverId,
    ...(usable !== undefined && { router: usable }),
    routes: routesOf(ack, usable),
    nameServers: (optionOf(options, 'nameServers') ?? []).filter(isHostAddress),
    // It ends up in a resolv.conf: nothing but a name.
    ...(domain !== undefined && /^[a-zA-Z0-9._-]+$/.test(domain) && { domain }),
    search: optionOf(options, 'domainSearch') ?? [],
    ...(mtu !== undefined && mtu >= MIN_MTU_BYTES && { mtuBytes: mtu }),
    ...times,
  };
}

/** The address alone. */
export function leasedAddress({ address }: DhcpLease): IpAddress {
  return address.slice(0, address.indexOf('/'));
}

type Times = Pick<DhcpLease, 'renewAtMs' | 'rebindAtMs' | 'expiresAtMs'>;

// RFC 2131 section 4.4.1: the lease runs from when the request was sent. T1 < T2 < the end, or they are 0.5 and 0.875 of it.
function timesOf({ options }: DhcpMessage, requestedAtMs: number): Times | string {
  const seconds = optionOf(options, 'leaseTime');
  if (seconds === undefined) return 'there is no lease time (option 51)';
  if (seconds === FOR_EVER) return {};
  if (seconds < MIN_LEASE_SECONDS) return `a lease of ${seconds} s`;
  const t1 = optionOf(options, 'renewalTime') ?? seconds * 0.5;
  const t2 = optionOf(options, 'rebindingTime') ?? seconds * 0.875;
  const isOrdered = t1 > 0 && t1 < t2 && t2 < seconds;
  return {
    renewAtMs: requestedAtMs + Math.round((isOrdered ? t1 : seconds * 0.5) * 1000),
    rebindAtMs: requestedAtMs + Math.round((isOrdered ? t2 : seconds * 0.875) * 1000),
    expiresAtMs: requestedAtMs + seconds * 1000,
  };
}

// RFC 3442: where there are classless routes, the static ones and the routers do not count.
function routesOf({ options }: DhcpMessage, router: IpAddress | undefined): DhcpRoute[] {
  const classless = optionOf(options, 'classlessRoutes');
  if (classless !== undefined && classless.length > 0)
    return classless.filter((route) => route.router === NO_ROUTER || isHostAddress(route.router));
  const routes: DhcpRoute[] = [];
  for (const route of optionOf(options, 'staticRoutes') ?? []) {
    const destination = classfulPrefix(route.destination);
    if (destination !== undefined && isHostAddress(route.router))
      routes.push({ destination, router: route.router });
  }
  if (router !== undefined) routes.push({ destination: '0.0.0.0/0', router });
  return routes;
}

/** RFC 2132 section 5.8 gives no masks: those of the address classes. The default route is not allowed there. */
function classfulPrefix(address: IpAddress): IpPrefix | undefined {
  const [first = 0] = ipBytes(address);
  if (first === 0 || first >= 224) return undefined;
  return networkOf(`${address}/${first < 128 ? 8 : first < 192 ? 16 : 24}`);
}

function maskLength(mask: IpAddress): number | undefined {
  const bits = [...ipBytes(mask)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return /^1+0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined;
}

/** A unicast address that is not of this host itself. */
function isHostAddress(address: IpAddress): boolean {
  return !['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'].some((range) => prefixContains(range, address));
}
