/**
 * Link messages, RTM_NEWLINK and its kin (linux/rtnetlink.h, linux/if_link.h). Statistics are left undeclared: they survive as
 * unknown attributes. Messages of family AF_BRIDGE use other attributes and are not described here.
 */
import { i32, named, struct, u8, u32, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributeList, attributes, dependentNest, nest } from '../attribute.ts';
import { bareKernelText, kernelText } from './kernel-text.ts';
import { linkHeaderFields } from './link-header.ts';
import { bridgeDetail } from './link-kinds/bridge.ts';
import { bridgePort, bridgePortRows } from './link-kinds/bridge-port.ts';
import { dummyDetail } from './link-kinds/dummy.ts';
import { ifbDetail } from './link-kinds/ifb.ts';
import { ip6tnlDetail } from './link-kinds/ip6tnl.ts';
import { ipipDetail } from './link-kinds/ipip.ts';
import { ipvlanDetail } from './link-kinds/ipvlan.ts';
import { macvlanDetail } from './link-kinds/macvlan.ts';
import { tunDetail } from './link-kinds/tun.ts';
import { vethDetail } from './link-kinds/veth.ts';
import { vlanDetail } from './link-kinds/vlan.ts';
import { vrfDetail } from './link-kinds/vrf.ts';
import { vxlanDetail } from './link-kinds/vxlan.ts';
import { wireguardDetail } from './link-kinds/wireguard.ts';
import { linkLayerAddress } from './link-layer-address.ts';

export const RTM_LINK = { NEW: 16, DEL: 17, GET: 18, SET: 19 } as const;

/** IFLA_EXT_MASK: leave the statistics out of answers. */
export const RTEXT_FILTER_SKIP_STATS = 1 << 3;

const linkDetails = {
  veth: vethDetail,
  bridge: bridgeDetail,
  vxlan: vxlanDetail,
  macvlan: macvlanDetail,
  ipvlan: ipvlanDetail,
  vlan: vlanDetail,
  vrf: vrfDetail,
  dummy: dummyDetail,
  ifb: ifbDetail,
  tun: tunDetail,
  ipip: ipipDetail,
  ip6tnl: ip6tnlDetail,
  wireguard: wireguardDetail,
} as const;

const kindRows = {
  kind: attribute(1, kernelText),
  data: dependentNest(2, 'kind', linkDetails),
  slaveKind: attribute(4, kernelText),
} as const;
const linkKind = attributes({
  ...kindRows,
  slaveData: dependentNest(5, 'slaveKind', { bridge: bridgePort }),
});

const addressGeneration = attribute(8, named(u8, { eui64: 0, none: 1, stablePrivacy: 2, random: 3 }));
const addressFamilies = attributes({
  inet6: nest(10, attributes({ flags: attribute(1, u32), addressGeneration })),
});

const linkRows = {
  address: attribute(1, linkLayerAddress),
  broadcast: attribute(2, linkLayerAddress),
  name: attribute(3, kernelText),
  mtu: attribute(4, u32),
  link: attribute(5, u32),
  qdisc: attribute(6, kernelText),
  master: attribute(10, u32),
  transmitQueueLength: attribute(13, u32),
  operationalState: attribute(16, u8),
  linkMode: attribute(17, u8),
  kind: nest(18, linkKind),
  netnsPid: attribute(19, u32),
  alias: attribute(20, bareKernelText),
  addressFamilies: nest(26, addressFamilies),
  group: attribute(27, u32),
  netnsFd: attribute(28, u32),
  extensions: attribute(29, u32),
  promiscuity: attribute(30, u32),
  transmitQueues: attribute(31, u32),
  receiveQueues: attribute(32, u32),
  carrier: attribute(33, u8),
  carrierChanges: attribute(35, u32),
  linkNetnsId: attribute(37, i32),
  protoDown: attribute(39, u8),
  gsoMaxSegments: attribute(40, u32),
  gsoMaxSize: attribute(41, u32),
  newNetnsId: attribute(45, i32),
  targetNetnsId: attribute(46, i32),
  newIndex: attribute(49, i32),
  minMtu: attribute(50, u32),
  maxMtu: attribute(51, u32),
  alternativeNames: nest(52, attributeList(53, kernelText, false)),
  permanentAddress: attribute(54, linkLayerAddress),
} as const;
export const linkAttributes = attributes(linkRows);

export const linkMessage = struct({ ...linkHeaderFields, attributes: linkAttributes });
export type LinkMessage = ValueOf<typeof linkMessage>;

const { hairpin, isolated } = bridgePortRows;
const { address, name, mtu, link, master, transmitQueueLength, alias, linkNetnsId } = linkRows;

/**
 * What of a link message the vocabulary has words for, everything else passed over: each change of a port of a bridge is told several
 * times, in two kilobytes. For decoding; what was passed over is not written again.
 */
export const seenLinkMessage = struct({
  ...linkHeaderFields,
  attributes: attributes(
    {
      address,
      name,
      mtu,
      link,
      master,
      transmitQueueLength,
      kind: nest(
        18,
        attributes(
          {
            ...kindRows,
            slaveData: dependentNest(5, 'slaveKind', { bridge: attributes({ hairpin, isolated }, true) }),
          },
          true,
        ),
      ),
      alias,
      addressFamilies: nest(
        26,
        attributes({ inet6: nest(10, attributes({ addressGeneration }, true)) }, true),
      ),
      linkNetnsId,
    },
    true,
  ),
});
export type SeenLinkMessage = ValueOf<typeof seenLinkMessage>;
