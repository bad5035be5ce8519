/** The backend `vxlan`. With DirectRouting, nodes of the same network are reached by plain routes, and only others through the tunnel. */
import { formatMac, type IpFamily, type MacAddress, parseMac } from '#base/ip/index.ts';
import { type VxlanConfig, vtepOf } from '#core/lease/index.ts';
import type { Backend, RemoteSubnet, Underlay } from './backend.ts';
import { podMtuBytes } from './mtu.ts';
import { directRoute, isAdjacent } from './underlay-route.ts';
import {
  planLocal,
  planRemote,
  type VxlanSettings,
  vtepMac,
  vxlanLinkName,
  vxlanOverheadBytes,
} from './vxlan.ts';
import { peerElement } from './vxlan-guard.ts';

/** `standingMac`: that of the family's tunnel end as it was found, which is kept; without one it follows from the node's name. */
export function vxlanBackend(
  config: VxlanConfig,
  underlay: Underlay,
  standingMac: (family: IpFamily) => MacAddress | undefined = () => undefined,
): Backend {
  const { vni, type } = config;
  const macOf = (node: string, family: IpFamily) => standingMac(family) ?? vtepMac(node, family, vni);
  const settings: VxlanSettings = {
    vni,
    port: config.port,
    learning: config.learning,
    gbp: config.gbp,
    underlayMtuBytes: Math.min(config.mtuBytes ?? underlay.mtuBytes, underlay.mtuBytes),
    underlayLink: underlay.link,
    advertisedLinks: underlay.advertisedLinks,
  };
  return {
    type,
    podMtuBytes: (families) => podMtuBytes(settings.underlayMtuBytes, families, vxlanOverheadBytes),
    offer: (node, family) => ({ VNI: vni, VtepMAC: macOf(node, family) }),
    planLocal: (locals) =>
      planLocal(
        locals.map((local) => ({ ...local, vtepMac: macOf(local.node, local.family) })),
        settings,
      ),
    planRemote: (remote) => {
      const mac = remoteVtep(remote, vni);
      if (!mac.ok) return mac.reason;
      if (config.directRouting && isAdjacent(underlay, remote.publicIp))
        // It may send through the tunnel all the same, if it was told otherwise.
        return [directRoute(remote, underlay), peerElement(remote.family, remote.publicIp)];
      return planRemote({ ...remote, vtepMac: mac.mac }, settings);
    },
    probedLinks: (families) => families.map((family) => vxlanLinkName(family, vni)),
  };
}

function remoteVtep(
  remote: RemoteSubnet,
  vni: number,
): { readonly ok: true; readonly mac: string } | { readonly ok: false; readonly reason: string } {
  const refuse = (reason: string) => ({ ok: false, reason }) as const;
  const vtep = vtepOf(remote);
  if (vtep === undefined) return refuse('its backend data name no VXLAN tunnel end (VNI and VtepMAC)');
  if (vtep.vni !== vni) return refuse(`VNI ${vtep.vni}, this node has ${vni}`);
  const mac = parseMac(vtep.mac);
  // IEEE 802: bit 0 of the first byte marks a group
  if (mac === undefined || ((mac[0] as number) & 1) !== 0 || mac.every((byte) => byte === 0))
    return refuse(`its VtepMAC "${vtep.mac}" is no MAC address of a device`);
  return { ok: true, mac: formatMac(mac) };
}
