/** The links of the host, which of them lead to the world, and which are another network's. */
import { familyOf } from '#base/ip/index.ts';
import type { HostFacts, HostLink, Remains } from '#core/install/index.ts';
import { type KernelState, type Link, linkIn, ownerOf } from '#core/kernel/index.ts';
import { snapshotOf, snapshotRequests } from '#core/netlink/index.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';

const NAMES: readonly (readonly [RegExp, Remains['of']])[] = [
  [/^flannel(-v6)?[.-]/, 'flannel'],
  [/^cni0$/, 'flannel'],
  [/^(cali[0-9a-f]{11}|vxlan\.calico|wireguard\.cali)$/, 'Calico'],
  [/^(cilium_|lxc[0-9a-f]{8,})/, 'Cilium'],
  [/^weave$/, 'Weave'],
  [/^kube-bridge$/, 'kube-router'],
  [/^antrea-/, 'Antrea'],
];

export type LinkFacts = Pick<HostFacts, 'links' | 'underlay' | 'remains'>;

/** Of the network namespace of the process. */
export function linkFacts(): LinkFacts {
  const state = readHost();
  const links = [...state.values()].filter((object) => object.kind === 'link');
  return {
    links: links.map((link) => hostLink(link, state)),
    underlay: underlayOf(state),
    remains: links.flatMap((link): Remains[] => {
      if (ownerOf(link, state) !== undefined) return [];
      const of = NAMES.find(([pattern]) => pattern.test(link.name))?.[1];
      return of === undefined ? [] : [{ of, what: `link ${link.name}` }];
    }),
  };
}

function readHost(): KernelState {
  // The thread's own namespace, which nobody needs to enter: an ordinary user may read it.
  using socket = NetlinkSocket.open({ protocol: NETLINK_ROUTE });
  return snapshotOf(snapshotRequests().flatMap((request) => socket.dump(request, 'dump of the host')));
}

function hostLink(link: Link, state: KernelState): HostLink {
  const { name, detail } = link;
  return {
    name,
    kind: detail.type === 'other' ? detail.linkKind : detail.type,
    isOurs: ownerOf(link, state) !== undefined,
    ...(detail.type === 'vxlan' && { port: detail.port }),
  };
}

/** The link of the IPv4 default route, or else that of IPv6; of several the one with the lowest metric. */
function underlayOf(state: KernelState): HostFacts['underlay'] {
  const ways = [...state.values()].flatMap((object) => {
    if (object.kind !== 'route' || object.table !== undefined || !/^(0\.0\.0\.0|::)\/0$/.test(object.dst))
      return [];
    const name = object.nextHops[0]?.link;
    const link = name === undefined ? undefined : linkIn(state, name);
    return link === undefined ? [] : [{ link, rank: familyOf(object.dst) * 1e10 + (object.metric ?? 0) }];
  });
  const [first] = ways.toSorted((a, b) => a.rank - b.rank);
  return first && { link: first.link.name, mtuBytes: first.link.mtuBytes ?? 1500 };
}
