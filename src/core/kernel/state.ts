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
    }
  | { readonly type: 'dummy' }
  | { readonly type: 'tun'; readonly mode: 'tun' | 'tap' }
  /** Any link this vocabulary has no words for; it is seen, never made. `linkKind` is IFLA_INFO_KIND or `physical`. */
  | { readonly type: 'other'; readonly linkKind: string };

export interface VethPeer {
  readonly name: string;
  readonly netns?: string;
  readonly mac?: MacAddress;
  readonly mtuBytes?: number;
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
  /** Bridge port option: frames may leave by the port they came in. */
  readonly hairpin?: boolean;
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
