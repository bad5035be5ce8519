/** From net-conf.json's `Backend` to what carries packets on this node: a planner of kernel state, and where needed a program beside it. */
import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import { type IpFamily, type IpPrefix, type MacAddress, networkOf } from '#base/ip/index.ts';
import { type KernelState, ownerOf } from '#core/kernel/index.ts';
import { enabledFamilies, type NetConf, poolOf, type WireguardConfig } from '#core/lease/index.ts';
import {
  type Backend,
  type Carrier,
  hostGwBackend,
  ipipBackend,
  leasesOnly,
  type OwnAddresses,
  standingVtepMac,
  type Underlay,
  udpBackend,
  vxlanBackend,
  wireguardBackend,
} from '#core/overlay/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { loadWireguardKeys, wireguardKeyProblem } from '#io/wireguard-key/index.ts';
import { ExtensionCarrier, prepareExtension } from './extension-carrier.ts';
import type { NodeAddresses } from './node-addresses.ts';
import { TunnelCarrier } from './tunnel-carrier.ts';

export interface Carrying {
  readonly backend: Backend;
  readonly carrier?: Carrier;
  /** What an operator should know of what the backend takes from the host, one sentence each, as it is now. */
  readonly problemTexts?: () => readonly string[];
}

/** What backends need of their node. */
export interface BackendSurroundings {
  /** The kernel as it is found. */
  readonly state: KernelState;
  readonly underlay: Underlay;
  /** The node's own addresses there. */
  readonly own: OwnAddresses;
  readonly namespace: Namespace;
  /** Of the process that carries the packets of `udp`. */
  readonly tunnelSocket: string;
  readonly wireguardKeyFile: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** What carries packets for a configuration; or why nothing does, which value says so, and what would work. */
export async function openBackend(netConf: NetConf, node: BackendSurroundings): Promise<Carrying | string> {
  const { underlay, own } = node;
  const config = netConf.backend;
  switch (config.type) {
    case 'vxlan':
      return { backend: vxlanBackend(config, underlay, standingMacs(node.state, config.vni)) };
    case 'host-gw':
      return { backend: hostGwBackend(config, underlay) };
    case 'udp':
      return {
        backend: udpBackend(config, underlay),
        carrier: new TunnelCarrier({
          ...node,
          socketPath: node.tunnelSocket,
          port: config.port,
          network: underlay.network ?? 0,
        }),
      };
    case 'ipip':
      return { backend: ipipBackend(config, underlay, own) };
    case 'wireguard':
      return openWireguard(netConf, config, node);
    case 'alloc':
      return { backend: leasesOnly(config, underlay) };
    case 'extension': {
      const told = await prepareExtension(config, node.signal);
      return {
        backend: leasesOnly(config, underlay, told),
        carrier: new ExtensionCarrier({ ...node, config, netConf }),
      };
    }
    case 'ipsec':
      return 'Backend.Type: "ipsec" is not carried: this node leases its subnet and keeps it, but attaches no pods and sends no packets; "wireguard" encrypts';
  }
}

async function openWireguard(
  netConf: NetConf,
  config: WireguardConfig,
  { wireguardKeyFile, underlay, own, logger }: BackendSurroundings,
): Promise<Carrying> {
  const keys = await loadWireguardKeys(wireguardKeyFile);
  if (keys.made) logger.info({ file: wireguardKeyFile }, 'WireGuard key made');
  const problem = wireguardKeyProblem(wireguardKeyFile);
  if (problem !== undefined) logger.warn({ reason: problem }, 'WireGuard key');
  const networks = enabledFamilies(netConf).map((key) => poolOf(netConf, key).network);
  return {
    backend: wireguardBackend(config, underlay, { keys, own, networks }),
    // Looked at whenever the status is asked for: what is mended is no problem any longer.
    problemTexts: () => [wireguardKeyProblem(wireguardKeyFile)].filter((text) => text !== undefined),
  };
}

/** As found now: a device that is made anew has the MAC that the node's lease tells. */
function standingMacs(state: KernelState, vni: number): (family: IpFamily) => MacAddress | undefined {
  const found = { 4: standingVtepMac(state, 4, vni), 6: standingVtepMac(state, 6, vni) };
  return (family) => found[family];
}

/** The underlay as the kernel has it; `readSysctl` reads below /proc/sys. */
export function underlayOf(
  state: KernelState,
  { link }: NodeAddresses,
  readSysctl: (path: string) => string | undefined,
): Underlay {
  return {
    link: link.name,
    mtuBytes: link.mtuBytes ?? 1500,
    prefixes: adjacentPrefixes(state, link.name),
    advertisedLinks: foreignLinks(state).filter((name) => heedsAdvertisements(name, readSysctl)),
  };
}

/** What a link reaches without a router: the networks of its addresses. */
function adjacentPrefixes(state: KernelState, link: string): IpPrefix[] {
  const prefixes = new Set<IpPrefix>();
  for (const object of state.values()) {
    if (object.kind !== 'address' || object.link !== link || object.address.startsWith('fe80:')) continue;
    prefixes.add(networkOf(object.address));
  }
  return [...prefixes];
}

/** Links that are not ours: those whose routes are somebody else's affair. */
function foreignLinks(state: KernelState): string[] {
  const links: string[] = [];
  for (const object of state.values()) {
    if (object.kind === 'link' && object.name !== 'lo' && ownerOf(object, state) === undefined)
      links.push(object.name);
  }
  return links;
}

/** Whether router advertisements count on a link now: so it must stay when the node becomes a router. */
function heedsAdvertisements(link: string, readSysctl: (path: string) => string | undefined): boolean {
  const acceptRa = readSysctl(`net/ipv6/conf/${link}/accept_ra`);
  return acceptRa === '2' || (acceptRa === '1' && readSysctl('net/ipv6/conf/all/forwarding') === '0');
}
