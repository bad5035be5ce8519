/** networking.k8s.io/v1 NetworkPolicy. https://kubernetes.io/docs/concepts/services-networking/network-policies/ */

import { prefixContains } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { Direction, EndMatch, Policy, PolicyRule, PortMatch } from '../model.ts';
import { all, isIn, isKind, type Selector } from '../selector/index.ts';
import { Fields, type Findings } from './document.ts';
import { labelSelector } from './label-selector.ts';
import { checkPortName, groupedChoices, PORT_PROTOCOLS, type PortChoice } from './ports.ts';
import { DEFAULT_TIER, NETWORK_POLICY_ORDER } from './tiers.ts';

const IS_POD = isKind('pod');

/** To be used only if nothing was found wrong. */
export function networkPolicy(object: KubeObject, findings: Findings): Policy {
  const { name, namespace = '' } = object.metadata;
  const spec = new Fields(object['spec'], 'spec', findings);
  return { ref: { kind: 'NetworkPolicy', namespace, name }, ...networkPolicySpec(spec, namespace) };
}

/** The same document in a StagedKubernetesNetworkPolicy. */
export function networkPolicySpec(spec: Fields, namespace: string): Omit<Policy, 'ref'> {
  const isNear = isIn(namespace);
  const pods = labelSelector(spec, 'podSelector', 'member');
  const ingress = rules(spec, 'ingress', isNear);
  const egress = rules(spec, 'egress', isNear);
  const types = policyTypes(spec, egress.length > 0);
  for (const direction of ['ingress', 'egress'] as const)
    if (!types.includes(direction) && (spec.objects(direction) ?? []).length > 0)
      spec.warn('has no effect, as policyTypes does not name its direction', direction);
  spec.warnOfOthers();
  return {
    tier: DEFAULT_TIER.name,
    order: NETWORK_POLICY_ORDER,
    subject: all(IS_POD, isNear, pods),
    ...(types.includes('ingress') && { ingress }),
    ...(types.includes('egress') && { egress }),
  };
}

/** Without types it is about ingress, and about egress where there are rules for it. */
function policyTypes(spec: Fields, hasEgress: boolean): readonly Direction[] {
  const given = spec.texts('policyTypes') ?? [];
  for (const [index, type] of given.entries())
    if (type !== 'Ingress' && type !== 'Egress')
      spec.fail(`"${type}" is not Ingress or Egress`, `policyTypes[${index}]`);
  if (given.length === 0) return hasEgress ? ['ingress', 'egress'] : ['ingress'];
  return given.map((type) => (type === 'Egress' ? 'egress' : 'ingress'));
}

function rules(spec: Fields, direction: Direction, isNear: Selector): PolicyRule[] {
  return (spec.objects(direction) ?? []).flatMap((rule, index) => {
    const peersKey = direction === 'ingress' ? 'from' : 'to';
    const peers = rule.objects(peersKey) ?? [];
    const ports = portChoices(rule.objects('ports') ?? []);
    rule.warnOfOthers();
    const ends: readonly (readonly [string, EndMatch])[] =
      peers.length === 0
        ? [['', {}]]
        : peers.map((peer, at) => [`.${peersKey}[${at}]`, peerMatch(peer, isNear)] as const);
    return ends.flatMap(([suffix, other]) =>
      ports.map(({ protocol, ports: list }): PolicyRule => {
        const destination = direction === 'ingress' ? {} : other;
        return {
          origin: { index, path: `${direction}[${index}]${suffix}` },
          action: 'allow',
          ...(protocol !== undefined && { protocol }),
          source: direction === 'ingress' ? other : {},
          destination: list === undefined ? destination : { ...destination, ports: list },
        };
      }),
    );
  });
}

/** `isNear`: in the policy's own namespace. */
function peerMatch(peer: Fields, isNear: Selector): EndMatch {
  const block = peer.object('ipBlock');
  const pods = labelSelector(peer, 'podSelector', 'member');
  const namespaces = labelSelector(peer, 'namespaceSelector', 'namespace');
  peer.warnOfOthers();
  if (block !== undefined) {
    if (pods !== undefined || namespaces !== undefined)
      peer.fail('may not be set beside a selector', 'ipBlock');
    return blockMatch(block);
  }
  if (pods === undefined && namespaces === undefined)
    peer.fail('says nobody: podSelector, namespaceSelector or ipBlock');
  return { selector: all(IS_POD, namespaces ?? isNear, pods) };
}

function blockMatch(block: Fields): EndMatch {
  const cidr = block.required('cidr', block.prefix('cidr'));
  const except = block.prefixes('except') ?? [];
  block.warnOfOthers();
  if (cidr === undefined) return { nets: [] };
  for (const [index, each] of except.entries())
    if (each === cidr || !prefixContains(cidr, each))
      block.fail(`"${each}" is no part of ${cidr}, or all of it`, `except[${index}]`);
  return { nets: [cidr], ...(except.length > 0 && { notNets: except }) };
}

/** Without ports anything goes; a port without a number is all of its protocol. */
function portChoices(ports: readonly Fields[]): PortChoice[] {
  if (ports.length === 0) return [{}];
  const choices = ports.map((port): PortChoice => {
    const protocol = PORT_PROTOCOLS[port.oneOf('protocol', ['TCP', 'UDP', 'SCTP']) ?? 'TCP'];
    const match = portMatch(port);
    port.warnOfOthers();
    return { protocol, ...(match && { ports: [match] }) };
  });
  return groupedChoices(choices);
}

function portMatch(fields: Fields): PortMatch | undefined {
  const port = fields.value('port');
  const end = fields.integer('endPort', 1, 65_535);
  if (port === undefined) {
    if (end !== undefined) fields.fail('needs port beside it', 'endPort');
    return undefined;
  }
  if (typeof port === 'string') {
    if (end !== undefined) fields.fail('may not follow the name of a port', 'endPort');
    checkPortName(fields, port, 'port');
    return { name: port };
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    fields.fail(`${port} is no port: 1 to 65535`, 'port');
  if (end !== undefined && end < port) fields.fail(`${end} is less than port, ${port}`, 'endPort');
  return { from: port, to: end ?? port };
}
