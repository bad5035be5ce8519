/**
 * The guard that makes addresses of pods trustworthy: what comes in by a pod's link has one of the pod's addresses as its source, or is
 * dropped before anybody has seen it. A routed pod is guarded where packets come in, a bridged one where its frames do; there ARP and
 * neighbour advertisements may speak of its own addresses only. Links of others are not looked at.
 */
import { familyOf } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { act, field, match, type NftElement, type RulePart } from '#core/nft/index.ts';
import { addressType, chainAt, elementAt, type Place, type SetShape, setAt } from './place.ts';
import type { LocalEndpoint } from './words.ts';

const LINKS: SetShape = { name: 'guarded', keyType: ['ifname'] };
const SOURCES = {
  4: { name: 'sources4', keyType: ['ifname', addressType(4)] },
  6: { name: 'sources6', keyType: ['ifname', addressType(6)] },
} as const satisfies Record<4 | 6, SetShape>;
/** Links whose frames come from one hardware address, and which. */
const MAC_LINKS: SetShape = { name: 'mac-guarded', keyType: ['ifname'] };
const MACS: SetShape = { name: 'macs', keyType: ['ifname', 'ether_addr'] };
/** The same by the link that the host itself knows, which is the bridge of a bridged pod: whose packets are to or from a pod of its own. */
export const LOCAL_PODS = {
  4: { name: 'local4', keyType: ['ifname', addressType(4)] },
  6: { name: 'local6', keyType: ['ifname', addressType(6)] },
} as const satisfies Record<4 | 6, SetShape>;
/** What a host says from a link-local address, or from none: RFC 2710, RFC 3810, RFC 4861. */
const HOST_TYPES: SetShape = { name: 'host-types', keyType: ['icmpv6_type'] };
const FROM_HOSTS = [131, 132, 133, 135, 136, 143];
const ADVERTISEMENT = 136;

/** nft's raw, and its like for bridges: before connections are tracked. */
const PRIORITY = -300;
const CHAIN = 'guard-sources';

type Rules = readonly (readonly RulePart[])[];

/** Sets and chains of the guard in one place. */
export function guardObjects(place: Place): KernelObject[] {
  return [
    ...[LINKS, SOURCES[4], SOURCES[6], HOST_TYPES].map((shape) => setAt(place, shape)),
    ...(place === 'inet' ? [LOCAL_PODS[4], LOCAL_PODS[6]] : [MAC_LINKS, MACS]).map((shape) =>
      setAt(place, shape),
    ),
    ...FROM_HOSTS.map((type) => elementAt(place, HOST_TYPES, [type])),
    chainAt(
      place,
      CHAIN,
      place === 'bridge'
        ? [...FRAMES, ...ADVERTISED, ...SENT, ...BRIDGED, [act.drop]]
        : [...SENT, [act.drop]],
    ),
    chainAt(place, 'guard', [[match.inSet(field.iifname, LINKS), act.jump(CHAIN)]], {
      type: 'filter',
      hook: 'prerouting',
      priority: PRIORITY,
      policy: 'accept',
    }),
  ];
}

/** The elements of an endpoint in the places that have a guard; none if its packets come in by no link of the host. */
export function guardElements(
  { link, bridge, mac, addresses }: LocalEndpoint,
  guarded: readonly Place[],
): NftElement[] {
  if (link === undefined) return [];
  const place = bridge === undefined ? 'inet' : 'bridge';
  const known = addresses.map((address) =>
    elementAt('inet', LOCAL_PODS[familyOf(address)], [bridge ?? link, address]),
  );
  if (!guarded.includes(place)) return known;
  return [
    ...known,
    elementAt(place, LINKS, [link]),
    ...(place === 'inet' || mac === undefined
      ? []
      : [elementAt(place, MAC_LINKS, [link]), elementAt(place, MACS, [link, mac])]),
    ...addresses.map((address) => elementAt(place, SOURCES[familyOf(address)], [link, address])),
  ];
}

const LINK_LOCAL = 'fe80::/10';

const SENT: Rules = [
  [match.inSet([field.iifname, field.saddr(4)], SOURCES[4]), act.return],
  [match.inSet([field.iifname, field.saddr(6)], SOURCES[6]), act.return],
  ...[LINK_LOCAL, '::'].map((source) => [
    match.is(field.saddr(6), source),
    match.inSet(field.icmpv6Type, HOST_TYPES),
    act.return,
  ]),
];

const FRAMES: Rules = [
  [match.inSet(field.iifname, MAC_LINKS), match.notInSet([field.iifname, field.etherSaddr], MACS), act.drop],
];

/** A neighbour that speaks of an address that is not its own. */
const ADVERTISED: Rules = [
  [
    match.is(field.icmpv6Type, ADVERTISEMENT),
    match.notInSet([field.iifname, field.icmpv6Target], SOURCES[6]),
    match.not(field.icmpv6Target, LINK_LOCAL),
    act.drop,
  ],
];

/** ARP (RFC 826, probes of RFC 5227), and pods that ask for an address: RFC 2131 section 4.1, RFC 8415 section 7. */
const BRIDGED: Rules = [
  [match.inSet([field.iifname, field.arpSenderIp], SOURCES[4]), act.return],
  [match.is(field.arpSenderIp, '0.0.0.0'), act.return],
  [
    match.is(field.saddr(4), '0.0.0.0'),
    match.is(field.daddr(4), '255.255.255.255'),
    match.is(field.sport('udp'), 68),
    match.is(field.dport('udp'), 67),
    act.return,
  ],
  [
    match.is(field.saddr(6), LINK_LOCAL),
    match.is(field.sport('udp'), 546),
    match.is(field.dport('udp'), 547),
    act.return,
  ],
];
