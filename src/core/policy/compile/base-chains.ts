/**
 * What is there whatever policies there are: tables, the maps from a pod's address to its chain, and the base chains that ask them. What is
 * forwarded is asked about in one: egress of the source, which comes back here with what it allows, then ingress of the destination, which
 * ends it. A connection is asked about when it begins. What a node sends itself is not asked about: it always reaches its pods.
 */
import type { KernelObject } from '#core/kernel/index.ts';
import { act, field, match, type NftHook, type RulePart } from '#core/nft/index.ts';
import type { Direction } from '../model.ts';
import { addressType, chainAt, elementAt, type Place, type SetShape, setAt, tableAt } from './place.ts';
import { logged, UNMARK } from './policy-chain.ts';
import { type BridgeMode, CUT_MARK } from './words.ts';

export const FAMILIES = [4, 6] as const;

/** Address of a pod → chain of its policies. */
export const MAPS = {
  egress: { 4: verdictMap('egress4', 4), 6: verdictMap('egress6', 6) },
  ingress: { 4: verdictMap('ingress4', 4), 6: verdictMap('ingress6', 6) },
} as const;

/** Pairs of addresses of one pod: it always reaches itself, also by a service. */
export const SELF = {
  4: { name: 'self4', keyType: [addressType(4), addressType(4)] },
  6: { name: 'self6', keyType: [addressType(6), addressType(6)] },
} as const satisfies Record<4 | 6, SetShape>;

/** Neighbour discovery, routers' and redirects: RFC 4861 section 4. */
const ND_TYPES: SetShape = { name: 'nd-types', keyType: ['icmpv6_type'] };
const ND = [133, 134, 135, 136, 137];
/** RFC 4861 section 7.1: what comes from another link has fewer hops left, and is not heard. */
const ND_HOP_LIMIT = 255;

/** nft's filter, in inet tables and in those of bridges. */
export const FILTER: Readonly<Record<Place, number>> = { inet: 0, bridge: -200 };
/**
 * Where what is forwarded is asked about, behind FILTER: behind the two chains of earlier releases too, at 0 and 1. A packet that is on its way
 * while one transaction puts this one in their place meets them as they were, or this one.
 */
export const FORWARD = 2;

export function unknownChain(direction: Direction): string {
  return `unknown-${direction}`;
}

/** Tables, sets and chains of a place in which rules lie. */
export function baseObjects(place: Place, flows: boolean): KernelObject[] {
  const maps = FAMILIES.flatMap((family) => [MAPS.egress[family], MAPS.ingress[family], SELF[family]]);
  const hook = (name: 'input' | 'forward', after: number): NftHook => ({
    type: 'filter',
    hook: name,
    priority: FILTER[place] + after,
    policy: 'accept',
  });
  return [
    tableAt(place),
    ...[...maps, ND_TYPES].map((shape) => setAt(place, shape)),
    ...ND.map((type) => elementAt(place, ND_TYPES, [type])),
    ...unknownChains(place, flows),
    chainAt(
      place,
      'forward',
      [...KNOWN, ...SELF_RULES, ...asked('egress'), UNMARK, ...asked('ingress')],
      hook('forward', FORWARD),
    ),
    // What comes to the host over a bridge is asked about as what is routed to it.
    ...(place === 'inet'
      ? [chainAt(place, 'input-egress', [...KNOWN, ...asked('egress'), UNMARK], hook('input', 0))]
      : []),
  ];
}

/** What makes bridged packets go through the chains for routed ones, those with a VLAN's tag too: two pods might use it to get past. */
export function bridgeSysctls(bridge: BridgeMode): KernelObject[] {
  if (bridge !== 'netfilter') return [];
  return ['call-iptables', 'call-ip6tables', 'filter-vlan-tagged'].map((name) => ({
    kind: 'sysctl',
    path: `net/bridge/bridge-nf-${name}`,
    value: '1',
  }));
}

type Rules = readonly (readonly RulePart[])[];

const ESTABLISHED = match.is(field.ctState, 'established,related');
const NEIGHBOURS: Rules = [
  [match.is(field.hopLimit, ND_HOP_LIMIT), match.inSet(field.icmpv6Type, ND_TYPES), act.accept],
];

/** What is not asked about: what belongs to a connection that began before, and neighbours who look for each other. */
export const PASSED: Rules = [[ESTABLISHED, act.accept], ...NEIGHBOURS];

/** The same, but for connections that are cut. First what nearly all packets are. */
export const KNOWN: Rules = [
  [ESTABLISHED, match.bits(field.ctMark, 0, CUT_MARK), act.accept],
  [match.bits(field.ctMark, CUT_MARK, CUT_MARK), act.drop],
  ...NEIGHBOURS,
];

const SELF_RULES: readonly (readonly RulePart[])[] = FAMILIES.map((family) => [
  match.inSet([field.saddr(family), field.daddr(family)], SELF[family]),
  act.accept,
]);

function asked(direction: Direction): (readonly RulePart[])[] {
  const address = direction === 'egress' ? field.saddr : field.daddr;
  return FAMILIES.map((family) => [match.vmap(address(family), MAPS[direction][family])]);
}

/** What becomes of packets of pods that are not known yet. */
export function unknownChains(place: Place, flows: boolean): KernelObject[] {
  return (['egress', 'ingress'] as const).map((direction) => {
    const tell = flows ? [logged(direction, 'deny', { by: 'unknown-pod' })] : [];
    return chainAt(place, unknownChain(direction), [[...tell, act.drop]]);
  });
}

function verdictMap(name: string, family: 4 | 6): SetShape {
  return { name, keyType: [addressType(family)], dataType: 'verdict' };
}
