/**
 * flannel's ipip backend as desired kernel state (RFC 2003, RFC 2473), and its counterpart for IPv6, which flannel does not have. One
 * device per family and for each remote subnet a route, whose next hop says where outer packets go: in IPv4 an onlink gateway, as
 * flannel has it; in IPv6, where a gateway must lie on the route's own link, an encapsulation (ip6tnl in external mode). With
 * DirectRouting, packets to nodes without a router in between go there as they are.
 */
import { familyOf, hostPrefixOf, type IpAddress, type IpFamily } from '#base/ip/index.ts';
import { type KernelObject, type Link, type NextHop, OVERLAY, type Route } from '#core/kernel/index.ts';
import type { IpipConfig } from '#core/lease/index.ts';
import type { Backend, LocalSubnet, RemoteSubnet, Underlay } from './backend.ts';
import { ipipTable } from './ipip-guard.ts';
import { podMtuBytes } from './mtu.ts';
import { NODE_TABLE } from './node-table.ts';
import { spreadScope } from './route-scope.ts';
import { type OwnAddresses, planTunnelEnd } from './tunnel-end.ts';
import { directRoute, isAdjacent } from './underlay-route.ts';
import { peerElement } from './vxlan-guard.ts';

/** flannel's name, and one like it. */
const LINK_NAMES = { 4: 'flannel.ipip', 6: 'flannel-v6.ipip' } as const;
/** An outer IP header. */
const OVERHEAD_BYTES = { 4: 20, 6: 40 } as const;
/** Of outer packets (RFC 2003 section 3.1: the usual one), so that what pods do with theirs ends nothing between nodes. */
const HOP_LIMIT = 64;

/** `own.ipv6` is needed where the network has IPv6: the peers know the node by it. */
export function ipipBackend(config: IpipConfig, underlay: Underlay, own: OwnAddresses): Backend {
  return {
    type: 'ipip',
    podMtuBytes: (families) => podMtuBytes(underlay.mtuBytes, families, (family) => OVERHEAD_BYTES[family]),
    offer: () => undefined,
    planLocal: (locals) => planLocal(locals, underlay),
    planRemote: (remote) => planRemote(remote, config, underlay, own),
    probedLinks: () => [],
  };
}

function planLocal(locals: readonly LocalSubnet[], underlay: Underlay): KernelObject[] {
  const guarded = locals.map(({ family, localIp, publicIp }) =>
    family === 4 ? { family, local: localIp ?? publicIp } : { family },
  );
  return [
    ...locals.flatMap((local) => [
      device(local, underlay),
      ...planTunnelEnd(local, LINK_NAMES[local.family], underlay),
    ]),
    ...ipipTable(guarded, underlay.link),
  ];
}

function device({ family, localIp, publicIp }: LocalSubnet, underlay: Underlay): Link {
  return {
    kind: 'link',
    name: LINK_NAMES[family],
    detail:
      family === 4
        ? { type: 'ipip', local: localIp ?? publicIp, ttl: HOP_LIMIT }
        : { type: 'ip6tnl', external: true },
    mtuBytes: underlay.mtuBytes - OVERHEAD_BYTES[family],
    up: true,
    alias: OVERLAY.alias,
    addressGeneration: 'none',
  };
}

function planRemote(
  remote: RemoteSubnet,
  { directRouting }: IpipConfig,
  underlay: Underlay,
  own: OwnAddresses,
): KernelObject[] | string {
  const { family, subnet, publicIp } = remote;
  if (familyOf(publicIp) !== family) return `its public address ${publicIp} is not IPv${family}`;
  const { protocol } = OVERLAY;
  // Its packets may come through the tunnel all the same: it may see the way between the two otherwise.
  const known = peerElement(family, publicIp);
  if (directRouting && isAdjacent(underlay, publicIp)) return [directRoute(remote, underlay), known];
  const nextHops = [throughTunnel(family, publicIp, own)];
  return [
    spread({ kind: 'route', dst: subnet, nextHops, protocol }),
    spread({ kind: 'route', dst: hostPrefixOf(publicIp), table: NODE_TABLE, nextHops, protocol }),
    known,
  ];
}

function throughTunnel(family: IpFamily, publicIp: IpAddress, { ipv6 }: OwnAddresses): NextHop {
  const link = LINK_NAMES[family];
  if (family === 4) return { via: publicIp, link, onlink: true };
  return { link, encap: { dst: publicIp, ...(ipv6 !== undefined && { src: ipv6 }), hopLimit: HOP_LIMIT } };
}

/** See route-scope.ts; IPv6 has no scopes, and no chain that would want them. */
function spread(route: Route): Route {
  return familyOf(route.dst) === 6 ? route : { ...route, scope: spreadScope(route.dst) };
}
