/** Pods and nodes as policies see them: those that have an address of their own, and what is known of each. */
import { canonicalIp, hostPrefixOf, type IpPrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { type Member, type NamedPort, PROTOCOLS } from '../model.ts';

const NUMBERS: Readonly<Record<string, number>> = {
  TCP: PROTOCOLS.tcp,
  UDP: PROTOCOLS.udp,
  SCTP: PROTOCOLS.sctp,
};

export const podKey = (namespace: string, name: string): string => `pod ${namespace}/${name}`;

interface PodObject extends KubeObject {
  spec?: {
    nodeName?: string;
    serviceAccountName?: string;
    hostNetwork?: boolean;
    containers?: readonly Container[];
    initContainers?: readonly (Container & { readonly restartPolicy?: string })[];
  };
  status?: { phase?: string; podIP?: string; podIPs?: readonly { readonly ip?: string }[] };
}

interface Container {
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort?: number;
    readonly protocol?: string;
  }[];
}

/**
 * Undefined for a pod that is no member: one in the host's network has no address of its own, and the address of one that has ended may be
 * another's by now. One that is being deleted still is a member.
 */
export function podMember(object: KubeObject): Member | undefined {
  const { metadata, spec = {}, status = {} } = object as PodObject;
  const { namespace = '', name } = metadata;
  if (spec.hostNetwork === true || status.phase === 'Succeeded' || status.phase === 'Failed')
    return undefined;
  const serviceAccount = spec.serviceAccountName ?? 'default';
  return {
    key: podKey(namespace, name),
    kind: 'pod',
    namespace,
    name,
    labels: metadata.labels ?? {},
    serviceAccount,
    ...(spec.nodeName !== undefined && { node: spec.nodeName }),
    nets: addressesOf(status.podIPs?.map(({ ip }) => ip) ?? [status.podIP]),
    ports: namedPorts([
      ...(spec.containers ?? []),
      // A sidecar listens as long as its pod lives.
      ...(spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always'),
    ]),
  };
}

function namedPorts(containers: readonly Container[]): NamedPort[] {
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ name, containerPort, protocol = 'TCP' }): NamedPort[] => {
      const number = NUMBERS[protocol];
      if (name === undefined || containerPort === undefined || number === undefined) return [];
      return [{ name, protocol: number, port: containerPort }];
    }),
  );
}

export function nodeMember(object: KubeObject): Member {
  const { name, labels = {} } = object.metadata;
  const status = (object['status'] ?? {}) as { addresses?: readonly { type?: string; address?: string }[] };
  return {
    key: `node ${name}`,
    kind: 'node',
    name,
    labels,
    node: name,
    nets: addressesOf(status.addresses?.map(({ address }) => address) ?? []),
    ports: [],
  };
}

/** Names of hosts are among a node's addresses too. */
function addressesOf(texts: readonly (string | undefined)[]): IpPrefix[] {
  const nets = texts.flatMap((text) => {
    const address = text === undefined ? undefined : canonicalIp(text);
    return address === undefined ? [] : [hostPrefixOf(address)];
  });
  return [...new Set(nets)];
}
