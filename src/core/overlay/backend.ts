/**
 * The port of a backend: how packets cross from node to node, as kernel state. One planner per `Backend.Type` of net-conf.json, pure;
 * what a backend needs of the world (addresses, keys, the underlay) is handed to it when it is made.
 */
import type { IpAddress, IpFamily, IpPrefix } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import type { BackendConfig, BackendData } from '#core/lease/index.ts';

/** The network the nodes have without Poplin, as this node sees it. */
export interface Underlay {
  /** The link packets to other nodes leave by. */
  readonly link: string;
  readonly mtuBytes: number;
  /** What is reached by that link without a router. */
  readonly prefixes: readonly IpPrefix[];
  /** Links of the node that have IPv6 routes from router advertisements, which a forwarding node ignores unless told otherwise. */
  readonly advertisedLinks: readonly string[];
  /** Which of the host's networks this is for; 0, the first, if absent. Devices that a host has one of for each network are named by it. */
  readonly network?: number;
}

/** This node's share of the network in one family. */
export interface LocalSubnet {
  readonly node: string;
  readonly family: IpFamily;
  readonly subnet: IpPrefix;
  /** Where other nodes send to. */
  readonly publicIp: IpAddress;
  /** The node's own address, where something between translates. */
  readonly localIp?: IpAddress;
}

/** Another node's share in one family. */
export interface RemoteSubnet {
  readonly node: string;
  readonly family: IpFamily;
  readonly subnet: IpPrefix;
  readonly publicIp: IpAddress;
  /** In flannel's JSON; not checked yet. */
  readonly backendData?: BackendData;
}

export interface Backend {
  readonly type: BackendConfig['type'];
  /** The MTU of pods, bytes: what every family's way carries. Throws RangeError where IPv6 would have less than 1280. */
  podMtuBytes(families: readonly IpFamily[]): number;
  /** What this node's lease tells the others, in flannel's JSON. */
  offer(node: string, family: IpFamily): BackendData | undefined;
  /** What a node needs whatever other nodes there are. */
  planLocal(locals: readonly LocalSubnet[]): readonly KernelObject[];
  /** What one remote subnet needs, at a cost that does not depend on others; or a sentence that says why it cannot be reached. */
  planRemote(remote: RemoteSubnet): readonly KernelObject[] | string;
  /** Devices whose checksum offload is tried out before it is trusted (core/offload). */
  probedLinks(families: readonly IpFamily[]): readonly string[];
}
