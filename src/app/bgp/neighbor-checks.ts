/** What keys of a neighbour mean together: its address and its link, and what goes with either. */
import { formatScopedIp, type IpAddress, isLinkLocal, type ScopedIp } from '#base/ip/index.ts';

/** A neighbour of a file, as far as it is about where it is. */
export interface NeighborPlace {
  readonly address?: ScopedIp | undefined;
  readonly interface?: string | undefined;
  readonly localAddress?: IpAddress | undefined;
  readonly linkLocalNextHop?: IpAddress | undefined;
  readonly multihopTtl?: number | undefined;
}

type Fail = (key: string, message: string) => void;

/** The link a neighbour is on, if the file says it. */
export function linkOf({ address, interface: link }: NeighborPlace): string | undefined {
  return address?.link ?? link;
}

/** Whether the session is one between link-local addresses. */
export function isOnLink({ address }: NeighborPlace): boolean {
  return address === undefined || isLinkLocal(address.address);
}

/** A text that no other neighbour may have; undefined if it says too little. */
export function placeOf(neighbor: NeighborPlace): string | undefined {
  const link = linkOf(neighbor);
  if (neighbor.address !== undefined) return formatScopedIp(neighbor.address.address, link);
  return link === undefined ? undefined : `%${link}`;
}

/** Tells what cannot be, each with its key. */
export function checkPlace(neighbor: NeighborPlace, fail: Fail): void {
  const { address: scoped, interface: link, localAddress, linkLocalNextHop, multihopTtl } = neighbor;
  const address = scoped?.address;
  if (linkLocalNextHop !== undefined && !isLinkLocal(linkLocalNextHop))
    fail('linkLocalNextHop', `must be a link-local address, not "${linkLocalNextHop}"`);
  if (address === undefined && link === undefined)
    return fail('address', 'is missing, and so is interface: one of them has to say where the neighbor is');
  if (!isOnLink(neighbor)) {
    if (localAddress !== undefined && isLinkLocal(localAddress))
      fail('localAddress', `"${localAddress}" is link-local, and the neighbor's "${address}" is not`);
    return;
  }
  if (linkOf(neighbor) === undefined)
    fail(
      'address',
      `"${address}" is link-local, and means nothing without its link: "${address}%eth0", or interface`,
    );
  if (scoped?.link !== undefined && link !== undefined && link !== scoped.link)
    fail('interface', `must be the link of the address, "${scoped.link}", not "${link}"`);
  if (localAddress !== undefined && !isLinkLocal(localAddress))
    fail('localAddress', `must be link-local as the neighbor's address is, not "${localAddress}"`);
  if (linkLocalNextHop !== undefined)
    fail('linkLocalNextHop', 'is the address of the session, where that is link-local: leave it out');
  if (multihopTtl !== undefined)
    fail('multihopTtl', 'does not go with a link-local neighbor: no router passes its packets on');
}

/** Tells where keys of signatures would have to differ that the kernel cannot tell apart. */
export function checkPasswords(
  neighbors: readonly (NeighborPlace & {
    readonly name: string;
    readonly passwordFile?: string | undefined;
  })[],
  fail: (index: number, key: string, message: string) => void,
): void {
  const first = new Map<IpAddress, (typeof neighbors)[number]>();
  for (const [index, neighbor] of neighbors.entries()) {
    const { address, passwordFile } = neighbor;
    if (address === undefined || !isLinkLocal(address.address)) continue;
    const other = first.get(address.address);
    if (other === undefined) first.set(address.address, neighbor);
    else if (other.passwordFile !== passwordFile)
      fail(
        index,
        'passwordFile',
        `must be that of "${other.name}": the kernel knows keys by address alone, and both have ${address.address}`,
      );
  }
}
