/** The order of dependencies: what must exist before what. Removal goes the other way round. */
import type { KernelObject, KernelObjectKind, Link, NextHop, Route } from './state.ts';

const RANK: Readonly<Record<KernelObjectKind, number>> = {
  sysctl: 0,
  link: 1,
  // sysctls below conf/LINK and conf/all rank after links, see rankOf
  qdisc: 2.6,
  filter: 2.7,
  'wireguard-device': 2.8,
  'wireguard-peer': 2.85,
  'wireguard-allowed-ip': 2.9,
  address: 3,
  neighbour: 4,
  fdb: 5,
  route: 6,
  rule: 8,
  'nft-table': 9,
  'nft-set': 10,
  'nft-chain': 11,
  'nft-element': 12,
};

const LINK_SYSCTL_RANK = 2;

/** Items sorted as compareAdditions does, in one walk: sorting would compare each of thousands many times. */
export function inAdditionOrder<T>(items: Iterable<T>, objectOf: (item: T) => KernelObject): T[] {
  const ranks = new Map<number, T[]>();
  for (const item of items) {
    const rank = rankOf(objectOf(item));
    const group = ranks.get(rank);
    if (group === undefined) ranks.set(rank, [item]);
    else group.push(item);
  }
  const ordered: T[] = [];
  for (const rank of [...ranks.keys()].sort((a, b) => a - b))
    for (const item of ranks.get(rank) as T[]) ordered.push(item);
  return ordered;
}

/** Sorts objects so that each comes after what it needs; equals keep their order. */
export function compareAdditions(a: KernelObject, b: KernelObject): number {
  return rankOf(a) - rankOf(b);
}

/** True for what comes when each link is as it should be, its own sysctls set. */
export function needsLinksUp(object: KernelObject): boolean {
  return rankOf(object) > LINK_SYSCTL_RANK;
}

/** The links an object cannot exist without. */
export function linksOf(object: KernelObject): readonly string[] {
  switch (object.kind) {
    case 'address':
    case 'neighbour':
    case 'fdb':
    case 'qdisc':
    case 'wireguard-device':
    case 'wireguard-peer':
    case 'wireguard-allowed-ip':
      return [object.link];
    case 'filter':
      return object.redirect ? [object.link, object.redirect] : [object.link];
    case 'route':
      return linksOfHops(object.nextHops);
    case 'sysctl': {
      const link = sysctlLink(object.path);
      return link === undefined ? [] : [link];
    }
    default:
      return [];
  }
}

/** Nearly all routes have one hop, and there are thousands of them. */
function linksOfHops(hops: readonly NextHop[]): readonly string[] {
  const links: string[] = [];
  for (const { link } of hops) if (link !== undefined) links.push(link);
  return links;
}

/** The link that a link stands on, and with which it goes: a VXLAN device's underlay, a macvlan's parent. */
export function lowerLink({ detail }: Link): string | undefined {
  if (detail.type === 'macvlan' || detail.type === 'ipvlan' || detail.type === 'vlan') return detail.parent;
  return detail.type === 'vxlan' ? detail.underlay : undefined;
}

/** The link whose settings a path such as `net/ipv4/conf/eth0/rp_filter` holds. */
export function sysctlLink(path: string): string | undefined {
  const found = /^net\/ipv[46]\/(?:conf|neigh)\/([^/]+)\//.exec(path)?.[1];
  return found === 'all' || found === 'default' ? undefined : found;
}

function rankOf(object: KernelObject): number {
  if (object.kind === 'sysctl') return sysctlRank(object.path);
  if (object.kind === 'link') return 1 + linkDepth(object) / 10;
  if (object.kind === 'route' && hasGateway(object)) return 7;
  return RANK[object.kind];
}

function hasGateway({ nextHops }: Route): boolean {
  for (const { via } of nextHops) if (via !== undefined) return true;
  return false;
}

/** What holds for all links, such as forwarding, comes when each link is as it should be: some of its effects happen at that moment. */
function sysctlRank(path: string): number {
  if (path.includes('/conf/all/')) return 2.5;
  return sysctlLink(path) === undefined ? RANK.sysctl : LINK_SYSCTL_RANK;
}

/** Masters and lower links first: bridges, links that stand alone, their like in bridges, then links upon any of these. */
function linkDepth(link: Link): number {
  if (link.detail.type === 'bridge') return 0;
  return (lowerLink(link) === undefined ? 1 : 3) + (link.master ? 1 : 0);
}
