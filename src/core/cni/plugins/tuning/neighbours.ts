/** Permanent entries of ours at both ends of a routed pair, which must follow when the pod's MAC address changes. */
import { prefixParts } from '#base/ip/index.ts';
import { CNI, type KernelState, type Neighbour } from '#core/kernel/index.ts';
import type { CniResult } from '../../spec/result.ts';

export interface PodNeighbours {
  readonly all: readonly Neighbour[];
  /** Those that name another MAC address. */
  readonly stale: readonly Neighbour[];
  /** The same with the new one. */
  readonly moved: readonly Neighbour[];
}

/** Entries of ours on the links of a result for its addresses; none are stale if there is no new MAC address. */
export function neighboursOf(
  { interfaces, ips }: CniResult,
  host: KernelState,
  mac: string | undefined,
): PodNeighbours {
  const all = interfaces
    .filter(({ sandbox }) => !sandbox)
    .flatMap(({ name }) =>
      ips.map(({ address }) => host.get(`neighbour ${prefixParts(address).address} dev ${name}`)),
    )
    .filter((found) => found?.kind === 'neighbour' && found.protocol === CNI.protocol) as Neighbour[];
  const stale = mac === undefined ? [] : all.filter((each) => each.mac !== mac);
  return { all, stale, moved: stale.map((each) => ({ ...each, mac: mac ?? each.mac })) };
}

/** The pod's entries for its gateways, the host's end of the pair: the kernel drops them when the interface's own address changes. */
export function gatewayNeighbours(
  { interfaces, ips }: CniResult,
  ifName: string,
  found: PodNeighbours,
): Neighbour[] {
  const host = interfaces.find(
    ({ name, sandbox }) => !sandbox && found.all.some(({ link }) => link === name),
  );
  const mac = host?.mac;
  if (mac === undefined) return [];
  const gateways = new Set(ips.flatMap(({ gateway }) => (gateway === undefined ? [] : [gateway])));
  return Array.from(gateways, (address) => {
    return { kind: 'neighbour', link: ifName, address, mac, protocol: CNI.protocol };
  });
}
