/** Which link and which addresses a node is reached by: as told, or as the kernel would route to the world. */
import { createSocket } from 'node:dgram';
import { familyOf, type IpAddress, type IpFamily, prefixParts } from '#base/ip/index.ts';
import { type KernelState, type Link, linkIn } from '#core/kernel/index.ts';

export interface NodeAddressWishes {
  /** A link's name or one of its addresses (flannel's --iface). */
  readonly iface?: string;
  readonly publicIp?: IpAddress;
  readonly publicIpv6?: IpAddress;
}

export interface NodeAddresses {
  readonly link: Link;
  /** The addresses other nodes reach this one by. */
  readonly ipv4?: IpAddress;
  readonly ipv6?: IpAddress;
  /** The link's own addresses, which differ from those where something between translates. */
  readonly localIpv4?: IpAddress;
  readonly localIpv6?: IpAddress;
  /** How it was chosen, for people. */
  readonly reason: string;
}

export class NodeAddressError extends Error {
  override readonly name = 'NodeAddressError';
}

/** Addresses of documentation (RFC 5737, RFC 3849), which only a default route leads to: asking the way to them sends nothing. */
export const SOMEWHERE: Readonly<Record<IpFamily, string>> = { 4: '192.0.2.1', 6: '2001:db8::1' };

/** Throws NodeAddressError if an enabled family has no address. */
export async function findNodeAddresses(
  state: KernelState,
  families: readonly IpFamily[],
  wishes: NodeAddressWishes,
): Promise<NodeAddresses> {
  const wanted: Partial<Record<IpFamily, IpAddress>> = {
    ...(wishes.publicIp !== undefined && { 4: wishes.publicIp }),
    ...(wishes.publicIpv6 !== undefined && { 6: wishes.publicIpv6 }),
  };
  const [link, reason] = await chooseLink(state, families, wishes);
  const found: Partial<Record<IpFamily, IpAddress>> = {};
  const local: Partial<Record<IpFamily, IpAddress>> = {};
  for (const family of families) {
    const own = addressOn(state, link.name, family, wanted[family]);
    const address = wanted[family] ?? own;
    if (address === undefined) {
      throw new NodeAddressError(
        `link ${link.name} has no IPv${family} address and the network has IPv${family}: name another with --iface, or give --public-ip${family === 6 ? 'v6' : ''}`,
      );
    }
    found[family] = address;
    local[family] = own ?? address;
  }
  return {
    link,
    reason,
    ...(found[4] !== undefined && { ipv4: found[4] }),
    ...(found[6] !== undefined && { ipv6: found[6] }),
    ...(local[4] !== undefined && { localIpv4: local[4] }),
    ...(local[6] !== undefined && { localIpv6: local[6] }),
  };
}

/** How the underlay differs now from what was found at the start, one sentence each; an agent follows when it is started anew. */
export function describeDrift(state: KernelState, found: NodeAddresses): string[] {
  const { name, mtuBytes } = found.link;
  const link = linkIn(state, name);
  if (link === undefined) return [`the underlay's link ${name} is gone`];
  const drift = [found.localIpv4, found.localIpv6].flatMap((address) =>
    address === undefined || linkOf(state, address) !== undefined
      ? []
      : [`the underlay's address ${address} is gone: restart the agent to take another`],
  );
  if (link.mtuBytes !== mtuBytes) {
    drift.push(`the MTU of ${name} was ${mtuBytes} and is ${link.mtuBytes}: restart the agent to follow`);
  }
  return drift;
}

async function chooseLink(
  state: KernelState,
  families: readonly IpFamily[],
  { iface, publicIp, publicIpv6 }: NodeAddressWishes,
): Promise<[Link, string]> {
  if (iface !== undefined) {
    const link = linkIn(state, iface) ?? linkOf(state, iface);
    if (link === undefined)
      throw new NodeAddressError(`--iface "${iface}" is no link and no address of this node`);
    return [link, `--iface ${iface}`];
  }
  for (const address of [publicIp, publicIpv6]) {
    const link = address === undefined ? undefined : linkOf(state, address);
    if (link !== undefined) return [link, `it carries ${address}`];
  }
  for (const family of families) {
    const source = await sourceTo(SOMEWHERE[family]);
    const link = source === undefined ? undefined : linkOf(state, source);
    if (link !== undefined) return [link, `the default route of IPv${family}`];
  }
  throw new NodeAddressError('no default route tells which link to use: name it with --iface');
}

function linkOf(state: KernelState, address: IpAddress): Link | undefined {
  for (const object of state.values()) {
    if (object.kind === 'address' && prefixParts(object.address).address === address)
      return linkIn(state, object.link);
  }
  return undefined;
}

/** The wished address if the link carries it, else its first of global scope that is not link-local. */
function addressOn(
  state: KernelState,
  link: string,
  family: IpFamily,
  wished?: IpAddress,
): IpAddress | undefined {
  let first: IpAddress | undefined;
  for (const object of state.values()) {
    if (object.kind !== 'address' || object.link !== link || (object.scope ?? 'global') !== 'global')
      continue;
    const { address } = prefixParts(object.address);
    if (familyOf(address) !== family || address.startsWith('fe80:')) continue;
    if (address === wished) return address;
    first ??= address;
  }
  return first;
}

/** The source address the kernel would use to a destination; undefined if there is no route. */
function sourceTo(destination: IpAddress): Promise<IpAddress | undefined> {
  const socket = createSocket(familyOf(destination) === 4 ? 'udp4' : 'udp6');
  return new Promise((resolve) => {
    socket.once('error', () => resolve(undefined));
    socket.connect(9, destination, () => {
      const { address } = socket.address();
      socket.close();
      resolve(address);
    });
  });
}
