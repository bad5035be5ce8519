/** Which link and which addresses a node is reached by: as told, or as the kernel would route to the world. */
import { createSocket } from 'node:dgram';
import { familyOf, type IpAddress, type IpFamily } from '#base/ip/index.ts';
import { type KernelState, type Link, linkIn } from '#core/kernel/index.ts';
import { type IfaceWishes, linkOf, selectIface } from './iface-selection.ts';

export { SOMEWHERE } from './iface-selection.ts';

export type NodeAddressWishes = IfaceWishes;

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

/** Throws NodeAddressError if an enabled family has no address. */
export async function findNodeAddresses(
  state: KernelState,
  families: readonly IpFamily[],
  wishes: NodeAddressWishes,
): Promise<NodeAddresses> {
  const { link, local, reason } = await selectIface(state, families, wishes, sourceTo);
  const of = (family: IpFamily, wanted: IpAddress | undefined) => {
    const address = families.includes(family) ? (wanted ?? local[family]) : undefined;
    return address === undefined ? undefined : { address, own: local[family] ?? address };
  };
  const ipv4 = of(4, wishes.publicIp);
  const ipv6 = of(6, wishes.publicIpv6);
  return {
    link,
    reason,
    ...(ipv4 !== undefined && { ipv4: ipv4.address, localIpv4: ipv4.own }),
    ...(ipv6 !== undefined && { ipv6: ipv6.address, localIpv6: ipv6.own }),
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
