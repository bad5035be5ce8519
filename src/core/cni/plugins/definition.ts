/**
 * What a plugin of ours is: pure planners. For ADD a caller reads the facts, lets `prepareAdd` check the configuration, gets addresses
 * as its `ipam` says, makes the plan, and applies it: removals, shared objects, host objects, links into the pod, pod objects, files.
 */
import type { IpAddress, IpFamily, IpPrefix } from '#base/ip/index.ts';
import type { KernelObject, KernelState, Link } from '#core/kernel/index.ts';
import type { CniEnvironment } from '../spec/environment.ts';
import type { NetworkConfig } from '../spec/network-config.ts';
import type { CniResult } from '../spec/result.ts';
import type { DhcpConfig } from './dhcp/index.ts';
import type { HostLocalConfig } from './host-local/index.ts';
import type { ReferenceRules } from './reference-rules/index.ts';
import type { StaticConfig } from './static/index.ts';

/** What is so on this node, read before planning. */
export interface NodeFacts {
  /** The node's name; MAC addresses of shared links follow from it. */
  readonly node: string;
  /** The node's own addresses, the preferred one of each family first. */
  readonly addresses: readonly IpAddress[];
  /** The node's leased pod subnets, for networks that configure none. */
  readonly defaultRanges: readonly IpPrefix[];
  /** What fits through the overlay; absent where there is no overlay. */
  readonly overlayMtuBytes?: number;
  /** The kernel has IPv6. */
  readonly ipv6: boolean;
  /** The host's namespace: links and addresses, qdiscs and filters at least. */
  readonly host: KernelState;
  /** The container's namespace: the interface named in the call and what was asked for; empty if it is gone. */
  readonly pod: KernelState;
  /** The files asked for that are there, by path. */
  readonly files: ReadonlyMap<string, string>;
  /** What the folders asked for hold, by path; those that are not there are absent. */
  readonly folders: ReadonlyMap<string, readonly string[]>;
  /** The link by which the host reaches the world, if it was asked for and there is one. */
  readonly defaultLink?: string;
}

/** What a plugin wants to know beside what every plugin gets. */
export interface FactsWanted {
  /** All links, addresses, routes and rules of the container's namespace, whoever made them. */
  readonly podState?: boolean;
  /** Links of the container's namespace by name, beside the interface. */
  readonly podLinks?: readonly string[];
  /** Paths below /proc/sys, read in the container's namespace; those that are there come as objects in `facts.pod`. */
  readonly podSysctls?: readonly string[];
  /** Absolute paths of files and folders of the host. */
  readonly files?: readonly string[];
  readonly folders?: readonly string[];
  /** The link of the host's default route. */
  readonly defaultLink?: boolean;
}

/** A link that goes from one namespace to the other, with the name it gets there. */
export interface LinkMove {
  readonly link: Link;
  readonly name: string;
}

/** A file that becomes this text, or is removed if it is undefined. */
export interface FileChange {
  readonly path: string;
  readonly text: string | undefined;
}

/** Connections to a port of the host that the kernel must look at anew, once the rules are as they will be. */
export interface StaleFlows {
  readonly family: IpFamily;
  /** IPPROTO_*. */
  readonly protocol: number;
  readonly port: number;
}

/** Where an attachment's addresses come from. */
export type IpamChoice =
  | { readonly kind: 'none' }
  | { readonly kind: 'host-local'; readonly config: HostLocalConfig }
  | { readonly kind: 'static'; readonly config: StaticConfig }
  /** The plan without a result is carried out first: a server is asked over the link that it makes. */
  | { readonly kind: 'dhcp'; readonly config: DhcpConfig }
  /** Somebody else's IPAM plugin, executed with the same environment and configuration. */
  | { readonly kind: 'delegate'; readonly type: string };

export interface LinkChange {
  readonly object: Link;
  readonly previous: Link;
}

export interface AddPlan {
  readonly result: CniResult;
  /** To be removed from the host first. */
  readonly hostRemovals: readonly KernelObject[];
  /** What attachments share and DEL leaves: the bridge, its addresses, forwarding. */
  readonly sharedObjects: readonly KernelObject[];
  /** The attachment's own objects in the host's namespace; making the veth makes the pod's end too. */
  readonly hostObjects: readonly KernelObject[];
  /** Shared links that are there and must become something more, whatever the attachments before wished of them. */
  readonly hostChanges?: readonly LinkChange[];
  /** Links that are made from the host's namespace straight into the container's, whose path is their `netns`. */
  readonly podLinks?: readonly Link[];
  /** Links of the host that move into the container's namespace. */
  readonly movesIn?: readonly LinkMove[];
  /** What there is of it already (by name) is changed, the rest is added. */
  readonly podObjects: readonly KernelObject[];
  /** What goes from the container's namespace before `podObjects` come. */
  readonly podRemovals?: readonly KernelObject[];
  readonly files?: readonly FileChange[];
  readonly staleFlows?: readonly StaleFlows[];
  /** For people, on standard error. */
  readonly warnings: readonly string[];
}

export interface PreparedAdd {
  readonly ipam: IpamChoice;
  /** Makes the plan from the IPAM plugin's result; absent if `ipam` is none, or gives addresses only once the link is there. */
  plan(ipamResult?: CniResult): AddPlan;
}

export interface DelPlan {
  readonly hostRemovals: readonly KernelObject[];
  readonly podRemovals: readonly KernelObject[];
  readonly podObjects: readonly KernelObject[];
  /** Links of the container that move to the host's namespace, after `podObjects`. */
  readonly movesOut?: readonly LinkMove[];
  readonly files?: readonly FileChange[];
  readonly staleFlows?: readonly StaleFlows[];
}

export interface PluginCall {
  readonly network: NetworkConfig;
  readonly environment: CniEnvironment;
  readonly facts: NodeFacts;
}

export interface InterfacePlugin {
  /** The name it is installed under. */
  readonly type: string;
  /** Works on what the plugins before it in the chain made: it demands their result, and its part is told apart by its name. */
  readonly chained?: true;
  /** What is to be read before ADD, CHECK or DEL. Never throws. */
  wants?(call: Omit<PluginCall, 'facts'>): FactsWanted;
  /** Checks everything that can be checked before addresses are reserved; throws CniError. */
  prepareAdd(call: PluginCall): PreparedAdd;
  /** What to take away. Never throws: whatever is gone already is not listed. */
  planDel(call: PluginCall): DelPlan;
  /**
   * Checks what the general CHECK does not: that compares the interfaces, addresses and routes of prevResult, and the host's objects
   * that were recorded at ADD. `isRecorded` is false for attachments that another implementation made. Throws CniError 114.
   */
  check?(call: PluginCall, isRecorded: boolean): void;
  /**
   * What the reference plugin makes of rules where ours makes objects. Asked only of attachments without a record of ours. Never throws.
   */
  referenceRules?(call: Omit<PluginCall, 'facts'>): ReferenceRules | undefined;
  /** Throws CniError 50 where ADD could not be served. */
  status?(call: Pick<PluginCall, 'network' | 'facts'>): void;
}

export const NOTHING_TO_REMOVE: DelPlan = { hostRemovals: [], podRemovals: [], podObjects: [] };
