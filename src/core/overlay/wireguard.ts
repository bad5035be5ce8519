/**
 * flannel's wireguard backend as desired kernel state. A remote node is a peer, with its subnets and its own addresses as allowed IPs;
 * both families of a node may share a device and a peer, wanted by each of its leases (modes auto, ipv4 and ipv6), or have a device
 * each (mode separate). Outer packets come from the node's own address, which no rule sends into the tunnel. Which source addresses a
 * peer may use is WireGuard's to see to: there is no guard beside it.
 */
import {
  familyOf,
  hostPrefixOf,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  prefixContains,
  prefixesOverlap,
} from '#base/ip/index.ts';
import { type KernelObject, OVERLAY, type WireguardPeer } from '#core/kernel/index.ts';
import type { BackendData, WireguardConfig } from '#core/lease/index.ts';
import type { Backend, LocalSubnet, RemoteSubnet, Underlay } from './backend.ts';
import { unusedSubnet } from './forwarding.ts';
import { podMtuBytes } from './mtu.ts';
import { NODE_TABLE } from './node-table.ts';
import { type OwnAddresses, planTunnelEnd } from './tunnel-end.ts';

/** A node's key pair, 32 bytes each, in base64. */
export interface WireguardKeys {
  /** A secret; clamped, as the kernel keeps it. */
  readonly privateKey: string;
  readonly publicKey: string;
}

/** What the backend needs of its node. */
export interface WireguardNode {
  readonly keys: WireguardKeys;
  readonly own: OwnAddresses;
  /** The pod networks of net-conf.json: nothing to them leaves the node in clear. */
  readonly networks: readonly IpPrefix[];
}

/** flannel's figure for both outer families: IPv6 40, UDP 8, WireGuard 32. */
const OVERHEAD_BYTES = 80;
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
/** Of a family whose addresses are no endpoints in this mode. */
const NO_ENDPOINT_RANK = 4;

export function wireguardBackend(config: WireguardConfig, underlay: Underlay, node: WireguardNode): Backend {
  const outerMtuBytes = Math.min(config.mtuBytes ?? underlay.mtuBytes, underlay.mtuBytes);
  return {
    type: 'wireguard',
    podMtuBytes: (families) => {
      const needed = config.mode === 'ipv4' ? 4 : config.mode === 'ipv6' ? 6 : undefined;
      if (needed !== undefined && !families.includes(needed))
        throw new RangeError(
          `Backend.Mode "${config.mode}" sends packets to the nodes' IPv${needed} addresses, and the network has no IPv${needed}: ` +
            'nodes would have none; take "separate" or "auto"',
        );
      return podMtuBytes(outerMtuBytes, families, () => OVERHEAD_BYTES);
    },
    offer: () => ({ PublicKey: node.keys.publicKey }),
    planLocal: (locals) => planLocal(locals, config, underlay, node),
    planRemote: (remote) => planRemote(remote, config, underlay, node),
    probedLinks: () => [],
  };
}

/**
 * The names flannel gives, and like them those of a host's further networks. The first is that of the one device in all modes but
 * `separate`, too.
 */
function linkOf({ mode }: WireguardConfig, family: IpFamily, { network = 0 }: Underlay): string {
  const name = mode === 'separate' && family === 6 ? 'flannel-wg-v6' : 'flannel-wg';
  return network === 0 ? name : `${name}.${network}`;
}

function portOf({ mode, listenPort, listenPortV6 }: WireguardConfig, family: IpFamily): number {
  return mode === 'separate' && family === 6 ? listenPortV6 : listenPort;
}

function planLocal(
  locals: readonly LocalSubnet[],
  config: WireguardConfig,
  underlay: Underlay,
  node: WireguardNode,
): KernelObject[] {
  const outerMtuBytes = Math.min(config.mtuBytes ?? underlay.mtuBytes, underlay.mtuBytes);
  const ports = new Map(
    locals.map(({ family }) => [linkOf(config, family, underlay), portOf(config, family)]),
  );
  const devices = [...ports].flatMap(([name, listenPort]): KernelObject[] => [
    {
      kind: 'link',
      name,
      detail: { type: 'wireguard' },
      mtuBytes: outerMtuBytes - OVERHEAD_BYTES,
      up: true,
      alias: OVERLAY.alias,
      addressGeneration: 'none',
    },
    { kind: 'wireguard-device', link: name, privateKey: node.keys.privateKey, listenPort },
  ]);
  const families = locals.map(({ family }) => family);
  return [
    ...devices,
    ...locals.flatMap((local) => planTunnelEnd(local, linkOf(config, local.family, underlay), underlay)),
    // What no peer has is refused: it would leave by the default route, for all to read.
    ...node.networks
      .filter((network) => families.includes(familyOf(network)) && !isUnderlay(network, underlay, node.own))
      .map((network) => unusedSubnet(network)),
  ];
}

/** Nodes have addresses of such a network: then not all of it is the pods'. */
function isUnderlay(network: IpPrefix, { prefixes }: Underlay, { ipv4, ipv6 }: OwnAddresses): boolean {
  const addresses = [ipv4, ipv6].filter((address) => address !== undefined);
  return (
    prefixes.some((prefix) => prefixesOverlap(prefix, network)) ||
    addresses.some((address) => prefixContains(network, address))
  );
}

function planRemote(
  remote: RemoteSubnet,
  config: WireguardConfig,
  underlay: Underlay,
  node: WireguardNode,
): KernelObject[] | string {
  const { family, subnet, publicIp } = remote;
  if (familyOf(publicIp) !== family) return `its public address ${publicIp} is not IPv${family}`;
  const publicKey = publicKeyOf(remote.backendData);
  if (publicKey === undefined) return 'its backend data has no PublicKey of 32 bytes in base64';
  if (publicKey === node.keys.publicKey)
    return `its PublicKey is this node's own: one of the two has a copied key file, remove it and start that node's agent again`;
  const link = linkOf(config, family, underlay);
  const nextHops = [{ link }];
  const { protocol } = OVERLAY;
  const nodeAddress = hostPrefixOf(publicIp);
  return [
    {
      kind: 'wireguard-peer',
      link,
      publicKey,
      presharedKey: config.psk ?? '',
      keepaliveSec: config.persistentKeepaliveSec,
      ...endpointOf(remote, config, node.own),
    },
    { kind: 'wireguard-allowed-ip', link, prefix: subnet, publicKey },
    { kind: 'wireguard-allowed-ip', link, prefix: nodeAddress, publicKey },
    { kind: 'route', dst: subnet, nextHops, protocol },
    { kind: 'route', dst: nodeAddress, table: NODE_TABLE, nextHops, protocol },
  ];
}

function publicKeyOf(data: BackendData | undefined): string | undefined {
  if (typeof data !== 'object' || data === null || !('PublicKey' in data)) return undefined;
  const { PublicKey: key } = data;
  return typeof key === 'string' && KEY.test(key) ? key : undefined;
}

/**
 * The address of this family as an endpoint. Where families share a peer each wants its own, and the rank says which counts: as flannel
 * chooses in mode auto, IPv4 if the peer's is public; else IPv6 if the peer's and this node's are; else whatever there is, IPv4 first.
 */
function endpointOf(
  { family, publicIp }: RemoteSubnet,
  config: WireguardConfig,
  own: OwnAddresses,
): Pick<WireguardPeer, 'endpoint' | 'rank'> {
  const endpoint = { address: publicIp, port: portOf(config, family) };
  switch (config.mode) {
    case 'separate':
      return { endpoint };
    case 'ipv4':
      return family === 4 ? { endpoint } : { rank: NO_ENDPOINT_RANK };
    case 'ipv6':
      return family === 6 ? { endpoint } : { rank: NO_ENDPOINT_RANK };
    case 'auto': {
      if (family === 4) return { endpoint, rank: own.ipv4 !== undefined && !isPrivate(publicIp) ? 0 : 2 };
      const isPublic = own.ipv6 !== undefined && !isPrivate(own.ipv6) && !isPrivate(publicIp);
      return { endpoint, rank: isPublic ? 1 : 3 };
    }
  }
}

/** RFC 1918 section 3, RFC 4193 section 3. */
const PRIVATE: readonly IpPrefix[] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'];

function isPrivate(address: IpAddress): boolean {
  return PRIVATE.some((prefix) => familyOf(prefix) === familyOf(address) && prefixContains(prefix, address));
}
