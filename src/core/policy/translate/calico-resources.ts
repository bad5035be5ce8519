/** projectcalico.org/v3: tiers, sets of networks, host endpoints, profiles. */
import { canonicalIp, hostPrefixOf, type IpPrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { LabelMap, Member, NamedPort, Policy, Tier } from '../model.ts';
import { all, has, isKind } from '../selector/index.ts';
import { calicoProtocol, hasPorts } from './calico-protocol.ts';
import { calicoRules } from './calico-rule.ts';
import { Fields, type Findings, shown } from './document.ts';
import { BUILT_IN_TIERS, PROFILES_TIER } from './tiers.ts';

export function calicoTier(object: KubeObject, findings: Findings): Tier {
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const order = spec.number('order');
  const action = spec.oneOf('defaultAction', ['Deny', 'Pass']);
  spec.warnOfOthers();
  const { name } = object.metadata;
  const builtIn = BUILT_IN_TIERS.find((tier) => tier.name === name);
  const tier: Tier = {
    name,
    order: order ?? Number.POSITIVE_INFINITY,
    defaultAction: action === 'Pass' ? 'pass' : 'deny',
  };
  if (builtIn === undefined) return tier;
  if (tier.order !== builtIn.order) spec.fail(`must be ${builtIn.order} for the tier ${name}`, 'order');
  if (tier.defaultAction !== builtIn.defaultAction)
    spec.fail(
      `must be ${builtIn.defaultAction === 'pass' ? 'Pass' : 'Deny'} for the tier ${name}`,
      'defaultAction',
    );
  return builtIn;
}

/** `NetworkSet` and `GlobalNetworkSet`. */
export function networkSet(object: KubeObject, isNamespaced: boolean, findings: Findings): Member {
  const { name, labels = {} } = object.metadata;
  const namespace = isNamespaced ? object.metadata.namespace : undefined;
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const nets = spec.prefixes('nets', true) ?? [];
  spec.warnOfOthers();
  return {
    key: `set ${namespace ?? ''}/${name}`,
    kind: 'network-set',
    ...(namespace !== undefined && { namespace }),
    name,
    labels,
    nets,
    ports: [],
  };
}

/** A host endpoint, and the profiles it names, in their order. */
export interface HostEndpoint {
  readonly member: Member;
  readonly profiles: readonly string[];
}

export function hostEndpoint(object: KubeObject, findings: Findings): HostEndpoint {
  const { name, labels = {} } = object.metadata;
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const node = spec.required('node', spec.text('node')) ?? '';
  const link = spec.text('interfaceName');
  const nets = expectedAddresses(spec);
  if (link === undefined && nets.length === 0) spec.fail('needs interfaceName or expectedIPs');
  if (link !== undefined && !/^[^\s/:]{1,15}$/.test(link))
    spec.fail(`${shown(link)} is neither * nor the name of an interface`, 'interfaceName');
  const ports = (spec.objects('ports') ?? []).flatMap(namedPort);
  const profiles = spec.texts('profiles') ?? [];
  spec.warnOfOthers();
  return {
    member: {
      key: `host ${node}/${name}`,
      kind: 'host-endpoint',
      name,
      labels: { ...labels, ...Object.fromEntries(profiles.map((each) => [profileLabel(each), ''])) },
      node,
      nets,
      ports,
      ...(link !== undefined && { link }),
    },
    profiles,
  };
}

function expectedAddresses(spec: Fields): IpPrefix[] {
  const nets = (spec.texts('expectedIPs') ?? []).flatMap((text, index) => {
    const address = canonicalIp(text);
    if (address === undefined) spec.fail(`${shown(text)} is no address`, `expectedIPs[${index}]`);
    return address === undefined ? [] : [hostPrefixOf(address)];
  });
  return [...new Set(nets)];
}

function namedPort(fields: Fields): NamedPort[] {
  const name = fields.required('name', fields.text('name'));
  const port = fields.required('port', fields.integer('port', 1, 65_535));
  const value = fields.required('protocol', fields.value('protocol'));
  const protocol = value === undefined ? undefined : calicoProtocol(value);
  fields.warnOfOthers();
  if (value !== undefined && (protocol === undefined || !hasPorts(protocol)))
    fields.fail(`${shown(value)} is no protocol that has ports: TCP, UDP or SCTP`, 'protocol');
  return name === undefined || port === undefined || protocol === undefined ? [] : [{ name, port, protocol }];
}

/** The label by which a profile's endpoints are found; no document can have one of this form. */
const profileLabel = (name: string): string => `profile ${name}`;

/** A profile: rules for host endpoints that name it, asked when no tier has decided, and labels that these endpoints have from it. */
export interface Profile {
  readonly policy: Policy;
  readonly labels: LabelMap;
}

export function profile(object: KubeObject, findings: Findings): Profile {
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const rules = (direction: 'ingress' | 'egress') =>
    (spec.objects(direction) ?? []).flatMap((rule, index) => calicoRules(rule, index, direction, undefined));
  const [ingress, egress] = [rules('ingress'), rules('egress')];
  const labels = spec.map('labelsToApply');
  spec.warnOfOthers();
  const policy: Policy = {
    ref: { kind: 'Profile', name: object.metadata.name },
    tier: PROFILES_TIER.name,
    order: Number.POSITIVE_INFINITY,
    subject: all(isKind('host-endpoint'), has('member', profileLabel(object.metadata.name))),
    ingress,
    egress,
  };
  return { policy, labels };
}
