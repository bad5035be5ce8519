/** What the oracle knows of a cluster: the objects as they were written, found by walking through all of them. */
import ipaddr from 'ipaddr.js';
import type { Labels } from './labels.ts';

/** Any object of an API, as JSON has it. */
// oxlint-disable-next-line typescript/no-explicit-any -- it reads documents of many APIs, and checks no shapes
export type Document = any;

export interface OraclePod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  readonly addresses: readonly string[];
  readonly node: string;
  readonly serviceAccount: string;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
}

export interface OracleFlow {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP' | 'ICMP' | 'ICMPv6';
  readonly destinationPort?: number;
  readonly sourcePort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

export class World {
  readonly documents: readonly Document[];
  readonly pods: readonly OraclePod[];

  constructor(documents: readonly Document[]) {
    this.documents = documents;
    this.pods = this.of('Pod').filter(isOnNetwork).map(podOf);
  }

  /** All documents of a kind, and of an API group if it is given. */
  of(kind: string, group?: string): Document[] {
    return this.documents.filter(
      (each) => each.kind === kind && (group === undefined || each.apiVersion.split('/')[0] === group),
    );
  }

  podAt(address: string): OraclePod | undefined {
    return this.pods.find((pod) => pod.addresses.some((each) => isSame(each, address)));
  }

  namespaceLabels(name: string): Labels {
    return this.of('Namespace').find((each) => each.metadata.name === name)?.metadata.labels ?? {};
  }

  serviceAccountLabels(namespace: string, name: string): Labels {
    const found = this.of('ServiceAccount').find(
      (each) => each.metadata.namespace === namespace && each.metadata.name === name,
    );
    return found?.metadata.labels ?? {};
  }

  nodesAt(address: string): Document[] {
    return this.of('Node').filter((node) => nodeAddresses(node).some((each) => isSame(each, address)));
  }
}

export function nodeAddresses(node: Document): string[] {
  return (node.status?.addresses ?? [])
    .map(({ address }: { address: string }) => address)
    .filter((address: string) => ipaddr.isValid(address));
}

/** In the host's network a pod has no address of its own, and when it has ended its address may be another's. */
function isOnNetwork(pod: Document): boolean {
  return pod.spec?.hostNetwork !== true && !['Succeeded', 'Failed'].includes(pod.status?.phase);
}

function podOf(pod: Document): OraclePod {
  const containers = pod.spec?.containers ?? [];
  return {
    namespace: pod.metadata.namespace,
    name: pod.metadata.name,
    labels: pod.metadata.labels ?? {},
    addresses: (pod.status?.podIPs ?? []).map(({ ip }: { ip: string }) => ip),
    node: pod.spec?.nodeName ?? '',
    serviceAccount: pod.spec?.serviceAccountName ?? 'default',
    ports: containers
      .flatMap((container: Document) => container.ports ?? [])
      .filter((port: Document) => port.name !== undefined)
      .map((port: Document) => ({
        name: port.name,
        port: port.containerPort,
        protocol: port.protocol ?? 'TCP',
      })),
  };
}

export function isSame(a: string, b: string): boolean {
  return ipaddr.parse(a).toNormalizedString() === ipaddr.parse(b).toNormalizedString();
}

/** Whether an address lies in a block such as 10.0.0.0/8; never in one of the other family. A bare address is a block of one. */
export function isIn(address: string, cidr: string): boolean {
  const one = ipaddr.parse(address);
  const text = cidr.includes('/') ? cidr : `${cidr}/${cidr.includes(':') ? 128 : 32}`;
  const [network, bits] = ipaddr.parseCIDR(text);
  if (one.kind() !== network.kind()) return false;
  return one.match(network, bits);
}
