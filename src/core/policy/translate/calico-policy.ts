/** projectcalico.org/v3: NetworkPolicy, GlobalNetworkPolicy, their staged kinds, and StagedKubernetesNetworkPolicy. */
import type { KubeObject } from '#core/store/index.ts';
import type { Direction, Policy, PolicyKind } from '../model.ts';
import { all, has, isIn, isKind, type Selector } from '../selector/index.ts';
import { calicoRule, calicoSelector } from './calico-rule.ts';
import { Fields, type Findings } from './document.ts';
import { networkPolicySpec } from './network-policy.ts';
import { DEFAULT_TIER } from './tiers.ts';

const STAGED = { Set: 'set', Delete: 'delete', Learn: 'learn', Ignore: 'ignore' } as const;
const HINTS = ['AssumeNeededOnEveryNode'];

/** Of a namespace, or of the whole cluster. */
export function calicoPolicy(object: KubeObject, kind: PolicyKind, findings: Findings): Policy {
  const { name, namespace } = object.metadata;
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const isGlobal = kind === 'GlobalNetworkPolicy' || kind === 'StagedGlobalNetworkPolicy';
  const scope = isGlobal ? undefined : namespace;
  const staged = kind.startsWith('Staged') ? stagedOf(spec) : undefined;
  const tier = tierOf(spec, name);
  const ingress = rulesOf(spec, 'ingress', scope);
  const egress = rulesOf(spec, 'egress', scope);
  const types = typesOf(spec, ingress.length > 0, egress.length > 0);
  const subject = subjectOf(spec, scope, isGlobal);
  const host = isGlobal ? hostPart(spec) : undefined;
  for (const [index, hint] of (spec.texts('performanceHints') ?? []).entries())
    if (!HINTS.includes(hint))
      spec.fail(`"${hint}" is not ${HINTS.join(', ')}`, `performanceHints[${index}]`);
  const order = spec.number('order');
  spec.warnOfOthers();
  return {
    ref: { kind, ...(scope !== undefined && { namespace: scope }), name: bareName(name, tier) },
    tier,
    order: order ?? Number.POSITIVE_INFINITY,
    subject,
    ...(types.includes('ingress') && { ingress }),
    ...(types.includes('egress') && { egress }),
    ...(staged !== undefined && { staged }),
    ...(host !== undefined && { host }),
  };
}

/** Kubernetes' own policy, not enforced yet. */
export function stagedKubernetesPolicy(object: KubeObject, findings: Findings): Policy {
  const { name, namespace = '' } = object.metadata;
  const spec = new Fields(object['spec'] ?? {}, 'spec', findings);
  const staged = stagedOf(spec);
  const policy = networkPolicySpec(spec, namespace);
  return { ref: { kind: 'StagedKubernetesNetworkPolicy', namespace, name }, ...policy, staged };
}

function stagedOf(spec: Fields): NonNullable<Policy['staged']> {
  const action = spec.oneOf('stagedAction', Object.keys(STAGED) as (keyof typeof STAGED)[]);
  return STAGED[action ?? 'Set'];
}

/** A policy of another tier has the tier's name before its own. */
function tierOf(spec: Fields, name: string): string {
  const tier = spec.text('tier') ?? DEFAULT_TIER.name;
  if (tier !== DEFAULT_TIER.name && !name.startsWith(`${tier}.`))
    spec.warn(`"${tier}": the name of a policy of this tier begins with "${tier}."`, 'tier');
  return tier;
}

/** Calico stores policies of the default tier with its name before theirs. */
function bareName(name: string, tier: string): string {
  return tier === DEFAULT_TIER.name && name.startsWith('default.') ? name.slice('default.'.length) : name;
}

function rulesOf(spec: Fields, direction: Direction, namespace: string | undefined) {
  return (spec.objects(direction) ?? []).map((rule, index) => calicoRule(rule, index, direction, namespace));
}

/** Without types: ingress unless there are only rules of egress, and egress if there are any. */
function typesOf(spec: Fields, hasIngress: boolean, hasEgress: boolean): readonly Direction[] {
  const given = spec.texts('types') ?? [];
  for (const [index, type] of given.entries())
    if (type !== 'Ingress' && type !== 'Egress')
      spec.fail(`"${type}" is not Ingress or Egress`, `types[${index}]`);
  if (given.length > 0) return given.map((type) => (type === 'Egress' ? 'egress' : 'ingress'));
  return [
    ...(hasIngress || !hasEgress ? (['ingress'] as const) : []),
    ...(hasEgress ? (['egress'] as const) : []),
  ];
}

function subjectOf(spec: Fields, namespace: string | undefined, isGlobal: boolean): Selector {
  const members = calicoSelector(spec, 'selector', 'member');
  const accounts = calicoSelector(spec, 'serviceAccountSelector', 'service-account');
  const namespaces = isGlobal ? calicoSelector(spec, 'namespaceSelector', 'namespace') : undefined;
  const kinds = isGlobal ? isKind('pod', 'host-endpoint') : isKind('pod');
  return all(
    kinds,
    namespace === undefined ? undefined : isIn(namespace),
    members,
    namespaces === undefined ? undefined : all(has('self', 'namespace'), namespaces),
    accounts === undefined ? undefined : all(has('self', 'serviceAccount'), accounts),
  );
}

function hostPart(spec: Fields): Policy['host'] {
  const [doNotTrack, preDnat] = [spec.flag('doNotTrack'), spec.flag('preDNAT')];
  const applyOnForward = spec.flag('applyOnForward');
  if (doNotTrack && preDnat) spec.fail('may not be true beside doNotTrack', 'preDNAT');
  if ((doNotTrack || preDnat) && !applyOnForward)
    spec.fail('must be true for doNotTrack and preDNAT', 'applyOnForward');
  if (preDnat && (spec.objects('egress') ?? []).length > 0)
    spec.fail('may not be there with preDNAT', 'egress');
  return doNotTrack || preDnat || applyOnForward ? { doNotTrack, preDnat, applyOnForward } : undefined;
}
