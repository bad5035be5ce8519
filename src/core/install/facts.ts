/**
 * What is known of a host before Poplin judges whether it can run there. Plain data, gathered by io/host-facts. A fact that is `undefined`
 * was not to be seen, which is not the same as "nothing there": no verdict may take the one for the other.
 */
import type { IpAddress, IpFamily, IpPrefix } from '#base/ip/index.ts';
import type { NetConf } from '#core/lease/index.ts';
import type { FeatureName } from './features-table.ts';

/** What is to run here. */
export interface InstallPlan {
  readonly netConf: NetConf;
  readonly families: readonly IpFamily[];
  /** Addresses in netConf are examples: nobody said which they will be. */
  readonly isExample: boolean;
  /** The link of the underlay, if it is told. */
  readonly iface?: string;
  /** The port of /healthz; absent: none is served. */
  readonly healthPort?: number;
  /** Where a runtime looks for networks and for plugins. */
  readonly confDir: string;
  readonly binDir: string;
}

export interface HostFacts {
  readonly isRoot: boolean;
  /** Names of capabilities that the process lacks of those the agent needs: CAP_NET_ADMIN, …. */
  readonly lackingCapabilities: readonly string[];
  readonly kernel: KernelFacts;
  /** By path below /proc/sys. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** Lines of files that set sysctls when the host boots, in the order in which they count. */
  readonly bootSysctls: readonly BootSysctl[];
  readonly links: readonly HostLink[];
  /** The links of the default routes, of each family the one with the lowest metric first. */
  readonly defaultRoutes: readonly { readonly family: IpFamily; readonly link: string }[];
  /** Routes of others; default routes are left out. */
  readonly foreignRoutes: readonly ForeignRoute[];
  readonly sockets: readonly HostSocket[];
  readonly rules: RuleFacts | undefined;
  /** Units of systemd that are at work, `firewalld.service`, or programs that would be; undefined: not to be seen. */
  readonly units: ReadonlySet<string> | undefined;
  /** What files say of firewalls that are installed. */
  readonly firewalls: readonly FirewallFacts[];
  /** Which of `ManageForeignRoutes` and its like systemd-networkd has turned off. */
  readonly networkdLeaves: readonly string[];
  /** Its .network files that match links by their names alone, in order: the first that matches a link counts for it. */
  readonly networkdMatches: readonly NetworkdMatch[];
  /** Patterns of links that NetworkManager is told to leave alone. */
  readonly unmanagedLinks: readonly string[];
  /** Names of the files a runtime reads in the plan's folder, in order. */
  readonly cniFiles: Seen<readonly CniFile[]>;
  /** Links that other networks left, with the name of one. */
  readonly remains: readonly Remains[];
  readonly flannelProcesses: Seen<readonly number[]>;
  readonly folders: readonly Folder[] | undefined;
  /** What is wrong with who may read the WireGuard key; undefined: nothing is. */
  readonly wireguardKey: Seen<string | undefined>;
  /** Today, and the day on which this program was made, as `2026-01-31`. */
  readonly clock: { readonly today: string; readonly made: string };
}

/** A fact, or why it could not be seen. */
export type Seen<T> = { readonly value: T } | { readonly unseen: string };

export interface KernelFacts {
  /** As `uname -r`. */
  readonly release: string;
  /** Options it was built with that are not `n`, without `CONFIG_`; undefined: it does not say. */
  readonly options: ReadonlyMap<string, 'y' | 'm'> | undefined;
  /** Modules that are part of it, and those that have a file; `_` for `-`; undefined: there are no lists of them. */
  readonly builtin: ReadonlySet<string> | undefined;
  readonly loadable: ReadonlySet<string> | undefined;
  readonly loaded: ReadonlySet<string>;
  /** Modules that modprobe is told not to load, and the file that says so. */
  readonly barred: ReadonlyMap<string, string>;
  /** kernel.modules_disabled: until the next boot no module is loaded. */
  readonly isClosed: boolean;
  /** What was tried in a namespace of its own. */
  readonly trials: ReadonlyMap<FeatureName, TrialResult>;
  /** Why nothing was tried. */
  readonly untried?: string;
  /** Modules that came while things were tried; absent: that was not allowed. */
  readonly newModules?: readonly string[];
}

export type TrialResult = { readonly works: true } | { readonly works: false; readonly error: string };

export interface BootSysctl {
  readonly file: string;
  readonly path: string;
  readonly value: string;
}

export interface HostSocket {
  readonly protocol: 'udp' | 'tcp';
  readonly family: IpFamily;
  readonly address: IpAddress;
  readonly port: number;
  /** `name (pid N)`; `kernel`: no process has it; undefined: not to be seen. */
  readonly holder: string | undefined;
}

export interface HostLink {
  readonly name: string;
  readonly kind: string;
  readonly isOurs: boolean;
  readonly isUp: boolean;
  readonly alias?: string;
  readonly mtuBytes: number;
  /** Those by which other hosts may reach it. */
  readonly addresses: readonly IpAddress[];
  readonly vxlan?: VxlanFacts;
}

export interface ForeignRoute {
  readonly prefix: IpPrefix;
  readonly link: string;
  /** Made by hand, as flannel's are, through a gateway: Poplin takes over those that it wants itself (core/overlay/take-over.ts). */
  readonly isByHand: boolean;
}

export interface VxlanFacts {
  readonly vni: number;
  readonly port: number;
  /** Of the outer packets; those that get them from elsewhere (`external`) have both. */
  readonly families: readonly IpFamily[];
  /** What the kernel compares before devices share a socket: `GBP`, `external`, …; empty for a plain device. */
  readonly kinds: readonly string[];
}

/** What the rules of others are, as only root sees them. */
export interface RuleFacts {
  /** Chains of the forward hook that drop what nothing accepts, or rules in them that drop all. */
  readonly forwardDrops: readonly ForwardDrop[];
  /** Names of tables of nf_tables (`inet firewalld`) and chains of iptables. */
  readonly names: readonly string[];
  /** What could not be asked, and why. */
  readonly unseen?: string;
}

export interface ForwardDrop {
  readonly program: 'iptables' | 'ip6tables' | 'nft';
  /** `FORWARD`, or as nft has it: `inet wall forward`. */
  readonly chain: string;
  /** `policy`, or the rule that does it. */
  readonly by: 'policy' | 'rule';
}

export interface NetworkdMatch {
  readonly file: string;
  /** Patterns; where the first begins with `!`, all links but those of the patterns. */
  readonly names: readonly string[];
  /** It leaves them alone (`Unmanaged=yes`). */
  readonly leaves: boolean;
}

export type FirewallName = 'firewalld' | 'ufw';

export interface FirewallFacts {
  readonly name: FirewallName;
  /** It begins at boot. */
  readonly isEnabled: boolean;
  /** All of its own files in one: what is allowed is somewhere in it; undefined: not to be read. */
  readonly rules: string | undefined;
}

export interface CniFile {
  readonly name: string;
  /** The types of its plugins. */
  readonly types: readonly string[];
  /** Why it cannot be used, if so. */
  readonly problem?: string;
}

export interface Remains {
  readonly of: 'flannel' | 'Calico' | 'Cilium' | 'Weave' | 'kube-router' | 'Antrea';
  readonly what: string;
}

export interface Folder {
  readonly path: string;
  /** What the system said when it was asked whether a file may be made there. */
  readonly error?: string;
  readonly freeBytes?: number;
  readonly freeFiles?: number;
}
