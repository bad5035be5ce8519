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
  const known = new Map(addressesIn(state).map(({ address }) => [address.split('/')[0], address]));
  return {
    addresses: addresses.map((address) => known.get(address) ?? address),
    subnets: defaultRanges,
    networks,
    backend,
  };
}
