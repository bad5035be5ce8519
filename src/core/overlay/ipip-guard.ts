/**
 * Who may send IP in IP to this node. It has no port and no secret: who knows a node's address could speak as any pod. So it is taken
 * from known nodes only, pods and whatever else is behind this node send none to nodes, and connection tracking and NAT pass it by.
 */
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { act, field, match, rule } from '#core/nft/index.ts';
import { chain, FAMILY, FILTER_PRIORITY, peers, RAW_PRIORITY, TABLE } from './vxlan-guard.ts';

/** A family of outer packets. */
export interface GuardedFamily {
  readonly family: IpFamily;
  /** The only address whose packets the tunnel takes; absent: all addresses of the node. */
  readonly local?: IpAddress;
}

/** The table, its sets of peers and its chains; peers are added by peerElement. */
export function ipipTable(guarded: readonly GuardedFamily[], underlayLink: string): KernelObject[] {
  const families = guarded.map(({ family }) => family);
  const untracked = (side: 'saddr' | 'daddr') =>
    families.map((family) =>
      rule(FAMILY, [match.inSet(field[side](family), peers(family)), isTunnelled(family), act.notrack]),
    );
  const strangers = guarded.map(({ family, local }) =>
    rule(FAMILY, [
      match.notInSet(field.saddr(family), peers(family)),
      ...(local === undefined ? [] : [match.is(field.daddr(family), local)]),
      isTunnelled(family),
      act.counter,
      act.drop,
    ]),
  );
  const fromBehind = families.map((family) =>
    rule(FAMILY, [
      match.not(field.iifname, underlayLink),
      match.inSet(field.daddr(family), peers(family)),
      isTunnelled(family),
      act.counter,
      act.drop,
    ]),
  );
  return [
    { kind: 'nft-table', family: FAMILY, name: TABLE },
    ...families.map(peers),
    chain('prerouting', 'prerouting', RAW_PRIORITY, untracked('saddr')),
    chain('output', 'output', RAW_PRIORITY, untracked('daddr')),
    chain('input', 'input', FILTER_PRIORITY, strangers),
    chain('forward', 'forward', FILTER_PRIORITY, fromBehind),
  ];
}

/** IPPROTO_IPIP in IPv4, IPPROTO_IPV6 in IPv6. */
function isTunnelled(family: IpFamily) {
  return match.is(field.l4proto, family === 4 ? 4 : 41);
}
