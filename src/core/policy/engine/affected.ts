/** Which flows that are already there a delta may have changed the verdict of: those to be asked about again, and cut if need be. */
import type { IpAddress, IpPrefix } from '#base/ip/index.ts';
import type { PolicyDelta } from '../graph.ts';
import type { Flow } from '../model.ts';
import { hostOf, isHost } from './addresses.ts';
import { Address, isInNets } from './net-matcher.ts';

/**
 * A test for flows of local endpoints: true if the delta is about one of its ends, be it that the policies of an endpoint changed, or that an address
 * came into a set or left it. Of flows it gives true for, `isAllowed` says whether they may stay.
 */
export function affectedBy({ endpoints, sets }: PolicyDelta): (flow: Flow) => boolean {
  const hosts = new Set<IpAddress>();
  const nets: IpPrefix[] = [];
  const note = (net: IpPrefix): void => {
    if (isHost(net)) hosts.add(hostOf(net));
    else nets.push(net);
  };
  for (const policies of endpoints.values()) for (const net of policies?.endpoint.nets ?? []) note(net);
  for (const { set, added, removed } of sets.values()) {
    // A name that stands for others now ends no flow: its address was right when it began.
    for (const element of set.kind === 'domains' ? added : [...added, ...removed]) {
      if ('net' in element) note(element.net);
      else hosts.add(element.address);
    }
  }
  const isMet = (address: IpAddress): boolean =>
    hosts.has(address) || (nets.length > 0 && isInNets(nets, new Address(address).bytes));
  return ({ source, destination }) => isMet(source) || isMet(destination);
}
