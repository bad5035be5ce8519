/**
 * The one vocabulary for kernel state: what one network namespace should hold, or holds, as plain data.
 * Planners produce these objects, `plan` compares them, io/kernel and FakeKernel carry them out. Links are named, never
 * numbered; addresses and prefixes are canonical text. An absent optional field means "no opinion": it is neither set nor compared.
 */
import type { IpAddress, IpFamily, IpInterface, IpPrefix, MacAddress } from '#base/ip/index.ts';
import type { NftChain, NftElement, NftSet, NftTable } from '#core/nft/index.ts';

export type LinkDetail =
  | {
      readonly type: 'bridge';
      readonly vlanFiltering?: boolean;
      /** The VLAN that new ports are put into, untagged, and the bridge itself; 0 for none. The kernel's own wish is 1. */
      readonly vlanDefaultPvid?: number;
      readonly stp?: boolean;
      readonly multicastSnooping?: boolean;
    }
  /** `peer` is used on creation only; `netns` is a path such as /run/netns/x, absent for the same namespace. */
  | { readonly type: 'veth'; readonly peer?: VethPeer }
  | {
      readonly type: 'vxlan';
      readonly vni: number;
      /** UDP destination port. */
      readonly port: number;
      /** Outer source address; its family is the outer family. */
      readonly local?: IpAddress;
      /** The link the outer packets leave by. */
      readonly underlay?: string;
      readonly learning: boolean;
      readonly gbp?: boolean;
      /** A UDP checksum on outer IPv4 packets; RFC 7348 section 5 wants zero. IPv6 always has one. */
      readonly udpChecksum?: boolean;
    }
  | {
      readonly type: 'macvlan';
      readonly parent: string;
      readonly mode: 'bridge' | 'private' | 'vepa' | 'passthru';
      /** Broadcast and multicast frames that wait to be copied, at most. */
      readonly broadcastQueueLength?: number;
    }
  | { readonly type: 'ipvlan'; readonly parent: string; readonly mode: 'l2' | 'l3' | 'l3s' }
  /** IEEE 802.1Q. */
  | { readonly type: 'vlan'; readonly parent: string; readonly id: number }
  /** Routes of the links under it are looked up in `table`. */
  | { readonly type: 'vrf'; readonly table: number }
  | { readonly type: 'dummy' }
  /** IPv4 in IPv4 (RFC 2003). The first one in the kernel brings a `tunl0`, down, into every namespace. */
  | {
      readonly type: 'ipip';
      /** Outer source address; packets to it come in by this link. */
      readonly local?: IpAddress;
      /** TTL of outer packets; 0 takes the inner one's. */
      readonly ttl?: number;
    }
  /** IPv6 in IPv6 (RFC 2473). The first one in the kernel brings an `ip6tnl0`, down, into every namespace. */
  | {
      readonly type: 'ip6tnl';
      /** Outer addresses are those of a route's `encap`, and packets come in from anywhere; one such link in a namespace. */
      readonly external?: boolean;
    }
  /** What it is beyond a link are objects of their own: WireguardDevice, WireguardPeer and WireguardAllowedIp. */
  | { readonly type: 'wireguard' }
  /** Takes packets that a filter redirects to it through its own root qdisc, and gives them back where they were. */
  | { readonly type: 'ifb' }
  /** Its packets (tun) or frames (tap) go to and come from a program; once made, it lasts without one. */
  | {
      readonly type: 'tun';
      readonly mode: 'tun' | 'tap';
      /** Several programs, or threads of one, may have it open at once. */
      readonly multiQueue?: boolean;
      /** The numbers of a user and of a group who may open it without being privileged. */
      readonly owner?: number;
      readonly group?: number;
    }
  /** Any link this vocabulary has no words for; it is seen, never made. `linkKind` is IFLA_INFO_KIND or `physical`. */
  | { readonly type: 'other'; readonly linkKind: string };

export interface VethPeer {
  readonly name: string;
  readonly netns?: string;
  readonly mac?: MacAddress;
  readonly mtuBytes?: number;
}

/** A VLAN, or several that follow each other, that a bridge lets through at a port. */
export interface BridgeVlans {
  /** 1 to 4094. */
  readonly from: number;
  /** The last one; absent if it is only one. */
  readonly to?: number;
  /** What comes in without a tag belongs to it; one VLAN of a port at most. */
  readonly pvid?: boolean;
  /** It goes out without a tag. */
  readonly untagged?: boolean;
}

export interface Link {
  readonly kind: 'link';
  readonly name: string;
  readonly detail: LinkDetail;
  readonly up?: boolean;
  readonly mtuBytes?: number;
  readonly mac?: MacAddress;
  /** The bridge (or other master) this link is a port of; '' means none. */
  readonly master?: string;
  /** IFLA_IFALIAS: carries the owner's mark, see owners.ts. */
  readonly alias?: string;
  /** IPv6 link-local generation; `none` keeps the kernel from adding fe80:: addresses of its own. */
  readonly addressGeneration?: 'eui64' | 'none';
  readonly promiscuous?: boolean;
  readonly allMulticast?: boolean;
  /** Packets that may wait to be sent (txqueuelen). */
  readonly transmitQueueLength?: number;
  /** Bridge port option: frames may leave by the port they came in. */
  readonly hairpin?: boolean;
  /** Bridge port option: no frames to and from other ports that are isolated too. */
  readonly isolated?: boolean;
  /** The VLANs of this port in its bridge, or of a bridge itself, and no others. They count where the bridge has `vlanFiltering`. */
  readonly vlans?: readonly BridgeVlans[];
  /**
   * The path of another namespace. Added, the link is made there, on a parent that is here; replaced, it moves there and takes its
   * name, but neither addresses nor routes. Nothing of it is in this namespace then.
   */
  readonly netns?: string;
}

export interface Address {
  readonly kind: 'address';
  readonly link: string;
  /** With prefix length, host bits allowed: `10.10.0.1/20`. */
  readonly address: IpInterface;
  readonly scope?: 'global' | 'link' | 'host';
  /** IPv6: usable at once, no duplicate address detection (IFA_F_NODAD). */
  readonly noDad?: boolean;
  /** The kernel adds no route for the prefix (IFA_F_NOPREFIXROUTE). */
  readonly noPrefixRoute?: boolean;
}

export interface NextHop {
  readonly via?: IpAddress;
  readonly link?: string;
  /** The gateway is reachable on the link whatever the addresses say (RTNH_F_ONLINK). */
  readonly onlink?: boolean;
  /** 1 to 256; absent is 1. */
  readonly weight?: number;
  /** For a link that is `external`. */
  readonly encap?: TunnelEncap;
}

/** What a route tells a tunnel of its outer packets (LWTUNNEL_ENCAP_IP, LWTUNNEL_ENCAP_IP6). */
export interface TunnelEncap {
  readonly dst: IpAddress;
  /** Of the family of `dst`; absent: the kernel chooses for each packet. */
  readonly src?: IpAddress;
  /** TTL or hop limit; absent is the inner packet's. */
  readonly hopLimit?: number;
}

export interface Route {
  readonly kind: 'route';
  readonly dst: IpPrefix;
  /** Absent is the main table, 254. */
  readonly table?: number;
  /** Absent is `unicast`. */
  readonly type?: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw' | 'local';
  /** One for a plain route, several for multipath, none for blackhole and its like. */
  readonly nextHops: readonly NextHop[];
  /** Absent is 0 for IPv4 and 1024 for IPv6, as the kernel has it. */
  readonly metric?: number;
  readonly preferredSource?: IpAddress;
  /** IPv4 only. A number is a scope without a name: 1 to 252 but for 200. */
  readonly scope?: 'global' | 'link' | 'host' | number;
  readonly mtuBytes?: number;
  readonly advMssBytes?: number;
  /** rtm_protocol: the owner's mark, see owners.ts. */
  readonly protocol: number;
}

export interface Neighbour {
  readonly kind: 'neighbour';
  readonly link: string;
  readonly address: IpAddress;
  /** Permanent entries only. */
  readonly mac: MacAddress;
  /** NDA_PROTOCOL: the owner's mark. */
  readonly protocol: number;
}

/** An entry of a VXLAN device's forwarding database: frames to `mac` go to the VTEP at `dst`. */
export interface FdbEntry {
  readonly kind: 'fdb';
  readonly link: string;
  readonly mac: MacAddress;
  readonly dst: IpAddress;
}

/** A policy routing rule (`ip rule`). */
export interface Rule {
  readonly kind: 'rule';
  readonly family: IpFamily;
  readonly priority: number;
  readonly from?: IpPrefix;
  readonly to?: IpPrefix;
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly inputLink?: string;
  readonly outputLink?: string;
  readonly table: number;
  readonly protocol: number;
}

export type QdiscDetail =
  /** A token bucket filter: what is over the rate waits, and what finds no room is dropped. */
  | {
      readonly type: 'tbf';
      readonly rateBytesPerSec: number;
      /** How much may pass at once, as the time it takes at that rate: in ticks of 64 ns (PSCHED_SHIFT), 32 bits. */
      readonly bucketTicks: number;
      /** How much may wait; 32 bits. */
      readonly limitBytes: number;
    }
  /** Shapes nothing: the place for filters of what comes in. */
  | { readonly type: 'ingress' }
  /** Does all that `ingress` does, and serves in its place. */
  | { readonly type: 'clsact' }
  /** Any this vocabulary has no words for; it is seen, never made. `qdiscKind` is TCA_KIND. */
  | { readonly type: 'other'; readonly qdiscKind: string };

/** A queueing discipline at one of the two places of a link. What the kernel puts there by itself, without a handle, is not shown. */
export interface Qdisc {
  readonly kind: 'qdisc';
  readonly link: string;
  readonly parent: 'root' | 'ingress';
  /** Major number of a root qdisc's handle: the owner's mark, see owners.ts. */
  readonly handle?: number;
  readonly detail: QdiscDetail;
}

/** A filter of what comes in by a link; it needs an ingress or clsact qdisc there. */
export interface TrafficFilter {
  readonly kind: 'filter';
  readonly link: string;
  readonly parent: 'ingress';
  /** The order among filters, 1 to 65535: the owner's mark. */
  readonly preference: number;
  /** Every packet leaves by this link instead; '' if it is gone, and the packets with it; absent if the filter does anything else. */
  readonly redirect?: string;
}

/** The settings of a WireGuard link; there is none while it has no private key. Keys are 32 bytes in base64. */
export interface WireguardDevice {
  readonly kind: 'wireguard-device';
  readonly link: string;
  /** A secret, never printed; clamped (RFC 7748 section 5), as the kernel keeps it. */
  readonly privateKey: string;
  /** UDP. */
  readonly listenPort?: number;
  /** Firewall mark of outer packets; 0 for none. */
  readonly fwmark?: number;
}

/** A peer of a WireGuard link. */
export interface WireguardPeer {
  readonly kind: 'wireguard-peer';
  readonly link: string;
  readonly publicKey: string;
  /**
   * Where packets go until the peer is heard from elsewhere. In actual state: as last set, or as found at first; that the peer has
   * roamed since is its own doing and no difference.
   */
  readonly endpoint?: WireguardEndpoint;
  /** A secret, never printed; '' for none. */
  readonly presharedKey?: string;
  /** 0 for none. */
  readonly keepaliveSec?: number;
  /** Of several parts' wishes for one peer the one with the lowest rank counts; absent is 0. No kernel state. */
  readonly rank?: number;
}

export interface WireguardEndpoint {
  readonly address: IpAddress;
  readonly port: number;
}

/** Packets to a prefix go to a peer of the link, and only from it come packets from there. A prefix has one peer. */
export interface WireguardAllowedIp {
  readonly kind: 'wireguard-allowed-ip';
  readonly link: string;
  readonly prefix: IpPrefix;
  readonly publicKey: string;
}

/** A file below /proc/sys: `net/ipv4/ip_forward`. Set, never removed. */
export interface Sysctl {
  readonly kind: 'sysctl';
  readonly path: string;
  readonly value: string;
}

export type KernelObject =
  | Link
  | Address
  | Route
  | Neighbour
  | FdbEntry
  | Rule
  | Qdisc
  | TrafficFilter
  | WireguardDevice
  | WireguardPeer
  | WireguardAllowedIp
  | Sysctl
  | NftTable
  | NftChain
  | NftSet
  | NftElement;

export type KernelObjectKind = KernelObject['kind'];

/** Objects by their key (see key.ts): at most one of each. */
export type KernelState = ReadonlyMap<string, KernelObject>;

/** One change to one object. `replace` carries what was there, so that only differences are sent. */
export type KernelOp =
  | { readonly verb: 'add'; readonly object: KernelObject }
  | { readonly verb: 'replace'; readonly object: KernelObject; readonly previous: KernelObject }
  | { readonly verb: 'remove'; readonly object: KernelObject };
