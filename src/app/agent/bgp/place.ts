/** What the agent knows of its node, as BGP has it. */
import { addressesIn, type KernelState } from '#core/kernel/index.ts';
import type { BgpPlace } from './wish.ts';

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
