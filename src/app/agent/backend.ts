/** From net-conf.json's `Backend` to what carries packets on this node: a planner of kernel state, and where needed a program beside it. */
import { type IpPrefix, prefixParts } from '#base/ip/index.ts';
import { type KernelState, ownerOf } from '#core/kernel/index.ts';
import type { BackendConfig } from '#core/lease/index.ts';
import {
  type Backend,
  type Carrier,
  hostGwBackend,
  leasesOnly,
  type Underlay,
  vxlanBackend,
} from '#core/overlay/index.ts';
import type { NodeAddresses } from './node-addresses.ts';

export interface Carrying {
  readonly backend: Backend;
  readonly carrier?: Carrier;
}

/** Which of this release's backends carries packets for a configuration; or why none does, which value says so, and what would work. */
export function backendFor(config: BackendConfig, underlay: Underlay): Carrying | string {
  switch (config.type) {
    case 'vxlan':
      return { backend: vxlanBackend(config, underlay) };
    case 'host-gw':
      return { backend: hostGwBackend(config, underlay) };
    case 'alloc':
      return { backend: leasesOnly(config, underlay) };
    case 'extension':
    case 'udp':
    case 'ipip':
    case 'wireguard':
    case 'ipsec':
      return `Backend.Type: "${config.type}" is not carried by this release: this node leases its subnet and keeps it, but attaches no pods and sends no packets; "vxlan" works`;
  }
}

/** The underlay as the kernel has it; `readSysctl` reads below /proc/sys. */
export function underlayOf(
  state: KernelState,
  { link }: NodeAddresses,
  readSysctl: (path: string) => string | undefined,
): Underlay {
  const links = foreignLinks(state);
  return {
    link: link.name,
    mtuBytes: link.mtuBytes ?? 1500,
    prefixes: adjacentPrefixes(state, link.name),
    advertisedLinks: links.filter((name) => heedsAdvertisements(name, readSysctl)),
  };
}

/** What a link reaches without a router: routes of the main table that name no gateway. */
function adjacentPrefixes(state: KernelState, link: string): IpPrefix[] {
  const prefixes: IpPrefix[] = [];
  for (const object of state.values()) {
    if (object.kind !== 'route' || (object.table ?? 254) !== 254 || (object.type ?? 'unicast') !== 'unicast')
      continue;
    const [hop] = object.nextHops;
    const { length, address } = prefixParts(object.dst);
    if (hop?.link === link && hop.via === undefined && length > 0 && !address.startsWith('fe80:'))
      prefixes.push(object.dst);
  }
  return prefixes;
}

/** Links that are not ours: those whose routes are somebody else's affair. */
function foreignLinks(state: KernelState): string[] {
  const links: string[] = [];
  for (const object of state.values()) {
    if (object.kind === 'link' && object.name !== 'lo' && ownerOf(object, state) === undefined)
      links.push(object.name);
  }
  return links;
}

/** Whether router advertisements count on a link now: so it must stay when the node becomes a router. */
function heedsAdvertisements(link: string, readSysctl: (path: string) => string | undefined): boolean {
  const acceptRa = readSysctl(`net/ipv6/conf/${link}/accept_ra`);
  return acceptRa === '2' || (acceptRa === '1' && readSysctl('net/ipv6/conf/all/forwarding') === '0');
}
