/**
 * The guard that makes addresses of pods trustworthy: what comes in by a pod's link has one of the pod's addresses as its source, or is
 * dropped before anybody has seen it. A routed pod is guarded where packets come in, a bridged one where its frames do; there ARP and
 * neighbour advertisements may speak of its own addresses only. Each link has a chain of its own, so that a packet costs one look-up, by the
 * link's number, which is cheaper to compare than a name. The name is what counts: a number that is not known (yet, or after the link was made
 * anew) is looked up by name, and so is a link that is no pod's.
 */
import { familyOf, type IpAddress } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { act, field, match, type RulePart } from '#core/nft/index.ts';
import { addressType, chainAt, elementAt, type Place, type SetShape, setAt } from './place.ts';
import type { LocalEndpoint } from './words.ts';

/** Link of a pod → what may come in by it. */
const LINKS: SetShape = { name: 'guarded-links', keyType: ['ifname'], dataType: 'verdict' };
/** The same by number. With a size the kernel hashes four bytes by its fastest way: more pods than a node can have. */
const NUMBERS: SetShape = {
  name: 'guarded-numbers',
  keyType: ['iface_index'],
  dataType: 'verdict',
  size: 16_384,
};
/** Addresses by the link that the host itself knows, which is the bridge of a bridged pod: whose packets are to or from a pod of its own. */
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
const OTHERS = 'guard-sources';

type Rules = readonly (readonly RulePart[])[];

/** Sets and chains of the guard in one place. */
export function guardObjects(place: Place): KernelObject[] {
  return [
    ...[NUMBERS, LINKS, HOST_TYPES].map((shape) => setAt(place, shape)),
    ...(place === 'inet' ? [LOCAL_PODS[4], LOCAL_PODS[6]].map((shape) => setAt(place, shape)) : []),
    ...FROM_HOSTS.map((type) => elementAt(place, HOST_TYPES, [type])),
    chainAt(place, OTHERS, [...FROM_NOBODY, ...(place === 'bridge' ? BRIDGED : []), [act.drop]]),
    chainAt(place, 'guard', [[match.vmap(field.iif, NUMBERS)], [match.vmap(field.iifname, LINKS)]], {
      type: 'filter',
      hook: 'prerouting',
      priority: PRIORITY,
      policy: 'accept',
    }),
  ];
}

/** What is there for an endpoint, in the places that have a guard; nothing if its packets come in by no link of the host. */
export function guardOf(endpoint: LocalEndpoint, guarded: readonly Place[]): KernelObject[] {
  const { link, linkNumber, bridge } = endpoint;
  const addresses = endpoint.addresses.toSorted();
  if (link === undefined) return [];
  const place = bridge === undefined ? 'inet' : 'bridge';
  const known = addresses.map((address) =>
    elementAt('inet', LOCAL_PODS[familyOf(address)], [bridge ?? link, address]),
  );
  if (!guarded.includes(place)) return known;
  const chain = `from-${link}`;
  const data = { verdict: 'goto', chain } as const;
  return [
    ...known,
    chainAt(place, chain, [
      ...(place === 'bridge' ? framesOf(endpoint.mac, addresses) : []),
      ...addresses.map((address) => [match.is(field.saddr(familyOf(address)), address), act.accept]),
      ...(place === 'bridge' ? addresses.filter(isIpv4).map(announcedBy) : []),
      [act.goto(OTHERS)],
    ]),
    elementAt(place, LINKS, [link], { data }),
    ...(linkNumber === undefined ? [] : [elementAt(place, NUMBERS, [linkNumber], { data })]),
  ];
}

const LINK_LOCAL = 'fe80::/10';

const FROM_NOBODY: Rules = [LINK_LOCAL, '::'].map((source) => [
  match.is(field.saddr(6), source),
  match.inSet(field.icmpv6Type, HOST_TYPES),
  act.accept,
]);

/** A hardware address that is not the pod's, and a neighbour that speaks of an address that is not its own. */
function framesOf(mac: LocalEndpoint['mac'], addresses: readonly IpAddress[]): Rules {
  const own = addresses.filter((address) => !isIpv4(address));
  return [
    ...(mac === undefined ? [] : [[match.not(field.etherSaddr, mac), act.drop]]),
    [
      match.is(field.icmpv6Type, ADVERTISEMENT),
      ...[...own, LINK_LOCAL].map((each) => match.not(field.icmpv6Target, each)),
      act.drop,
    ],
  ];
}

/** ARP: RFC 826. */
function announcedBy(address: IpAddress): readonly RulePart[] {
  return [match.is(field.arpSenderIp, address), act.accept];
}

/** Probes of RFC 5227, and pods that ask for an address: RFC 2131 section 4.1, RFC 8415 section 7. */
const BRIDGED: Rules = [
  [match.is(field.arpSenderIp, '0.0.0.0'), act.accept],
  [
    match.is(field.saddr(4), '0.0.0.0'),
    match.is(field.daddr(4), '255.255.255.255'),
    match.is(field.sport('udp'), 68),
    match.is(field.dport('udp'), 67),
    act.accept,
  ],
  [
    match.is(field.saddr(6), LINK_LOCAL),
    match.is(field.sport('udp'), 546),
    match.is(field.dport('udp'), 547),
    act.accept,
  ],
];

function isIpv4(address: IpAddress): boolean {
  return familyOf(address) === 4;
}
