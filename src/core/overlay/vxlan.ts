/**
 * The VXLAN overlay as desired kernel state (RFC 7348, flannel's layout): one device per family, and for each remote subnet one
 * route, one neighbour and one forwarding entry; no flooding, no learning.
 */
import { localMac } from '#base/hash.ts';
import {
  familyOf,
  firstIp,
  hostPrefixOf,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  type MacAddress,
} from '#base/ip/index.ts';
import { type KernelObject, type NextHop, OVERLAY, type Route } from '#core/kernel/index.ts';
import type { LocalSubnet } from './backend.ts';
import { forwarding, unusedSubnet } from './forwarding.ts';
import { NODE_TABLE, nodeRule } from './node-table.ts';
import { spreadScope } from './route-scope.ts';
import { overlayTable, peerElement } from './vxlan-guard.ts';

export interface VxlanSettings {
  readonly vni: number;
  /** UDP destination port. */
  readonly port: number;
  readonly learning: boolean;
  readonly gbp: boolean;
  /** MTU of the link the outer packets leave by. */
  readonly underlayMtuBytes: number;
  readonly underlayLink: string;
  /** Links of the node that have IPv6 routes from router advertisements, which a forwarding node ignores unless told otherwise. */
  readonly advertisedLinks?: readonly string[];
}

/** A node's share of the overlay in one family, with its tunnel end. */
export interface OverlaySubnet extends LocalSubnet {
  readonly vtepMac: MacAddress;
}

/** IFNAMSIZ is 16 with the terminating zero. */
const LINK_NAME_BYTES = 15;

/** The names flannel gives: `flannel.1`, `flannel-v6.1`; where those are too long for a link, `fl4.16777215`. */
export function vxlanLinkName(family: IpFamily, vni: number): string {
  if (names.vni !== vni) names = { vni, 4: nameOfLink(4, vni), 6: nameOfLink(6, vni) };
  return names[family];
}

/** The names last asked for: a network has one VNI, and each of thousands of objects names its link. */
let names = { vni: 1, 4: nameOfLink(4, 1), 6: nameOfLink(6, 1) };

function nameOfLink(family: IpFamily, vni: number): string {
  const name = family === 4 ? `flannel.${vni}` : `flannel-v6.${vni}`;
  return name.length <= LINK_NAME_BYTES ? name : `fl${family}.${vni}`;
}

/**
 * Bytes of encapsulation: outer IP header, UDP 8, VXLAN 8, inner Ethernet 14. flannel counts 50 for IPv6 too, where 70 are added.
 */
export function vxlanOverheadBytes(outer: IpFamily): number {
  return (outer === 4 ? 20 : 40) + 8 + 8 + 14;
}

/** A MAC that depends on the node's name alone: the same after every restart, reinstallation or reboot. */
export function vtepMac(node: string, family: IpFamily, vni: number): MacAddress {
  return localMac(`poplin vtep ${node} ${family} ${vni}`);
}

/** The address of a subnet's VTEP inside the overlay, as flannel has it: the first of the subnet. */
export function vtepAddress(subnet: IpPrefix): IpAddress {
  return firstIp(subnet);
}

/** What a node needs whatever other nodes there are. */
export function planLocal(locals: readonly OverlaySubnet[], settings: VxlanSettings): KernelObject[] {
  return [
    ...locals.flatMap((local) => planDevice(local, settings)),
    ...overlayTable(
      locals.map((local) => local.family),
      settings.port,
      settings.vni,
    ),
  ];
}

/** What one remote subnet needs: its cost does not depend on how many others there are. */
export function planRemote(remote: OverlaySubnet, settings: Pick<VxlanSettings, 'vni'>): KernelObject[] {
  const nextHops = nextHopsTo(remote, settings);
  return [
    ...planSubnet(remote, nextHops),
    remoteRoute(hostPrefixOf(remote.publicIp), nextHops, NODE_TABLE),
    peerElement(remote.family, remote.publicIp),
  ];
}

/** Of that, what flannel has for a remote subnet too. */
export function planRemoteSubnet(
  remote: OverlaySubnet,
  settings: Pick<VxlanSettings, 'vni'>,
): KernelObject[] {
  return planSubnet(remote, nextHopsTo(remote, settings));
}

type OverHop = readonly [NextHop & { readonly via: IpAddress; readonly link: string }];

function nextHopsTo({ family, subnet }: OverlaySubnet, { vni }: Pick<VxlanSettings, 'vni'>): OverHop {
  return [{ via: vtepAddress(subnet), link: vxlanLinkName(family, vni), onlink: true }];
}

function planSubnet({ subnet, vtepMac, publicIp }: OverlaySubnet, nextHops: OverHop): KernelObject[] {
  const [{ link, via }] = nextHops;
  const { protocol } = OVERLAY;
  return [
    { kind: 'neighbour', link, address: via, mac: vtepMac, protocol },
    { kind: 'fdb', link, mac: vtepMac, dst: publicIp },
    remoteRoute(subnet, nextHops),
  ];
}

/** IPv6 has no scopes, and no chain that would want them. Each made in one piece: thousands come at once. */
function remoteRoute(dst: IpPrefix, nextHops: readonly NextHop[], table?: number): Route {
  const { protocol } = OVERLAY;
  if (familyOf(dst) === 6)
    return table === undefined
      ? { kind: 'route', dst, nextHops, protocol }
      : { kind: 'route', dst, table, nextHops, protocol };
  const scope = spreadScope(dst);
  return table === undefined
    ? { kind: 'route', dst, nextHops, protocol, scope }
    : { kind: 'route', dst, table, nextHops, protocol, scope };
}

function planDevice(local: OverlaySubnet, settings: VxlanSettings): KernelObject[] {
  const { family } = local;
  const name = vxlanLinkName(family, settings.vni);
  return [
    {
      kind: 'link',
      name,
      detail: {
        type: 'vxlan',
        vni: settings.vni,
        port: settings.port,
        local: local.localIp ?? local.publicIp,
        underlay: settings.underlayLink,
        learning: settings.learning,
        gbp: settings.gbp,
        // Source NAT of an outer packet does not correct its checksum while the inner one is left to the card: have none.
        ...(family === 4 && { udpChecksum: false }),
      },
      mac: local.vtepMac,
      mtuBytes: settings.underlayMtuBytes - vxlanOverheadBytes(family),
      up: true,
      alias: OVERLAY.alias,
      addressGeneration: 'none',
    },
    {
      kind: 'address',
      link: name,
      address: hostPrefixOf(vtepAddress(local.subnet)),
      scope: 'global',
      noDad: true,
    },
    unusedSubnet(local.subnet),
    nodeRule(local),
    ...forwarding(family, settings.advertisedLinks),
  ];
}
