/** What is tried in a namespace of its own, and who needs it. */
import type { BackendType } from '#core/lease/index.ts';

export interface ProbeRow {
  /** In words, for the report. */
  readonly what: string;
  /** The kernel module that brings it, as modprobe knows it; several where one is not enough. */
  readonly modules: readonly string[];
  /** Without it nothing works, or only these backends and plugins do not. */
  readonly neededBy:
    | 'all'
    | {
        readonly backends?: readonly BackendType[];
        readonly plugins?: readonly string[];
        readonly families?: readonly (4 | 6)[];
      };
}

export const PROBES = {
  veth: { what: 'veth', modules: ['veth'], neededBy: 'all' },
  bridge: { what: 'bridge', modules: ['bridge'], neededBy: { plugins: ['bridge'] } },
  'bridge-vlan': {
    what: 'VLAN filtering of bridges',
    modules: ['bridge'],
    neededBy: { plugins: ['bridge (vlan, vlanTrunk)'] },
  },
  nftables: { what: 'nf_tables', modules: ['nf_tables'], neededBy: 'all' },
  'nft-maps': {
    what: 'verdict maps and concatenations of nf_tables',
    modules: ['nf_tables'],
    neededBy: 'all',
  },
  'nft-nat': { what: 'NAT of nf_tables', modules: ['nft_masq', 'nft_nat', 'nft_chain_nat'], neededBy: 'all' },
  'nft-ct': { what: 'connection tracking', modules: ['nft_ct', 'nf_conntrack'], neededBy: 'all' },
  vxlan: { what: 'VXLAN', modules: ['vxlan'], neededBy: { backends: ['vxlan'] } },
  tun: { what: 'TUN', modules: ['tun'], neededBy: { backends: ['udp'], plugins: ['tap'] } },
  ipip: { what: 'IP in IP', modules: ['ipip'], neededBy: { backends: ['ipip'], families: [4] } },
  ip6tnl: { what: 'IPv6 in IPv6', modules: ['ip6_tunnel'], neededBy: { backends: ['ipip'], families: [6] } },
  wireguard: { what: 'WireGuard', modules: ['wireguard'], neededBy: { backends: ['wireguard'] } },
  macvlan: { what: 'macvlan', modules: ['macvlan'], neededBy: { plugins: ['macvlan'] } },
  ipvlan: { what: 'ipvlan', modules: ['ipvlan'], neededBy: { plugins: ['ipvlan'] } },
  vlan: { what: 'VLAN links', modules: ['8021q'], neededBy: { plugins: ['vlan'] } },
  vrf: { what: 'VRF', modules: ['vrf'], neededBy: { plugins: ['vrf'] } },
  dummy: { what: 'dummy', modules: ['dummy'], neededBy: { plugins: ['dummy'] } },
  ifb: { what: 'ifb', modules: ['ifb'], neededBy: { plugins: ['bandwidth'] } },
  tbf: { what: 'the token bucket filter', modules: ['sch_tbf'], neededBy: { plugins: ['bandwidth'] } },
} as const satisfies Record<string, ProbeRow>;

export type ProbeName = keyof typeof PROBES;
export const PROBE_NAMES = Object.keys(PROBES) as readonly ProbeName[];
