export type { Backend, LocalSubnet, RemoteSubnet, Underlay } from './backend.ts';
export {
  NODE_TABLE,
  type OverlaySubnet,
  overlayMtuBytes,
  planLocal,
  planRemote,
  type VxlanSettings,
  vtepAddress,
  vtepMac,
  vxlanLinkName,
  vxlanOverheadBytes,
} from './vxlan.ts';
