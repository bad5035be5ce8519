/**
 * The backend `udp`: packets go to a TUN device, and from there a program (native/tunnel.c) sends each as it is in a datagram of its
 * own, as flannel's udp backend does. One device and one UDP port for each family, IPv6 in IPv6; flannel has IPv4 alone. This is the
 * kernel's side: device, routes, and who may send to the port.
 */
import { firstIp, hostPrefixOf, type IpFamily } from '#base/ip/index.ts';
import { type KernelObject, OVERLAY, type Route } from '#core/kernel/index.ts';
import type { UdpConfig } from '#core/lease/index.ts';
import type { Backend, LocalSubnet, RemoteSubnet, Underlay } from './backend.ts';
import { forwarding, unusedSubnet } from './forwarding.ts';
import { podMtuBytes } from './mtu.ts';
import { NODE_TABLE, nodeRule } from './node-table.ts';
import { overlayTable, peerElement } from './vxlan-guard.ts';

/** The name flannel gives, which takes the first free number; and one like it for IPv6, that no VXLAN device has. */
export function tunnelLinkName(family: IpFamily, network = 0): string {
  if (family === 4) return `flannel${network}`;
  return network === 0 ? 'flannel-v6.0' : `flannel-v6u.${network}`;
}

/** Bytes around a packet: outer IP header, UDP 8. */
function udpOverheadBytes(outer: IpFamily): number {
  return (outer === 4 ? 20 : 40) + 8;
}

export function udpBackend({ type, port }: UdpConfig, underlay: Underlay): Backend {
  return {
    type,
    podMtuBytes: (families) => podMtuBytes(underlay.mtuBytes, families, udpOverheadBytes),
    offer: () => undefined,
    planLocal: (locals) => [
      ...locals.flatMap((local) => planDevice(local, underlay)),
      ...overlayTable(
        locals.map(({ family }) => family),
        port,
      ),
    ],
    planRemote: (remote) => planRemote(remote, underlay.network ?? 0),
    // Checksums are computed before a packet leaves the program.
    probedLinks: () => [],
  };
}

function planDevice(local: LocalSubnet, underlay: Underlay): KernelObject[] {
  const { family, subnet } = local;
  const link = tunnelLinkName(family, underlay.network);
  return [
    {
      kind: 'link',
      name: link,
      detail: { type: 'tun', mode: 'tun' },
      mtuBytes: underlay.mtuBytes - udpOverheadBytes(family),
      up: true,
      alias: OVERLAY.alias,
      addressGeneration: 'none',
    },
    // flannel's too: what the node itself sends to pods comes from its own subnet.
    { kind: 'address', link, address: hostPrefixOf(firstIp(subnet)), scope: 'global', noDad: true },
    unusedSubnet(subnet),
    nodeRule(local),
    ...forwarding(family, underlay.advertisedLinks),
  ];
}

/** A route for each subnet, where flannel has one for the whole network: an address that nobody has is known to be none at once. */
function planRemote({ family, subnet, publicIp }: RemoteSubnet, network: number): readonly KernelObject[] {
  const nextHops = [{ link: tunnelLinkName(family, network) }];
  const route: Route = {
    kind: 'route',
    dst: subnet,
    nextHops,
    protocol: OVERLAY.protocol,
    ...(family === 4 && { scope: 'link' }),
  };
  return [route, { ...route, dst: hostPrefixOf(publicIp), table: NODE_TABLE }, peerElement(family, publicIp)];
}
