/** Does what is there satisfy what is wanted, can it be changed in place, or must it be made anew? Absent wishes count for nothing. */
import { familyOf } from '#base/ip/index.ts';
import { equalNftObject } from '#core/nft/index.ts';
import { equalVlans } from './bridge-vlans.ts';
import { routeMetric } from './key.ts';
import type { Address, KernelObject, Link, NextHop, Qdisc, Route } from './state.ts';

export type Comparison = 'same' | 'replace' | 'recreate';

/** Compares two objects of one key. Marks (alias, protocol) count like any other field. */
export function compareObjects(desired: KernelObject, actual: KernelObject): Comparison {
  switch (desired.kind) {
    case 'link':
      return compareLinks(desired, actual as Link);
    case 'address':
      return compareAddresses(desired, actual as Address);
    case 'route':
      return equalRoutes(desired, actual as Route) ? 'same' : 'replace';
    case 'qdisc':
      return compareQdiscs(desired, actual as Qdisc);
    case 'neighbour':
    case 'fdb':
    case 'sysctl':
    case 'rule':
    case 'filter':
    case 'wireguard-device':
    case 'wireguard-allowed-ip':
      return coversWishes(desired, actual) ? 'same' : 'replace';
    case 'wireguard-peer': {
      const { rank: _, ...wish } = desired;
      return coversWishes(wish, actual) ? 'same' : 'replace';
    }
    case 'nft-table':
    case 'nft-chain':
    case 'nft-set':
    case 'nft-element':
      return equalNftObject(desired, actual as typeof desired) ? 'same' : 'replace';
  }
}

const LINK_FIELDS = [
  'up',
  'mtuBytes',
  'mac',
  'master',
  'alias',
  'addressGeneration',
  'promiscuous',
  'allMulticast',
  'transmitQueueLength',
  'hairpin',
  'isolated',
  'vlans',
] as const;

/** The fields of a link that differ from what is wanted and can be changed in place. */
export function changedLinkFields(desired: Link, actual: Link): (typeof LINK_FIELDS)[number][] {
  return LINK_FIELDS.filter((field) => {
    if (desired[field] === undefined) return false;
    return field === 'vlans' ? !equalVlans(desired.vlans, actual.vlans) : desired[field] !== actual[field];
  });
}

function compareLinks(desired: Link, actual: Link): Comparison {
  const { peer: _wish, ...wanted } = desired.detail as Link['detail'] & { peer?: unknown };
  if (!coversWishes(wanted, actual.detail))
    return isBridge(desired) && isBridge(actual) ? 'replace' : 'recreate';
  return changedLinkFields(desired, actual).length === 0 ? 'same' : 'replace';
}

/** The kernel changes all options of a bridge in place. */
function isBridge({ detail }: Link): boolean {
  return detail.type === 'bridge';
}

function compareQdiscs({ detail, handle }: Qdisc, actual: Qdisc): Comparison {
  if (detail.type === 'ingress' && actual.detail.type === 'clsact') return 'same';
  // Under one handle there cannot be another kind.
  if (detail.type !== actual.detail.type) return 'recreate';
  return coversWishes({ detail, handle }, actual) ? 'same' : 'replace';
}

function compareAddresses(desired: Address, actual: Address): Comparison {
  if ((desired.scope ?? actual.scope) !== actual.scope) return 'recreate';
  if ((desired.noPrefixRoute ?? false) !== (actual.noPrefixRoute ?? false)) return 'recreate';
  return 'same'; // noDad speaks of the moment of adding only
}

function equalRoutes(desired: Route, actual: Route): boolean {
  return (
    (desired.type ?? 'unicast') === (actual.type ?? 'unicast') &&
    desired.protocol === actual.protocol &&
    routeMetric(desired) === routeMetric(actual) &&
    desired.preferredSource === actual.preferredSource &&
    desired.mtuBytes === actual.mtuBytes &&
    desired.advMssBytes === actual.advMssBytes &&
    (familyOf(desired.dst) === 6 || (desired.scope ?? actual.scope) === actual.scope) && // IPv6 routes have no scope
    equalNextHops(desired.nextHops, actual.nextHops)
  );
}

/** In any order. The kernel finds the link of a gateway where none is wished, and shows no weight on a single hop. */
function equalNextHops(desired: readonly NextHop[], actual: readonly NextHop[]): boolean {
  const several = desired.length > 1;
  const text = (hop: NextHop, link: string | undefined) =>
    `${hop.via ?? ''} ${link ?? ''} ${hop.onlink === true} ${several ? (hop.weight ?? 1) : 1} ${encapText(hop.encap)}`;
  const chosen = new Map(actual.map((hop) => [hop.via, hop.link]));
  const wishes = desired.map((hop) => text(hop, hop.link ?? chosen.get(hop.via)));
  const found = actual.map((hop) => text(hop, hop.link));
  return wishes.sort().join(';') === found.sort().join(';');
}

/** A way through a tunnel has no field without an opinion. */
function encapText(encap: NextHop['encap']): string {
  return encap === undefined ? '' : `${encap.dst} ${encap.src ?? ''} ${encap.hopLimit ?? 0}`;
}

/** Every field the wish names has the wished value; nested objects alike. */
function coversWishes(wish: object, have: object): boolean {
  return (Object.entries(wish) as [string, unknown][]).every(([field, value]) => {
    if (value === undefined) return true;
    const found = (have as Record<string, unknown>)[field];
    if (typeof value === 'object' && value !== null) {
      return typeof found === 'object' && found !== null && coversWishes(value, found);
    }
    return value === found;
  });
}
