/** What the planned network would make of this node, asked of the planners that will: links, ports and bytes per packet. */
import { familyOf, type IpAddress, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import type { Link } from '#core/kernel/index.ts';
import type { BackendConfig } from '#core/lease/index.ts';
import {
  type Backend,
  hostGwBackend,
  ipipBackend,
  leasesOnly,
  type Underlay,
  udpBackend,
  vxlanBackend,
  wireguardBackend,
} from '#core/overlay/index.ts';
import type { HostFacts, HostLink, InstallPlan } from './facts.ts';

/** Bytes; no backend puts so many around a packet. */
const ROOMY_MTU_BYTES = 9000;
const EXAMPLES: Readonly<Record<IpFamily, { readonly subnet: IpPrefix; readonly address: IpAddress }>> = {
  4: { subnet: '10.244.1.0/24', address: '192.0.2.1' },
  6: { subnet: 'fd00:10:244:1::/64', address: '2001:db8::1' },
};
/** No key: it is never given to a kernel. */
const KEY = `${'A'.repeat(43)}=`;

/** The planner of a configuration on an underlay of this MTU; undefined if there is none. */
function backendOf(config: BackendConfig, link: string, mtuBytes: number): Backend | undefined {
  const underlay: Underlay = { link, mtuBytes, prefixes: [], advertisedLinks: [] };
  const own = { ipv4: EXAMPLES[4].address, ipv6: EXAMPLES[6].address };
  switch (config.type) {
    case 'vxlan':
      return vxlanBackend(config, underlay);
    case 'host-gw':
      return hostGwBackend(config, underlay);
    case 'udp':
      return udpBackend(config, underlay);
    case 'ipip':
      return ipipBackend(config, underlay, own);
    case 'wireguard':
      return wireguardBackend(config, underlay, {
        keys: { privateKey: KEY, publicKey: KEY },
        own,
        networks: [],
      });
    case 'alloc':
    case 'extension':
      return leasesOnly(config, underlay);
    case 'ipsec':
      return undefined;
  }
}

/** False for a backend that no planner is there for. */
export function isCarried({ netConf }: InstallPlan): boolean {
  return backendOf(netConf.backend, '', ROOMY_MTU_BYTES) !== undefined;
}

/** The MTU of pods on an underlay of `mtuBytes`; or a sentence that says why there is none, and how large an underlay would do. */
export function podMtu(
  { netConf, families }: InstallPlan,
  mtuBytes: number,
): number | { readonly refusal: string; readonly isTooSmall: boolean } {
  const ask = (bytes: number) => backendOf(netConf.backend, '', bytes)?.podMtuBytes(families) ?? bytes;
  try {
    return ask(mtuBytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    try {
      ask(ROOMY_MTU_BYTES);
      return { refusal: error.message, isTooSmall: true };
    } catch {
      return { refusal: error.message, isTooSmall: false };
    }
  }
}

/** The links that the node gets, of each with the family of its outer packets where it has a port. */
export function plannedLinks({ netConf, families }: InstallPlan): readonly Link[] {
  const backend = backendOf(netConf.backend, '', ROOMY_MTU_BYTES);
  const locals = families.map((family) => ({
    node: '',
    family,
    subnet: EXAMPLES[family].subnet,
    publicIp: EXAMPLES[family].address,
  }));
  return (backend?.planLocal(locals) ?? []).filter((object) => object.kind === 'link');
}

/** The UDP port on which packets of other nodes come in, by family; undefined where there is none. */
export function portsOf(backend: BackendConfig): Readonly<Record<IpFamily, number>> | undefined {
  switch (backend.type) {
    case 'vxlan':
    case 'udp':
      return { 4: backend.port, 6: backend.port };
    case 'wireguard':
      return {
        4: backend.listenPort,
        6: backend.mode === 'separate' ? backend.listenPortV6 : backend.listenPort,
      };
    default:
      return undefined;
  }
}

/** The link the agent would choose, as app/agent/iface-selection does; or why it would choose none. */
export function underlayOf(
  { links, defaultRoutes }: Pick<HostFacts, 'links' | 'defaultRoutes'>,
  { families, iface }: InstallPlan,
): HostLink | { readonly lacking: { readonly link: string; readonly family: IpFamily } } | undefined {
  const named = (name: string) => links.find((link) => link.name === name || link.addresses.includes(name));
  const candidates =
    iface === undefined
      ? families.flatMap((family) => defaultRoutes.filter((route) => route.family === family))
      : [{ link: iface }];
  let lacking: { link: string; family: IpFamily } | undefined;
  for (const { link: name } of candidates) {
    const link = named(name);
    if (link === undefined) continue;
    const family = families.find((each) => !link.addresses.some((address) => familyOf(address) === each));
    if (family === undefined) return link;
    lacking ??= { link: link.name, family };
  }
  return lacking && { lacking };
}
