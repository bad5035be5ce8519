/** What an agent is told when it starts: by flags, or by flannel's own. */
import type { Logger } from 'pino';
import type { IpPrefix } from '#base/ip/index.ts';
import type { OffloadMode } from '#core/offload/index.ts';
import type { NetworkRules } from './network-rules.ts';
import type { NodeAddressWishes } from './node-addresses.ts';
import type { RegistrySource } from './registries/source.ts';

export interface AgentOptions extends NodeAddressWishes {
  readonly node: string;
  /** Of several networks of the host; absent: the one it has. */
  readonly network?: NetworkChoice;
  /** Where leases are; without it the agent serves CNI alone: no lease, no overlay, no Node object. */
  readonly registry?: RegistrySource;
  readonly rules: NetworkRules;
  /** Absent: policies are left to others. They are those of the registry's API server. */
  readonly policies?: PolicyChoice;
  /** Absent: BGP is left to others. `isWanted` absent: if one of Calico's objects in the registry's API server says so. */
  readonly bgp?: { readonly isWanted?: boolean };
  /** Between two looks at iptables' FORWARD chain. */
  readonly forwardResyncSec: number;
  readonly wireguardKeyFile: string;
  /** Where subnet.env is, below `root`; absent: where flannel has it. */
  readonly subnetFile?: string;
  /** Where health and metrics are served; absent: nowhere. An empty host: all addresses. */
  readonly health?: { readonly host: string; readonly port: number };
  /** Called whenever the node has become ready, or its lease was made known anew. */
  readonly onReady?: () => void;
  /** Prefix of all files; `/` on a host. */
  readonly root: string;
  /** Whether the VXLAN devices may offload checksums; `auto` finds out. */
  readonly checksumOffload: OffloadMode;
  readonly logger: Logger;
}

export interface PolicyChoice {
  readonly cutFlows: boolean;
  /** Servers that are believed about names; absent: all that pods ask. */
  readonly nameServers?: readonly IpPrefix[];
  /** How much longer than its answer says an address of a name counts; absent: as usual. */
  readonly nameExtraSec?: number;
}

export interface NetworkChoice {
  readonly name: string;
  /** Whether it may be the host's first network, with whose agent CNI goes, where that has not been chosen yet. */
  readonly mayBeFirst: boolean;
}
