/** The wire layer of rtnetlink and generic netlink, and its mapping to core/kernel. nf_tables: core/netlink/nftables. */
import { type RegisteredCodec, registry } from '#core/codec/index.ts';
import { conntrackMessage } from './conntrack/index.ts';
import { cappedErrorMessage, extendedAck } from './errors.ts';
import { controlMessage } from './generic/control.ts';
import { ethtoolFeatures } from './generic/ethtool.ts';
import { wireguardMessage } from './generic/wireguard.ts';
import { logConfigMessage, logPacketMessage } from './log/index.ts';
import { messageHeader } from './message.ts';
import { addressMessage } from './route/address.ts';
import { bridgeMessage } from './route/bridge-message.ts';
import { linkMessage } from './route/link.ts';
import { bridgeDetail } from './route/link-kinds/bridge.ts';
import { bridgePort } from './route/link-kinds/bridge-port.ts';
import { dummyDetail } from './route/link-kinds/dummy.ts';
import { ifbDetail } from './route/link-kinds/ifb.ts';
import { ip6tnlDetail } from './route/link-kinds/ip6tnl.ts';
import { ipipDetail } from './route/link-kinds/ipip.ts';
import { ipvlanDetail } from './route/link-kinds/ipvlan.ts';
import { macvlanDetail } from './route/link-kinds/macvlan.ts';
import { tunDetail } from './route/link-kinds/tun.ts';
import { vethDetail } from './route/link-kinds/veth.ts';
import { vlanDetail } from './route/link-kinds/vlan.ts';
import { vrfDetail } from './route/link-kinds/vrf.ts';
import { vxlanDetail } from './route/link-kinds/vxlan.ts';
import { wireguardDetail } from './route/link-kinds/wireguard.ts';
import { neighbourMessage } from './route/neighbour.ts';
import { routeMessage } from './route/route.ts';
import { ruleMessage } from './route/rule.ts';
import { ip6Encap, ipEncap } from './route/tunnel-encap.ts';
import { filterMessage } from './traffic/filter.ts';
import { qdiscMessage } from './traffic/qdisc.ts';

export {
  type Attribute,
  type AttributesValue,
  type AttributeTable,
  attribute,
  attributeList,
  attributes,
  dependentNest,
  MAX_ATTRIBUTE_BYTES,
  nest,
  type RawAttribute,
  repeatedAttribute,
} from './attribute.ts';
export { errnoName, errnoText } from './errno.ts';
export { decodeVerdict, type KernelVerdict } from './errors.ts';
export { decodeFamily, familyRequest, type GenericFamily } from './generic/control.ts';
export {
  type DeviceFeatures,
  decodeFeatures,
  ETHTOOL_FAMILY,
  featuresRequest,
  setFeaturesRequest,
} from './generic/ethtool.ts';
export { type SetEndpoints, WireguardMirror } from './generic/wireguard-mirror.ts';
export { deviceRequest, encodeWireguardOp, WIREGUARD_FAMILY } from './generic/wireguard-op.ts';
export {
  decodeMessage,
  encodeMessage,
  HEADER_BYTES,
  type Message,
  messageType,
  NLM_F,
  NLMSG,
} from './message.ts';
export { AdditionPack, isPlainAddition, type PlainAddition } from './route/addition-pack.ts';
export { applyAll } from './route/apply-all.ts';
export { decodeLink } from './route/decode.ts';
export {
  DUMP_KINDS,
  type DumpKind,
  dumpRequests,
  linkAddressesRequest,
  linkRequest,
  ROUTE_GROUPS,
} from './route/dump.ts';
export { encodeOp, linkSteps } from './route/encode.ts';
export { encodeGroupLink, encodeRemoveGroup } from './route/encode-group.ts';
export { encodeRenameLink } from './route/encode-rename.ts';
export { linkMessage } from './route/link.ts';
export { isMissingLink, type LinkIndex, MissingLinkError } from './route/link-index.ts';
export { isOwnAddress, lookedUpHop, routeLookup } from './route/lookup.ts';
export { RouteMirror } from './route/mirror.ts';
export { QUIET_ENTRIES, QUIET_TYPES } from './route/quiet-changes.ts';
export { fullSnapshotRequests, snapshotOf, snapshotRequests } from './route/snapshot.ts';

/** Every codec of rtnetlink and generic netlink, by name. */
export const NETLINK_CODECS: readonly RegisteredCodec[] = [
  ...registry('netlink', { header: messageHeader, error: cappedErrorMessage, extendedAck }),
  ...registry('route', {
    link: linkMessage,
    address: addressMessage,
    route: routeMessage,
    neighbour: neighbourMessage,
    rule: ruleMessage,
    bridge: bridgeMessage,
  }),
  ...registry('link kind', {
    veth: vethDetail,
    bridge: bridgeDetail,
    vxlan: vxlanDetail,
    ipvlan: ipvlanDetail,
    macvlan: macvlanDetail,
    vlan: vlanDetail,
    vrf: vrfDetail,
    dummy: dummyDetail,
    ifb: ifbDetail,
    tun: tunDetail,
    ipip: ipipDetail,
    ip6tnl: ip6tnlDetail,
    wireguard: wireguardDetail,
    bridgePort,
  }),
  ...registry('traffic', { qdisc: qdiscMessage, filter: filterMessage }),
  ...registry('conntrack', { entry: conntrackMessage }),
  ...registry('log', { config: logConfigMessage, packet: logPacketMessage }),
  ...registry('tunnel encapsulation', { ip: ipEncap, ip6: ip6Encap }),
  ...registry('generic', { control: controlMessage, ethtoolFeatures, wireguard: wireguardMessage }),
];
