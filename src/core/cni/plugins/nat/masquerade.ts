/**
 * Masquerading of a pod (`ipMasq`): what it sends out of its own network gets the host's address. A pod costs one element of a verdict map;
 * what is not masqueraded is said once for each network.
 */
import { familyOf, type IpFamily, networkOf, prefixParts } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { act, element, field, match } from '#core/nft/index.ts';
import type { CniIp } from '../../spec/result.ts';
import {
  addressType,
  baseChain,
  chain,
  cniRule,
  cniTable,
  MULTICAST,
  map,
  PRIORITY,
  prefixName,
} from './table.ts';

/** What plans of an attachment hold in addition. */
export interface NatObjects {
  readonly shared: readonly KernelObject[];
  readonly own: readonly KernelObject[];
}

const FAMILIES = [4, 6] as const;

export const NO_NAT: NatObjects = { shared: [], own: [] };

/** Masquerades these addresses of a pod, in each family they are of. */
export function masquerade(ips: readonly Pick<CniIp, 'address'>[]): NatObjects {
  if (ips.length === 0) return NO_NAT;
  const networks = new Map(ips.map(({ address }) => [networkOf(address), familyOf(address)]));
  const rules = FAMILIES.map((family) => cniRule(match.vmap(field.saddr(family), pods(family))));
  return {
    shared: [
      cniTable,
      ...FAMILIES.map(pods),
      baseChain('source-nat', 'postrouting', 'nat', PRIORITY.srcnat, rules),
      ...Array.from(networks, ([network, family]) => networkChain(network, family)),
    ],
    own: ips.map(({ address }) =>
      element(pods(familyOf(address)), [prefixParts(address).address], {
        data: { verdict: 'jump', chain: chainName(networkOf(address)) },
      }),
    ),
  };
}

function networkChain(network: string, family: IpFamily): KernelObject {
  return chain(chainName(network), [
    cniRule(match.is(field.daddr(family), network), act.return),
    cniRule(match.is(field.daddr(family), MULTICAST[family]), act.return),
    // Ports at random: connections that begin at once do not contend for one (flannel#1001).
    cniRule(act.masquerade({ flags: ['fully-random'] })),
  ]);
}

function chainName(network: string): string {
  return `masquerade-${prefixName(network)}`;
}

function pods(family: IpFamily) {
  return map(`masqueraded${family}`, [addressType(family)], 'verdict');
}
