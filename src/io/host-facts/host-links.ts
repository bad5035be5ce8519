/** The links of the host, its routes, and which links are another network's. An ordinary user may read all of it. */
import { familyOf, type IpFamily, prefixParts } from '#base/ip/index.ts';
import type { HostFacts, HostLink, Remains, VxlanFacts } from '#core/install/index.ts';
import { type KernelState, type Link, ownerOf, type Route } from '#core/kernel/index.ts';
import {
  decodeMessage,
  dumpRequests,
  linkMessage,
  snapshotOf,
  snapshotRequests,
} from '#core/netlink/index.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';

const NAMES: readonly (readonly [RegExp, Remains['of']])[] = [
  [/^flannel(-v6)?[.-]/, 'flannel'],
  [/^cni0$/, 'flannel'],
  [/^(cali[0-9a-f]{11}|vxlan\.calico|wireguard\.cali)$/, 'Calico'],
  [/^(cilium_|lxc[0-9a-f]{8,})/, 'Cilium'],
  [/^weave$/, 'Weave'],
  [/^kube-bridge$/, 'kube-router'],
  [/^antrea-/, 'Antrea'],
];
/** Links whose routes a network of pods put there: flannel's are taken over. */
const POD_LINK = /^(flannel|cni\d|cbr\d)/;
/** RTPROT_BOOT (rtnetlink(7)): what flannel's routes carry, as those of `ip route` do. */
const BOOT_PROTOCOL = 3;
const DEFAULT_ROUTE = /^(0\.0\.0\.0|::)\/0$/;

export type LinkFacts = Pick<HostFacts, 'links' | 'defaultRoutes' | 'foreignRoutes' | 'remains'>;

/** Of the network namespace of the process. */
export function linkFacts(): LinkFacts {
  using socket = NetlinkSocket.open({ protocol: NETLINK_ROUTE });
  const state = snapshotOf(snapshotRequests().flatMap((request) => socket.dump(request, 'dump of the host')));
  const vxlans = vxlanFacts(
    dumpRequests(['link']).flatMap((request) => socket.dump(request, 'dump of links')),
  );
  const objects = [...state.values()];
  const links = objects.filter((object) => object.kind === 'link');
  const routes = objects
    .filter((object) => object.kind === 'route')
    .filter(({ table }) => table === undefined);
  return {
    links: links.map((link) => hostLink(link, state, vxlans.get(link.name))),
    defaultRoutes: defaultRoutes(routes),
    foreignRoutes: foreignRoutes(routes, state),
    remains: links.flatMap((link): Remains[] => {
      if (ownerOf(link, state) !== undefined) return [];
      const of = NAMES.find(([pattern]) => pattern.test(link.name))?.[1];
      return of === undefined ? [] : [{ of, what: `link ${link.name}` }];
    }),
  };
}

function hostLink(link: Link, state: KernelState, vxlan: VxlanFacts | undefined): HostLink {
  const { name, detail, alias } = link;
  const addresses = [...state.values()].flatMap((object) => {
    if (object.kind !== 'address' || object.link !== name || (object.scope ?? 'global') !== 'global')
      return [];
    const { address } = prefixParts(object.address);
    return address.startsWith('fe80:') ? [] : [address];
  });
  return {
    name,
    kind: detail.type === 'other' ? detail.linkKind : detail.type,
    isOurs: ownerOf(link, state) !== undefined,
    isUp: link.up === true,
    mtuBytes: link.mtuBytes ?? 1500,
    addresses,
    ...(alias !== undefined && { alias }),
    ...(vxlan !== undefined && { vxlan }),
  };
}

function defaultRoutes(routes: readonly Route[]): { family: IpFamily; link: string }[] {
  return routes
    .filter(({ dst }) => DEFAULT_ROUTE.test(dst))
    .toSorted((a, b) => (a.metric ?? 0) - (b.metric ?? 0))
    .flatMap(({ dst, nextHops }) => {
      const link = nextHops[0]?.link;
      return link === undefined ? [] : [{ family: familyOf(dst), link }];
    });
}

function foreignRoutes(routes: readonly Route[], state: KernelState): LinkFacts['foreignRoutes'] {
  return routes.flatMap((route) => {
    const link = route.nextHops[0]?.link;
    const isLocal = DEFAULT_ROUTE.test(route.dst) || /^(fe80:|ff00:)/.test(route.dst);
    if (link === undefined || isLocal || ownerOf(route, state) !== undefined || POD_LINK.test(link))
      return [];
    const found = state.get(`link ${link}`);
    if (found !== undefined && ownerOf(found, state) !== undefined) return [];
    const isByHand = route.protocol === BOOT_PROTOCOL && route.nextHops[0]?.via !== undefined;
    return [{ prefix: route.dst, link, isByHand }];
  });
}

/** By name; what core/kernel has no words for included, for the kernel compares it before devices share a socket (VXLAN_F_RCV_FLAGS). */
function vxlanFacts(messages: readonly Uint8Array[]): Map<string, VxlanFacts> {
  const found = new Map<string, VxlanFacts>();
  for (const message of messages) {
    const { name, kind } = decodeMessage(linkMessage, message).payload.attributes;
    if (name === undefined || kind?.kind !== 'vxlan' || kind.data === undefined) continue;
    const data = kind.data as VxlanData;
    const isExternal = data.collectMetadata === 1;
    const isIpv6 = data.local6 !== undefined || data.group6 !== undefined;
    const kinds = [
      data.gbp === true && 'GBP',
      data.gpe === true && 'GPE',
      isExternal && 'external',
      data.remoteChecksumReceive === 1 && 'remote checksums',
      data.udpZeroChecksum6Receive === 1 && 'no checksums in IPv6',
    ].filter((each) => each !== false);
    found.set(name, {
      vni: data.id ?? 0,
      port: data.port ?? 0,
      families: isExternal ? [4, 6] : [isIpv6 ? 6 : 4],
      kinds,
    });
  }
  return found;
}

/** IFLA_INFO_DATA of kind vxlan: the codec chose the shape by the kind, and the type system cannot follow it there. */
interface VxlanData {
  readonly id?: number;
  readonly port?: number;
  readonly local6?: string;
  readonly group6?: string;
  readonly gbp?: boolean;
  readonly gpe?: boolean;
  readonly collectMetadata?: number;
  readonly remoteChecksumReceive?: number;
  readonly udpZeroChecksum6Receive?: number;
}
