/** The backend `host-gw`: each remote subnet is a route by its node, which must be in the same network; nothing is added to a packet. */
import type { HostGwConfig } from '#core/lease/index.ts';
import type { Backend, Underlay } from './backend.ts';
import { forwarding, unusedSubnet } from './forwarding.ts';
import { podMtuBytes } from './mtu.ts';
import { directRoute, isAdjacent } from './underlay-route.ts';

export function hostGwBackend({ type }: HostGwConfig, underlay: Underlay): Backend {
  return {
    type,
    podMtuBytes: (families) => podMtuBytes(underlay.mtuBytes, families, () => 0),
    offer: () => undefined,
    planLocal: (locals) =>
      locals.flatMap(({ family, subnet }) => [
        unusedSubnet(subnet),
        ...forwarding(family, underlay.advertisedLinks),
      ]),
    planRemote: (remote) =>
      isAdjacent(underlay, remote.publicIp)
        ? [directRoute(remote, underlay)]
        : `a router lies between this node and ${remote.publicIp}, and host-gw reaches only what is in a network of ` +
          `${underlay.link} (${underlay.prefixes.join(', ')}): use vxlan with DirectRouting`,
    probedLinks: () => [],
  };
}
