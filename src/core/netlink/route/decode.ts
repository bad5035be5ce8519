/**
 * From decoded messages to the vocabulary. Names of other links are given by the caller; where one is not known, the field is
 * left out (for the parent of a macvlan in another namespace: empty).
 */
import { formatIp, type IpAddress, type IpFamily } from '#base/ip/index.ts';
import type { ValueOf } from '#core/codec/index.ts';
import {
  type Address,
  type FdbEntry,
  type Link,
  type LinkDetail,
  MAIN_TABLE,
  type Neighbour,
  type NextHop,
  type Route,
  type Rule,
} from '#core/kernel/index.ts';
import { decodeMessage } from '../message.ts';
import { type AddressMessage, IFA_F } from './address.ts';
import { type SeenLinkMessage, seenLinkMessage } from './link.ts';
import { IFF } from './link-header.ts';
import type { bridgeDetail } from './link-kinds/bridge.ts';
import { INNER_IPV6, type ip6tnlDetail } from './link-kinds/ip6tnl.ts';
import type { ipipDetail } from './link-kinds/ipip.ts';
import type { ipvlanDetail } from './link-kinds/ipvlan.ts';
import type { macvlanDetail } from './link-kinds/macvlan.ts';
import type { tunDetail } from './link-kinds/tun.ts';
import { VLAN_8021Q, type vlanDetail } from './link-kinds/vlan.ts';
import type { vrfDetail } from './link-kinds/vrf.ts';
import type { vxlanDetail } from './link-kinds/vxlan.ts';
import type { NeighbourMessage } from './neighbour.ts';
import { type NextHopRecord, RTNH_F } from './next-hop.ts';
import type { RouteMessage } from './route.ts';
import type { RuleMessage } from './rule.ts';
import { AF } from './scope.ts';
import { encapField } from './tunnel-encap.ts';

/** Name by ifindex. */
export type NameOf = (index: number) => string | undefined;

/** IPv4 or IPv6; undefined for other families. */
export function familyOfAf(family: number): IpFamily | undefined {
  return family === AF.INET ? 4 : family === AF.INET6 ? 6 : undefined;
}

/** The link an RTM_NEWLINK message tells of, with its ifindex. Throws DecodeError. */
export function decodeLink(
  message: Uint8Array,
  nameOf: NameOf = () => undefined,
): Link & { readonly index: number } {
  const { payload } = decodeMessage(seenLinkMessage, message);
  return { ...linkOf(payload, nameOf), index: payload.index };
}

/** The numbers of the links that a link's description names; 0 where there is none. */
export interface LinkReferences {
  readonly master: number;
  readonly lower: number;
}

/** The indexes of the links that a link refers to; 0 for none, and for links of other namespaces. */
export function referencesOf({ attributes }: SeenLinkMessage): LinkReferences {
  // With IFLA_LINK_NETNSID the number in IFLA_LINK belongs to another namespace.
  const parent = attributes.linkNetnsId === undefined ? (attributes.link ?? 0) : 0;
  const data = attributes.kind?.kind === 'vxlan' ? dataOf(attributes, 'vxlan') : undefined;
  return {
    master: attributes.master ?? 0,
    lower: data === undefined ? parent : attributes.linkNetnsId === undefined ? (data.link ?? 0) : 0,
  };
}

/** The link of a message; links it refers to are named by `nameOf`. */
export function linkOf(message: SeenLinkMessage, nameOf: NameOf): Link {
  const { attributes, flags } = message;
  const { master, lower } = referencesOf(message);
  const mode = attributes.addressFamilies?.inet6?.addressGeneration;
  const port = attributes.kind?.slaveKind === 'bridge' ? slaveDataOf(attributes.kind.slaveData) : undefined;
  const link: Link = {
    kind: 'link',
    name: attributes.name ?? '',
    detail: detailOf(attributes, nameOf(lower)),
    up: (flags & IFF.UP) !== 0,
    promiscuous: (flags & IFF.PROMISC) !== 0,
    allMulticast: (flags & IFF.ALLMULTI) !== 0,
    ...(attributes.transmitQueueLength === undefined
      ? {}
      : { transmitQueueLength: attributes.transmitQueueLength }),
    ...(attributes.mtu === undefined ? {} : { mtuBytes: attributes.mtu }),
    ...(attributes.address?.length === 17 ? { mac: attributes.address } : {}),
    ...masterField(master, nameOf),
    ...(attributes.alias ? { alias: attributes.alias } : {}),
    ...(mode === 'eui64' || mode === 'none' ? { addressGeneration: mode } : {}),
    ...(port?.hairpin === undefined ? {} : { hairpin: port.hairpin !== 0 }),
    ...(port?.isolated === undefined ? {} : { isolated: port.isolated !== 0 }),
  };
  return link;
}

/** The link again, after a name it refers to became known or changed. */
export function renameReferences(link: Link, references: LinkReferences, nameOf: NameOf): Link {
  const { master: _, ...rest } = link;
  const lower = references.lower === 0 ? undefined : nameOf(references.lower);
  let detail = link.detail;
  if (detail.type === 'macvlan' || detail.type === 'ipvlan' || detail.type === 'vlan')
    detail = { ...detail, parent: lower ?? '' };
  else if (detail.type === 'vxlan' && lower !== undefined) detail = { ...detail, underlay: lower };
  return { ...rest, detail, ...masterField(references.master, nameOf) };
}

function masterField(index: number, nameOf: NameOf): { master?: string } {
  const master = index === 0 ? '' : nameOf(index);
  return master === undefined ? {} : { master };
}

type LinkAttributes = SeenLinkMessage['attributes'];
type SlaveData = NonNullable<NonNullable<LinkAttributes['kind']>['slaveData']>;

interface DataByKind {
  readonly bridge: ValueOf<typeof bridgeDetail>;
  readonly vxlan: ValueOf<typeof vxlanDetail>;
  readonly macvlan: ValueOf<typeof macvlanDetail>;
  readonly ipvlan: ValueOf<typeof ipvlanDetail>;
  readonly vlan: ValueOf<typeof vlanDetail>;
  readonly vrf: ValueOf<typeof vrfDetail>;
  readonly tun: ValueOf<typeof tunDetail>;
  readonly ipip: ValueOf<typeof ipipDetail>;
  readonly ip6tnl: ValueOf<typeof ip6tnlDetail>;
}

/** The codec chose the shape by the kind; the type system cannot follow it there. */
function dataOf<K extends keyof DataByKind>(attributes: LinkAttributes, _kind: K): DataByKind[K] {
  return (attributes.kind?.data ?? {}) as DataByKind[K];
}

function slaveDataOf(data: SlaveData | undefined): { hairpin?: number; isolated?: number } | undefined {
  return data instanceof Uint8Array ? undefined : data;
}

/** Links that are all alike. */
const PLAIN_DETAILS: Readonly<Record<string, LinkDetail>> = {
  veth: { type: 'veth' },
  dummy: { type: 'dummy' },
  ifb: { type: 'ifb' },
  wireguard: { type: 'wireguard' },
};

/** A link that stands on another; undefined for settings this vocabulary has no words for. */
function stackedDetailOf(
  attributes: LinkAttributes,
  kind: 'macvlan' | 'ipvlan' | 'vlan',
  parent: string,
): LinkDetail | undefined {
  switch (kind) {
    case 'macvlan': {
      const { mode, broadcastQueueLength } = dataOf(attributes, kind);
      if (mode !== 'bridge' && mode !== 'private' && mode !== 'vepa' && mode !== 'passthru') return undefined;
      const queue = broadcastQueueLength === undefined ? {} : { broadcastQueueLength };
      return { type: 'macvlan', parent, mode, ...queue };
    }
    case 'ipvlan': {
      const { mode } = dataOf(attributes, kind);
      return mode === 'l2' || mode === 'l3' || mode === 'l3s' ? { type: 'ipvlan', parent, mode } : undefined;
    }
    case 'vlan': {
      const { id = 0, protocol = VLAN_8021Q } = dataOf(attributes, kind);
      return protocol === VLAN_8021Q ? { type: 'vlan', parent, id } : undefined;
    }
  }
}

function bridgeDetailOf(data: DataByKind['bridge']): LinkDetail {
  return {
    type: 'bridge',
    vlanFiltering: data.vlanFiltering === 1,
    ...(data.vlanDefaultPvid === undefined ? {} : { vlanDefaultPvid: data.vlanDefaultPvid }),
    // 2 is BR_USER_STP: switched on, and run by a daemon
    stp: (data.stpState ?? 0) !== 0,
    multicastSnooping: data.multicastSnooping === 1,
  };
}

/** A tunnel of IP packets; undefined for one this vocabulary has no words for. */
function tunnelDetailOf(attributes: LinkAttributes, kind: 'ipip' | 'ip6tnl'): LinkDetail | undefined {
  if (kind === 'ipip') {
    const { local, ttl } = dataOf(attributes, kind);
    return { type: 'ipip', ...(local === undefined ? {} : { local }), ...(ttl === undefined ? {} : { ttl }) };
  }
  const { innerProtocol, collectMetadata } = dataOf(attributes, kind);
  return innerProtocol === INNER_IPV6 ? { type: 'ip6tnl', external: collectMetadata === true } : undefined;
}

function detailOf(attributes: LinkAttributes, lower: string | undefined): LinkDetail {
  const kind = attributes.kind?.kind;
  if (kind !== undefined && Object.hasOwn(PLAIN_DETAILS, kind)) return PLAIN_DETAILS[kind] as LinkDetail;
  switch (kind) {
    case 'bridge':
      return bridgeDetailOf(dataOf(attributes, kind));
    case 'vxlan': {
      const data = dataOf(attributes, kind);
      const local = data.local ?? data.local6;
      return {
        type: 'vxlan',
        vni: data.id ?? 0,
        port: data.port ?? 0,
        learning: data.learning === 1,
        gbp: data.gbp === true,
        udpChecksum: data.udpChecksum === 1,
        ...(local === undefined ? {} : { local }),
        ...(lower === undefined ? {} : { underlay: lower }),
      };
    }
    case 'macvlan':
    case 'ipvlan':
    case 'vlan': {
      const detail = stackedDetailOf(attributes, kind, lower ?? '');
      if (detail === undefined) break;
      return detail;
    }
    case 'vrf':
      return { type: 'vrf', table: dataOf(attributes, kind).table ?? 0 };
    case 'tun': {
      const { mode, multiQueue, owner, group } = dataOf(attributes, kind);
      if (mode !== 'tun' && mode !== 'tap') break;
      return {
        type: 'tun',
        mode,
        ...(multiQueue === undefined ? {} : { multiQueue: multiQueue !== 0 }),
        ...(owner === undefined ? {} : { owner }),
        ...(group === undefined ? {} : { group }),
      };
    }
    case 'ipip':
    case 'ip6tnl': {
      const detail = tunnelDetailOf(attributes, kind);
      if (detail === undefined) break;
      return detail;
    }
    case undefined:
      break;
  }
  return { type: 'other', linkKind: kind ?? 'physical' };
}

/** Undefined for what has no address, or is of neither IP family. */
export function addressOf(message: AddressMessage, link: string): Address | undefined {
  const { attributes } = message;
  const own = attributes.local ?? attributes.address;
  if (own === undefined || familyOfAf(message.family) === undefined) return undefined;
  const flags = attributes.flags ?? message.flags;
  const { scope } = message;
  return {
    kind: 'address',
    link,
    address: `${own}/${message.prefixLength}`,
    noDad: (flags & IFA_F.NODAD) !== 0,
    noPrefixRoute: (flags & IFA_F.NOPREFIXROUTE) !== 0,
    ...(scope === 'global' || scope === 'link' || scope === 'host' ? { scope } : {}),
  };
}

const NO_HOPS: readonly NextHop[] = [];
const ANY_IPV4 = formatIp(new Uint8Array(4));
const ANY_IPV6 = formatIp(new Uint8Array(16));

/** A route of a type the vocabulary has words for, or undefined. `names` gives the name of each link; all must be known. */
export function routeOf(message: RouteMessage, names: (index: number) => string): Route | undefined {
  const { attributes, type } = message;
  const family = familyOfAf(message.family);
  if (family === undefined || typeof type !== 'string' || !isRouteType(type)) return undefined;
  const table = attributes.table ?? message.table;
  const { scope } = message;
  const { preferredSource, metrics } = attributes;
  return {
    kind: 'route',
    dst: `${attributes.dst ?? (family === 4 ? ANY_IPV4 : ANY_IPV6)}/${message.dstLength}`,
    nextHops: isReject(type) ? NO_HOPS : hopsOf(message, names),
    metric: attributes.priority ?? 0,
    protocol: message.protocol,
    ...(table === MAIN_TABLE ? {} : { table }),
    ...(type === 'unicast' ? {} : { type }),
    // IPv6 routes have no scope; the kernel shows `global` for all.
    ...(family === 4 && isRouteScope(scope) ? { scope } : {}),
    ...(preferredSource === undefined ? {} : { preferredSource }),
    ...(metrics?.mtu === undefined ? {} : { mtuBytes: metrics.mtu }),
    ...(metrics?.advMss === undefined ? {} : { advMssBytes: metrics.advMss }),
  };
}

/** The numbers of the links a route leaves by. */
export function outputLinksOf({ attributes, type }: RouteMessage): readonly number[] {
  if (isReject(type)) return [];
  if (attributes.nextHops !== undefined)
    return attributes.nextHops.map((hop) => hop.index).filter((i) => i !== 0);
  return attributes.outputLink === undefined ? [] : [attributes.outputLink];
}

function isRouteScope(scope: string | number): scope is NonNullable<Route['scope']> {
  return typeof scope === 'number' || scope === 'global' || scope === 'link' || scope === 'host';
}

function isRouteType(type: string): type is NonNullable<Route['type']> {
  return type === 'unicast' || type === 'local' || isReject(type);
}

/** IPv6 shows such routes as leaving by lo; that is no wish of anybody's. */
function isReject(type: string | number): boolean {
  return type === 'blackhole' || type === 'unreachable' || type === 'prohibit' || type === 'throw';
}

function hopsOf(
  { family, attributes, flags }: RouteMessage,
  names: (index: number) => string,
): readonly NextHop[] {
  if (attributes.nextHops !== undefined) {
    const hops = attributes.nextHops.map((hop) => hopOf(hop, names));
    // IPv6 next hops have no order: the kernel starts with whichever it has at hand.
    return family === AF.INET6 ? hops.sort(compareHops) : hops;
  }
  const via = attributes.gateway ?? attributes.via;
  if (via === undefined && attributes.outputLink === undefined) return NO_HOPS;
  const link = attributes.outputLink === undefined ? undefined : names(attributes.outputLink);
  return [{ ...plainHop(via, link, flags, 0), ...encapField(attributes) }];
}

function compareHops(a: NextHop, b: NextHop): number {
  const [left, right] = [`${a.link} ${a.via}`, `${b.link} ${b.via}`];
  return left < right ? -1 : left > right ? 1 : 0;
}

function hopOf(hop: NextHopRecord, names: (index: number) => string): NextHop {
  const via = hop.attributes.gateway ?? hop.attributes.via;
  const link = hop.index === 0 ? undefined : names(hop.index);
  return { ...plainHop(via, link, hop.flags, hop.hops), ...encapField(hop.attributes) };
}

/** RTNH_F_DEAD and LINKDOWN are left out: the route is as it was wished, and lives again when its link does. */
function plainHop(
  via: IpAddress | undefined,
  link: string | undefined,
  flags: number,
  hops: number,
): NextHop {
  return {
    ...(via === undefined ? {} : { via }),
    ...(link === undefined ? {} : { link }),
    ...((flags & RTNH_F.ONLINK) === 0 ? {} : { onlink: true }),
    ...(hops === 0 ? {} : { weight: hops + 1 }),
  };
}

/** A permanent neighbour with a protocol number, or undefined. */
export function neighbourOf(message: NeighbourMessage, link: string): Neighbour | undefined {
  const { dst, linkLayerAddress: mac, protocol } = message.attributes;
  if (message.state !== 'permanent' || dst === undefined || protocol === undefined) return undefined;
  if (mac?.length !== 17 || familyOfAf(message.family) === undefined) return undefined;
  return { kind: 'neighbour', link, address: dst, mac, protocol };
}

/** A VXLAN forwarding entry, permanent or not, or undefined if the message tells of another device's. */
export function fdbOf(message: NeighbourMessage, link: string): FdbEntry | undefined {
  const { dst, linkLayerAddress: mac } = message.attributes;
  if (message.family !== AF.BRIDGE || dst === undefined || mac?.length !== 17) return undefined;
  return { kind: 'fdb', link, mac, dst };
}

/** A rule that looks a table up, or undefined. */
export function ruleOf(message: RuleMessage): Rule | undefined {
  const { attributes } = message;
  const family = familyOfAf(message.family);
  if (family === undefined || message.action !== 'lookup') return undefined;
  const { mark, mask, src, dst, inputLink, outputLink } = attributes;
  return {
    kind: 'rule',
    family,
    priority: attributes.priority ?? 0,
    table: attributes.table ?? message.table,
    protocol: attributes.protocol ?? 0,
    ...(src === undefined ? {} : { from: `${src}/${message.srcLength}` }),
    ...(dst === undefined ? {} : { to: `${dst}/${message.dstLength}` }),
    ...(mark === undefined && mask === undefined
      ? {}
      : { mark: { value: mark ?? 0, mask: mask ?? 0xffffffff } }),
    ...(inputLink === undefined ? {} : { inputLink }),
    ...(outputLink === undefined ? {} : { outputLink }),
  };
}
