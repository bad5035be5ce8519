/** What a lab is made of, as data: subnets, nodes, pods, the pods' network, and the addresses that follow from them. */
import { type IpAddress, type IpPrefix, offsetIp, prefixParts } from '#base/ip/index.ts';
import type { ObjectDocument, PodNetwork } from './topology-document.ts';

/** An address in each family that is there. */
export interface DualStack {
  readonly ipv4?: IpAddress;
  readonly ipv6?: IpAddress;
}

export interface LabSubnet extends DualStack {
  readonly name: string;
  readonly ipv4?: IpPrefix;
  readonly ipv6?: IpPrefix;
}

export interface LabNode extends DualStack {
  readonly name: string;
  readonly subnet: string;
  /** Of its object in the API server, and so are its annotations. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A router beside the lab's own, in all subnets: a program of others with its configuration. */
export interface LabRouter {
  readonly name: string;
  readonly run: 'bird';
  readonly config: string;
  /** Its number in every subnet. */
  readonly host: number;
}

export interface LabPod {
  readonly name: string;
  readonly node: string;
  readonly network: PodNetwork;
  /** Of its object in the API server, and so are its labels. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Topology {
  readonly name: string;
  /** The cluster's net-conf.json, as an object. */
  readonly netConf: Readonly<Record<string, unknown>>;
  readonly subnets: readonly LabSubnet[];
  readonly nodes: readonly LabNode[];
  readonly pods: readonly LabPod[];
  /** Absent is none. */
  readonly routers?: readonly LabRouter[];
  /** Absent: the API server has no kinds of policies but Kubernetes' own. */
  readonly policies?: readonly ObjectDocument[];
  /** Calico's objects of BGP; absent: the agents speak none. */
  readonly bgp?: readonly ObjectDocument[];
}

/** Tells a problem of the file: the keys that lead to it, and what is wrong. */
export type TellProblem = (path: readonly string[], message: string) => void;

/** The lab's own network namespace, switch and router: no node or pod can have this name. */
export const FABRIC_NAME = 'fabric';

/** The router's number in every subnet. */
export const ROUTER_HOST = 1;

/** The addresses (or prefixes) that are there, IPv4 first. */
export function addressesOf({ ipv4, ipv6 }: DualStack): string[] {
  return [ipv4, ipv6].filter((address) => address !== undefined);
}

/** The address of that number in a prefix. */
export function hostOf(prefix: IpPrefix, host: number): IpAddress {
  return offsetIp(prefixParts(prefix).address, host);
}

/** The address of that number in each family of a subnet. */
export function hostsOf(subnet: LabSubnet, host: number): DualStack {
  return {
    ...(subnet.ipv4 !== undefined && { ipv4: hostOf(subnet.ipv4, host) }),
    ...(subnet.ipv6 !== undefined && { ipv6: hostOf(subnet.ipv6, host) }),
  };
}
