/** What the agent knows of its node, as BGP has it. */
import type { IpAddress, IpPrefix } from '#base/ip/index.ts';
import { addressesIn, type KernelState } from '#core/kernel/index.ts';

/** What the agent knows of its node. */
export interface BgpPlace {
  /** With the lengths of their networks, one for each family of the network. */
  readonly addresses: readonly IpAddress[];
  /** This node's pod subnets; none while no lease is held. */
  readonly subnets: readonly IpPrefix[];
  /** Addresses of its pods that are in none of them. */
  readonly singles?: readonly IpAddress[];
  /** The whole network's. */
  readonly networks: readonly IpPrefix[];
  /** Of the overlay; `alloc` leaves the network's packets to BGP. */
  readonly backend: string;
  /** The link that packets to other nodes leave by; absent if none has the node's address. */
  readonly underlay?: { readonly link: string; readonly mtuBytes: number };
}

/** Addresses get the lengths of their networks from the kernel. */
export function placeOf(
  facts: {
    readonly addresses: readonly string[];
    readonly defaultRanges: readonly string[];
    readonly networks: readonly string[];
    readonly backend: string;
  },
  state: KernelState,
): BgpPlace {
  const { addresses, defaultRanges, networks, backend } = facts;
  const known = new Map(addressesIn(state).map((each) => [each.address.split('/')[0], each]));
  const underlay = underlayOf(known.get(addresses[0])?.link, state);
  return {
    ...(underlay !== undefined && { underlay }),
    addresses: addresses.map((address) => known.get(address)?.address ?? address),
    subnets: defaultRanges,
    networks,
    backend,
  };
}

function underlayOf(link: string | undefined, state: KernelState): BgpPlace['underlay'] {
  const found = link === undefined ? undefined : state.get(`link ${link}`);
  return found?.kind === 'link' ? { link: found.name, mtuBytes: found.mtuBytes ?? 1500 } : undefined;
}
