/** What this release can do of net-conf.json's `Backend`: the settings of a VXLAN overlay, or the reason why packets stay where they are. */
import type { BackendConfig, VxlanConfig } from '#core/lease/index.ts';
import type { VxlanSettings } from '#core/overlay/index.ts';
import type { NodeAddresses } from './node-addresses.ts';

/** The backend if packets can be carried by it, else why not, which value says so, and what would work. */
export function carriedBackend(backend: BackendConfig): VxlanConfig | string {
  if (backend.type === 'vxlan' && !backend.directRouting) return backend;
  const key = backend.type === 'vxlan' ? 'Backend.DirectRouting: true' : `Backend.Type: "${backend.type}"`;
  return `${key} is not carried by this release: this node leases its subnet and keeps it, but attaches no pods and sends no packets; "vxlan" without DirectRouting works`;
}

/** The device's settings for this node's underlay; `links` are the links of others, `readSysctl` reads below /proc/sys. */
export function vxlanSettings(
  backend: VxlanConfig,
  { link }: NodeAddresses,
  links: readonly string[],
  readSysctl: (path: string) => string | undefined,
): VxlanSettings {
  const linkMtu = link.mtuBytes ?? 1500;
  return {
    vni: backend.vni,
    port: backend.port,
    learning: backend.learning,
    gbp: backend.gbp,
    underlayMtuBytes: Math.min(backend.mtuBytes ?? linkMtu, linkMtu),
    underlayLink: link.name,
    advertisedLinks: links.filter((name) => heedsAdvertisements(name, readSysctl)),
  };
}

/** Whether router advertisements count on a link now: so it must stay when the node becomes a router. */
function heedsAdvertisements(link: string, readSysctl: (path: string) => string | undefined): boolean {
  const acceptRa = readSysctl(`net/ipv6/conf/${link}/accept_ra`);
  return acceptRa === '2' || (acceptRa === '1' && readSysctl('net/ipv6/conf/all/forwarding') === '0');
}
