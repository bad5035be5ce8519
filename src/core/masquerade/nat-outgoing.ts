/** Calico's `natOutgoing`: what pods of a pool send to addresses outside all pools leaves with the node's address. */
import type { IpFamily, IpPrefix } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { act, field, match, rule } from '#core/nft/index.ts';
import { KUBE_PROXY_MARK, MULTICAST, SRCNAT_PRIORITY } from './masquerade.ts';

export interface NatPool {
  readonly family: IpFamily;
  readonly prefix: IpPrefix;
  readonly natOutgoing: boolean;
}

const FAMILY = 'inet';
const TABLE = 'poplin-bgp';

/** Nothing where no pool wants it. `tunnelLinks`: devices that carry pods' addresses to other nodes. */
export function planNatOutgoing(
  pools: readonly NatPool[],
  {
    isFullyRandom,
    tunnelLinks,
  }: { readonly isFullyRandom: boolean; readonly tunnelLinks: readonly string[] },
): KernelObject[] {
  const translated = pools.filter(({ natOutgoing }) => natOutgoing);
  if (translated.length === 0) return [];
  const families = new Set(translated.map(({ family }) => family));
  const masquerade = act.masquerade(isFullyRandom ? { flags: ['fully-random'] } : {});
  return [
    { kind: 'nft-table', family: FAMILY, name: TABLE },
    {
      kind: 'nft-chain',
      family: FAMILY,
      table: TABLE,
      name: 'nat-outgoing',
      hook: { hook: 'postrouting', priority: SRCNAT_PRIORITY, type: 'nat', policy: 'accept' },
      rules: [
        rule(FAMILY, [match.bits(field.mark, KUBE_PROXY_MARK, KUBE_PROXY_MARK), act.return]),
        ...tunnelLinks.map((link) => rule(FAMILY, [match.is(field.oifname, link), act.return])),
        ...pools
          .filter(({ family }) => families.has(family))
          .map(({ family, prefix }) => rule(FAMILY, [match.is(field.daddr(family), prefix), act.return])),
        ...translated.map(({ family, prefix }) =>
          rule(FAMILY, [
            match.is(field.saddr(family), prefix),
            match.not(field.daddr(family), MULTICAST[family]),
            masquerade,
          ]),
        ),
      ],
    },
  ];
}
