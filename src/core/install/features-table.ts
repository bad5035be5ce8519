/** What Poplin asks of the kernel, what of the kernel brings it, and who needs it. */
import type { BackendType } from '#core/lease/index.ts';

/** A module, with the option that builds it; or an option alone, which loading cannot make good. */
export interface FeaturePart {
  readonly option: string;
  readonly module?: string;
}

export interface FeatureRow {
  /** In words, for the report. */
  readonly what: string;
  /** All of them are needed. */
  readonly parts: readonly FeaturePart[];
  /** The first version that has it, `5.6`, where no option tells. */
  readonly since?: string;
  /** Without it nothing works, or only these do not. */
  readonly neededBy:
    | 'all'
    | {
        readonly backends?: readonly BackendType[];
        readonly families?: readonly (4 | 6)[];
        readonly plugins?: readonly string[];
        /** Network policies. */
        readonly policies?: true;
      };
}

const module = (name: string, option: string): FeaturePart => ({ module: name, option });
const NF_TABLES = module('nf_tables', 'NF_TABLES');

export const FEATURES = {
  veth: { what: 'veth', parts: [module('veth', 'VETH')], neededBy: 'all' },
  nftables: { what: 'nf_tables', parts: [NF_TABLES, { option: 'NF_TABLES_INET' }], neededBy: 'all' },
  'nft-maps': { what: 'verdict maps of nf_tables', parts: [NF_TABLES], since: '4.1', neededBy: 'all' },
  'nft-nat': {
    what: 'NAT of nf_tables',
    parts: [module('nft_chain_nat', 'NFT_NAT'), module('nft_nat', 'NFT_NAT'), module('nft_masq', 'NFT_MASQ')],
    neededBy: 'all',
  },
  'nft-ct': {
    what: 'connection tracking of nf_tables',
    parts: [module('nft_ct', 'NFT_CT'), module('nf_conntrack', 'NF_CONNTRACK')],
    neededBy: 'all',
  },
  vxlan: { what: 'VXLAN', parts: [module('vxlan', 'VXLAN')], neededBy: { backends: ['vxlan'] } },
  tun: { what: 'TUN', parts: [module('tun', 'TUN')], neededBy: { backends: ['udp'], plugins: ['tap'] } },
  ipip: {
    what: 'IP in IP',
    parts: [module('ipip', 'NET_IPIP')],
    neededBy: { backends: ['ipip'], families: [4] },
  },
  ip6tnl: {
    what: 'IPv6 in IPv6',
    parts: [module('ip6_tunnel', 'IPV6_TUNNEL')],
    neededBy: { backends: ['ipip'], families: [6] },
  },
  wireguard: {
    what: 'WireGuard',
    parts: [module('wireguard', 'WIREGUARD')],
    neededBy: { backends: ['wireguard'] },
  },
  bridge: { what: 'bridge', parts: [module('bridge', 'BRIDGE')], neededBy: { plugins: ['bridge'] } },
  'bridge-vlan': {
    what: 'VLAN filtering of bridges',
    parts: [module('bridge', 'BRIDGE'), { option: 'BRIDGE_VLAN_FILTERING' }],
    neededBy: { plugins: ['bridge with vlan or vlanTrunk'] },
  },
  macvlan: { what: 'macvlan', parts: [module('macvlan', 'MACVLAN')], neededBy: { plugins: ['macvlan'] } },
  ipvlan: { what: 'ipvlan', parts: [module('ipvlan', 'IPVLAN')], neededBy: { plugins: ['ipvlan'] } },
  vlan: { what: 'VLAN links', parts: [module('8021q', 'VLAN_8021Q')], neededBy: { plugins: ['vlan'] } },
  vrf: { what: 'VRF', parts: [module('vrf', 'NET_VRF')], neededBy: { plugins: ['vrf'] } },
  dummy: { what: 'dummy', parts: [module('dummy', 'DUMMY')], neededBy: { plugins: ['dummy'] } },
  ifb: { what: 'ifb', parts: [module('ifb', 'IFB')], neededBy: { plugins: ['bandwidth'] } },
  tbf: {
    what: 'the token bucket filter',
    parts: [module('sch_tbf', 'NET_SCH_TBF')],
    neededBy: { plugins: ['bandwidth'] },
  },
  'policy-ranges': {
    what: 'sets of ranges with several fields',
    parts: [NF_TABLES],
    since: '5.6',
    neededBy: { policies: true },
  },
  'policy-marks': {
    what: 'marks of connections',
    parts: [module('nft_ct', 'NFT_CT'), { option: 'NF_CONNTRACK_MARK' }],
    neededBy: { policies: true },
  },
  'policy-flows': {
    what: 'listing and ending of tracked connections',
    parts: [module('nf_conntrack_netlink', 'NF_CT_NETLINK')],
    neededBy: { policies: true },
  },
  'policy-log': {
    what: 'log groups of nf_tables',
    parts: [module('nft_log', 'NFT_LOG'), module('nfnetlink_log', 'NETFILTER_NETLINK_LOG')],
    neededBy: { policies: true },
  },
  'policy-bridge': {
    what: 'nf_tables on bridges',
    parts: [NF_TABLES, { option: 'NF_TABLES_BRIDGE' }],
    neededBy: { policies: true },
  },
  'policy-bridge-ct': {
    what: 'connection tracking on bridges',
    parts: [module('nf_conntrack_bridge', 'NF_CONNTRACK_BRIDGE')],
    since: '5.3',
    neededBy: { policies: true },
  },
} as const satisfies Record<string, FeatureRow>;

export type FeatureName = keyof typeof FEATURES;
export const FEATURE_NAMES = Object.keys(FEATURES) as readonly FeatureName[];
