/**
 * The tunnels that Calico's IPPools ask for, as desired kernel state: devices beside the network's own, by which routes that BGP learns go
 * to nodes that are not to be reached as it is. A device and its guard are those of the backends of the same name; what is different is who
 * owns them, and that a peer is a node and not a subnet of it: the node's own address is the gateway, which only this kernel ever sees.
 */
import { localMac } from '#base/hash.ts';
import { canonicalIp, hostPrefixOf, type IpAddress, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import { BGP, type KernelObject, type NextHop, OVERLAY } from '#core/kernel/index.ts';
import type { Underlay } from './backend.ts';
import { ipipTable } from './ipip-guard.ts';
import { NODE_TABLE } from './node-table.ts';
import { spreadScope } from './route-scope.ts';
import { planTunnelEnd } from './tunnel-end.ts';
import { vxlanOverheadBytes } from './vxlan.ts';
import { overlayTable, peerElement, TABLE } from './vxlan-guard.ts';

/** `ipip` is of IPv4 alone, as with Calico. */
export interface PoolTunnel {
  readonly kind: 'vxlan' | 'ipip';
  readonly family: IpFamily;
}

/** This node's end. */
export interface PoolTunnelEnd extends PoolTunnel {
  readonly node: string;
  /** The node's own, where outer packets come from. */
  readonly address: IpAddress;
  /** Where its pods' addresses are from; the first address of it is the end's own. */
  readonly subnet: IpPrefix;
  readonly underlay: Pick<Underlay, 'link' | 'mtuBytes'>;
}

export interface PoolTunnelPeer {
  readonly node: string;
  readonly address: IpAddress;
  /** Packets go to it by the tunnel; else it may send by it all the same. */
  readonly isAcross: boolean;
}

/** Calico's. */
const VNI = 4096;
const PORT = 4789;
const IPIP_OVERHEAD_BYTES = 20;
/** Of outer packets (RFC 2003 section 3.1). */
const TTL = 64;
const LINKS = {
  vxlan: { 4: 'vxlan.poplin', 6: 'vxlan-v6.poplin' },
  ipip: { 4: 'ipip.poplin', 6: '' },
} as const;

export function poolTunnelLink({ kind, family }: PoolTunnel): string {
  return LINKS[kind][family];
}

export function poolTunnelOverheadBytes({ kind, family }: PoolTunnel): number {
  return kind === 'ipip' ? IPIP_OVERHEAD_BYTES : vxlanOverheadBytes(family);
}

/** The next hop of a route to a node by the tunnel. */
export function poolTunnelHop(tunnel: PoolTunnel, peer: Pick<PoolTunnelPeer, 'node' | 'address'>): NextHop {
  const link = poolTunnelLink(tunnel);
  // IPv6 takes no gateway that it has a route to by another link, unless it is link-local.
  return tunnel.family === 6
    ? { via: linkLocalOf(peer.node), link }
    : { via: peer.address, link, onlink: true };
}

/** The device, and the way to each peer. */
export function planPoolTunnel(end: PoolTunnelEnd, peers: readonly PoolTunnelPeer[]): KernelObject[] {
  const { node, family, address, subnet, underlay } = end;
  const local = { node, family, subnet, publicIp: address };
  return [
    deviceOf(end),
    ...planTunnelEnd(local, poolTunnelLink(end), { ...underlay, prefixes: [], advertisedLinks: [] }),
    ...peers.flatMap((peer) => [
      peerElement(family, peer.address),
      ...(peer.isAcross ? planWay(end, peer) : []),
    ]),
  ].map((object) => asOfBgp(object, end.kind));
}

/** Packets of tunnels are taken from peers alone; for all ends of this node together. */
export function planPoolGuards(ends: readonly PoolTunnelEnd[]): KernelObject[] {
  const of = (kind: PoolTunnel['kind']) => ends.filter((end) => end.kind === kind);
  const [vxlan, ipip] = [of('vxlan').map(({ family }) => family), of('ipip')];
  const guarded = ipip.map(({ family, address }) => ({ family, local: address }));
  return [
    ...(vxlan.length === 0 ? [] : overlayTable(vxlan, PORT, VNI).map((object) => asOfBgp(object, 'vxlan'))),
    ...(ipip[0] === undefined
      ? []
      : ipipTable(guarded, ipip[0].underlay.link).map((object) => asOfBgp(object, 'ipip'))),
  ];
}

function deviceOf(end: PoolTunnelEnd): KernelObject {
  const { kind, family, node, address, underlay } = end;
  const base = {
    kind: 'link',
    name: poolTunnelLink(end),
    mtuBytes: underlay.mtuBytes - poolTunnelOverheadBytes(end),
    up: true,
    alias: BGP.alias,
    addressGeneration: 'none',
  } as const;
  if (kind === 'ipip') return { ...base, detail: { type: 'ipip', local: address, ttl: TTL } };
  const detail = {
    type: 'vxlan',
    vni: VNI,
    port: PORT,
    local: address,
    underlay: underlay.link,
    learning: false,
    // See vxlan.ts.
    ...(family === 4 && { udpChecksum: false }),
  } as const;
  return { ...base, mac: macOf(node, family), detail };
}

/** Pods reach the node's own address by the tunnel too, where nothing between knows pods. */
function planWay(end: PoolTunnelEnd, peer: PoolTunnelPeer): KernelObject[] {
  const { kind, family } = end;
  const [link, hop, mac] = [poolTunnelLink(end), poolTunnelHop(end, peer), macOf(peer.node, family)];
  const { protocol } = BGP;
  const dst = hostPrefixOf(peer.address);
  const way: KernelObject = {
    kind: 'route',
    dst,
    table: NODE_TABLE,
    nextHops: [hop],
    protocol,
    ...(family === 4 && { scope: spreadScope(dst) }),
  };
  if (kind === 'ipip') return [way];
  return [
    { kind: 'neighbour', link, address: hop.via ?? peer.address, mac, protocol },
    { kind: 'fdb', link, mac, dst: peer.address },
    way,
  ];
}

/** It follows from the node's name, so that nobody has to be told. */
function macOf(node: string, family: IpFamily): string {
  return localMac(`poplin pool ${node} ${family}`);
}

/** RFC 4291 appendix A: the interface identifier of a MAC. */
function linkLocalOf(node: string): IpAddress {
  const [a = 0, ...rest] = macOf(node, 6)
    .split(':')
    .map((byte) => Number.parseInt(byte, 16));
  const bytes = [a ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  const groups = [0, 2, 4, 6].map((at) => (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  const text = `fe80::${groups.join(':')}`;
  return canonicalIp(text) ?? text;
}

function asOfBgp(object: KernelObject, kind: PoolTunnel['kind']): KernelObject {
  const table = `poplin-bgp-${kind}`;
  switch (object.kind) {
    case 'route':
    case 'rule':
      return object.protocol === OVERLAY.protocol ? { ...object, protocol: BGP.protocol } : object;
    case 'nft-table':
      return object.name === TABLE ? { ...object, name: table } : object;
    case 'nft-chain':
    case 'nft-set':
    case 'nft-element':
      return object.table === TABLE ? { ...object, table } : object;
    default:
      return object;
  }
}
