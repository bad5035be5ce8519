/** flannel's -ip-masq, -iptables-forward-rules and -ip-blackhole-route as the kernel objects of this node's side. */
import { familyOf } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { familyKeyOf, type NetConf } from '#core/lease/index.ts';
import { planBlackhole, planForward, planMasquerade } from '#core/masquerade/index.ts';
import type { Backend, LocalSubnet } from '#core/overlay/index.ts';

export interface NetworkRules {
  /** Absent: nothing is masqueraded. */
  readonly masquerade?: { readonly isFullyRandom: boolean };
  readonly forward: boolean;
  readonly blackhole: boolean;
}

/** What a node's side has beside its backend's own. */
export function planNetworkRules(
  { masquerade, forward, blackhole }: NetworkRules,
  netConf: NetConf,
  backend: Backend,
  locals: readonly LocalSubnet[],
): KernelObject[] {
  const networks = locals.flatMap(({ subnet }) => {
    const family = familyOf(subnet);
    const network = netConf[familyKeyOf(family)]?.network;
    return network === undefined ? [] : [{ family, network, subnet }];
  });
  const overlayLinks = backend
    .planLocal(locals)
    .flatMap((object) => (object.kind === 'link' ? [object.name] : []));
  return [
    ...(masquerade === undefined ? [] : planMasquerade(networks, { ...masquerade, overlayLinks })),
    ...(forward ? planForward(networks) : []),
    ...(blackhole ? planBlackhole(networks) : []),
  ];
}
