export type { Backend, LocalSubnet, RemoteSubnet, Underlay } from './backend.ts';
export type { Carrier } from './carrier.ts';
export { asOfNetwork } from './further-network.ts';
export { hostGwBackend } from './host-gw.ts';
export { ipipBackend } from './ipip.ts';
export { leasesOnly } from './leases-only.ts';
export { NODE_TABLE } from './node-table.ts';
export {
  type PoolTunnel,
  type PoolTunnelEnd,
  type PoolTunnelPeer,
  planPoolGuards,
  planPoolTunnel,
  poolTunnelHop,
  poolTunnelLink,
  poolTunnelOverheadBytes,
} from './pool-tunnel.ts';
export { planTakeOver, standingVtepMac } from './take-over.ts';
export type { OwnAddresses } from './tunnel-end.ts';
export { tunnelLinkName, udpBackend } from './udp.ts';
export {
  type OverlaySubnet,
  planLocal,
  planRemote,
  planRemoteSubnet,
  type VxlanSettings,
  vtepAddress,
  vtepMac,
  vxlanLinkName,
} from './vxlan.ts';
export { vxlanBackend } from './vxlan-backend.ts';
export { type WireguardKeys, type WireguardNode, wireguardBackend } from './wireguard.ts';
