/** Pods and nodes as policies see them: those that have an address of their own, and what is known of each. */
import { canonicalIp, hostPrefixOf, type IpPrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { Member, NamedPort } from '../model.ts';
import { Fields, type Findings } from './document.ts';
import { PORT_PROTOCOLS } from './ports.ts';

export const podKey = (namespace: string, name: string): string => `pod ${namespace}/${name}`;

/**
 * Undefined for a pod that is no member: one in the host's network has no address of its own, and the address of one that has ended may be
 * another's by now. One that is being deleted still is a member.
 */
export function podMember(object: KubeObject, findings: Findings): Member | undefined {
  const { namespace = '', name, labels = {} } = object.metadata;
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const status = new Fields(object['status'] ?? {}, 'status', findings);
  const phase = status.text('phase');
  if (spec.flag('hostNetwork') || phase === 'Succeeded' || phase === 'Failed') return undefined;
  const node = spec.text('nodeName');
  const listed = (status.objects('podIPs') ?? []).map((each) => each.text('ip'));
  return {
    key: podKey(namespace, name),
    kind: 'pod',
    namespace,
    name,
    labels,
    serviceAccount: spec.text('serviceAccountName') ?? 'default',
    ...(node !== undefined && { node }),
    nets: addressesOf(listed.length > 0 ? listed : [status.text('podIP')]),
    ports: [
      ...(spec.objects('containers') ?? []).flatMap(namedPorts),
      // A sidecar listens as long as its pod lives.
      ...(spec.objects('initContainers') ?? []).flatMap((each) =>
        each.text('restartPolicy') === 'Always' ? namedPorts(each) : [],
      ),
    ],
  };
}

function namedPorts(container: Fields): NamedPort[] {
  return (container.objects('ports') ?? []).flatMap((fields): NamedPort[] => {
    const name = fields.text('name');
    const port = fields.integer('containerPort', 1, 65_535);
    const protocol = PORT_PROTOCOLS[fields.oneOf('protocol', ['TCP', 'UDP', 'SCTP']) ?? 'TCP'];
    return name === undefined || port === undefined ? [] : [{ name, protocol, port }];
  });
}

/** All addresses of its status, whatever their type. */
export function nodeMember(object: KubeObject, findings: Findings): Member {
  const { name, labels = {} } = object.metadata;
  const status = new Fields(object['status'] ?? {}, 'status', findings);
  return {
    key: `node ${name}`,
    kind: 'node',
    name,
    labels,
    node: name,
    nets: addressesOf((status.objects('addresses') ?? []).map((each) => each.text('address'))),
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
