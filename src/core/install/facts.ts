/** What is known of a host before Poplin judges whether it can run there. Plain data, gathered by io/host-facts; absent is "could not be seen". */
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import type { NetConf } from '#core/lease/index.ts';
import type { ProbeName } from './probes-table.ts';

/** What is to run here. */
export interface InstallPlan {
  readonly netConf: NetConf;
  readonly families: readonly IpFamily[];
  /** Where a runtime looks for networks and for plugins. */
  readonly confDir: string;
  readonly binDir: string;
}

export interface HostFacts {
  readonly isRoot: boolean;
  /** As `uname -r`. */
  readonly release: string;
  /** Names of capabilities that the process lacks of those the agent needs: CAP_NET_ADMIN, …. */
  readonly lackingCapabilities: readonly string[];
  /** What was tried in a namespace of its own; absent where none could be made, for this reason. */
  readonly probes: ReadonlyMap<ProbeName, ProbeResult> | string;
  /** By path below /proc/sys. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** Lines of files that set sysctls when the host boots. */
  readonly bootSysctls: readonly BootSysctl[];
  readonly udpSockets: readonly UdpSocket[];
  readonly links: readonly HostLink[];
  /** The link of the default route of either family, and its MTU. */
  readonly underlay: { readonly link: string; readonly mtuBytes: number } | undefined;
  readonly firewalls: readonly Firewall[];
  /** Chains of the forward hook that drop what nothing accepts: `iptables FORWARD`, `inet firewall forward`. */
  readonly forwardDrops: readonly ForwardDrop[];
  readonly networkd: 'absent' | 'keeps' | 'removes';
  readonly networkManager: 'absent' | 'keeps' | 'manages';
  /** Names of the files a runtime reads in the plan's folder, in order; undefined: no such folder. */
  readonly cniFiles: readonly CniFile[] | undefined;
  /** Other software whose remains are here, and the place of one. */
  readonly remains: readonly Remains[];
  readonly flannelProcesses: readonly number[];
  readonly folders: readonly Folder[];
}

export type ProbeResult = { readonly works: true } | { readonly works: false; readonly error: string };

export interface BootSysctl {
  readonly file: string;
  readonly path: string;
  readonly value: string;
}

export interface UdpSocket {
  readonly family: IpFamily;
  readonly address: IpAddress;
  readonly port: number;
  /** Absent: the kernel's own, a device's, or not to be seen. */
  readonly process?: string;
}

export interface HostLink {
  readonly name: string;
  readonly kind: string;
  readonly isOurs: boolean;
  /** Of VXLAN devices. */
  readonly port?: number;
}

export type Firewall = 'firewalld' | 'ufw';

export interface ForwardDrop {
  readonly program: 'iptables' | 'ip6tables' | 'nft';
  readonly chain: string;
}

export interface CniFile {
  readonly name: string;
  /** The types of its plugins. */
  readonly types: readonly string[];
  /** Why it cannot be read, if so. */
  readonly problem?: string;
}

export interface Remains {
  readonly of: 'flannel' | 'Calico' | 'Cilium' | 'Weave' | 'kube-router' | 'Antrea';
  readonly what: string;
}

export interface Folder {
  readonly path: string;
  /** What the system said when a file was made there. */
  readonly error?: string;
  readonly freeBytes?: number;
}

export type FindingLevel = 'ok' | 'warning' | 'problem' | 'unknown';

/** One line of the report. `check` is stable: programs may know it. */
export interface Finding {
  readonly check: CheckName;
  readonly level: FindingLevel;
  readonly found: string;
  /** What to do: a command, or what to write into which file. */
  readonly remedy?: string;
}

export const CHECK_NAMES = [
  'privileges',
  'kernel',
  'sysctl',
  'port',
  'mtu',
  'firewall',
  'forward',
  'networkd',
  'networkmanager',
  'cni-config',
  'remains',
  'flanneld',
  'folders',
] as const;
export type CheckName = (typeof CHECK_NAMES)[number];
