/** projectcalico.org/v3: tiers, sets of networks, host endpoints, profiles. */
import { canonicalIp, hostPrefixOf } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { type Member, type Policy, PROTOCOLS, type Tier } from '../model.ts';
import { all, has, isKind } from '../selector/index.ts';
import { calicoRule } from './calico-rule.ts';
import { Fields, type Findings } from './document.ts';
import { PROFILES_TIER } from './tiers.ts';

export function calicoTier(object: KubeObject, findings: Findings): Tier {
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const order = spec.number('order');
  const action = spec.oneOf('defaultAction', ['Deny', 'Pass']);
  spec.warnOfOthers();
  return {
    name: object.metadata.name,
    order: order ?? Number.POSITIVE_INFINITY,
    defaultAction: action === 'Pass' ? 'pass' : 'deny',
  };
}

/** `NetworkSet` and `GlobalNetworkSet`. */
export function networkSet(object: KubeObject, findings: Findings): Member {
  const { name, namespace, labels = {} } = object.metadata;
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const nets = spec.prefixes('nets') ?? [];
  if (spec.has('allowedEgressDomains')) spec.warn('has no effect', 'allowedEgressDomains');
  spec.warnOfOthers();
  return {
    key: `set ${namespace ?? ''}/${name}`,
    kind: 'network-set',
    ...(namespace !== undefined && { namespace }),
    name,
    labels,
    nets: [...new Set(nets)],
    ports: [],
  };
}

const NUMBERS: Readonly<Record<string, number>> = {
  TCP: PROTOCOLS.tcp,
  UDP: PROTOCOLS.udp,
  SCTP: PROTOCOLS.sctp,
};

export function hostEndpoint(object: KubeObject, findings: Findings): Member {
  const { name, labels = {} } = object.metadata;
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const node = spec.required('node', spec.text('node')) ?? '';
  const link = spec.text('interfaceName');
  const addresses = (spec.texts('expectedIPs') ?? []).flatMap((text, index) => {
    const address = canonicalIp(text);
    if (address === undefined) spec.fail(`"${text}" is no address`, `expectedIPs[${index}]`);
    return address === undefined ? [] : [hostPrefixOf(address)];
  });
  if (link === undefined && addresses.length === 0) spec.fail('needs interfaceName or expectedIPs');
  const ports = (spec.objects('ports') ?? []).flatMap((port) => {
    const [label, number] = [port.text('name'), port.integer('port', 1, 65_535)];
    const protocol = NUMBERS[String(port.value('protocol') ?? '')];
    if (protocol === undefined) port.fail('needs TCP, UDP or SCTP', 'protocol');
    return label === undefined || number === undefined || protocol === undefined
      ? []
      : [{ name: label, port: number, protocol }];
  });
  const profiles = Object.fromEntries((spec.texts('profiles') ?? []).map((each) => [profileLabel(each), '']));
  spec.warnOfOthers();
  return {
    key: `host ${node}/${name}`,
    kind: 'host-endpoint',
    name,
    labels: { ...labels, ...profiles },
    node,
    nets: [...new Set(addresses)],
    ports,
    ...(link !== undefined && { link }),
  };
}

/** The label by which a profile's endpoints are found; no document can have one of this form. */
const profileLabel = (name: string): string => `profile ${name}`;

/** Rules for endpoints that name it: asked when no tier has decided. */
export function profile(object: KubeObject, findings: Findings): Policy {
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const rules = (direction: 'ingress' | 'egress') =>
    (spec.objects(direction) ?? []).map((rule, index) => calicoRule(rule, index, direction, undefined));
  const [ingress, egress] = [rules('ingress'), rules('egress')];
  spec.map('labelsToApply');
  spec.warnOfOthers();
  return {
    ref: { kind: 'Profile', name: object.metadata.name },
    tier: PROFILES_TIER.name,
    order: Number.POSITIVE_INFINITY,
    subject: all(isKind('host-endpoint'), has('member', profileLabel(object.metadata.name))),
    ingress,
    egress,
  };
}
