/** projectcalico.org/v3: NetworkPolicy, GlobalNetworkPolicy, their staged kinds, and StagedKubernetesNetworkPolicy. */
import type { KubeObject } from '#core/store/index.ts';
import type { Direction, Policy, PolicyKind } from '../model.ts';
import { all, has, isIn, isKind, type Selector } from '../selector/index.ts';
import { calicoRules } from './calico-rule.ts';
import { calicoSelector } from './calico-selector.ts';
import { Fields, type Findings, shown } from './document.ts';
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
  const tier = spec.text('tier') ?? DEFAULT_TIER.name;
  const ingress = rulesOf(spec, 'ingress', scope);
  const egress = rulesOf(spec, 'egress', scope);
  const types = typesOf(spec, ingress.length > 0, egress.length > 0);
  const host = isGlobal ? hostPart(spec, types) : undefined;
  const subject = isGlobal
    ? globalSubject(spec, host)
    : all(isKind('pod'), isIn(scope ?? ''), selectors(spec));
  const order = spec.number('order');
  checkHints(spec);
  spec.warnOfOthers();
  return {
    ref: { kind, ...(scope !== undefined && { namespace: scope }), name },
    tier,
    order: order ?? Number.POSITIVE_INFINITY,
    subject,
    ...(types.includes('ingress') && { ingress }),
    ...(types.includes('egress') && { egress }),
    ...(staged !== undefined && { staged }),
    ...(host !== undefined && { host }),
  };
}

/** Hints change nothing of what a policy means. */
function checkHints(spec: Fields): void {
  for (const [index, hint] of (spec.texts('performanceHints') ?? []).entries())
    if (!HINTS.includes(hint))
      spec.fail(`${shown(hint)} is not ${HINTS.join(', ')}`, `performanceHints[${index}]`);
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

function rulesOf(spec: Fields, direction: Direction, namespace: string | undefined) {
  return (spec.objects(direction) ?? []).flatMap((rule, index) =>
    calicoRules(rule, index, direction, namespace),
  );
}

/** Without types: ingress unless there are only rules of egress, and egress if there are any. */
function typesOf(spec: Fields, hasIngress: boolean, hasEgress: boolean): readonly Direction[] {
  const given = spec.texts('types') ?? [];
  for (const [index, type] of given.entries())
    if (type !== 'Ingress' && type !== 'Egress')
      spec.fail(`${shown(type)} is not Ingress or Egress`, `types[${index}]`);
  for (const [type, has] of [
    ['Ingress', hasIngress],
    ['Egress', hasEgress],
  ] as const)
    if (has && given.length > 0 && !given.includes(type))
      spec.warn('has no effect, as types does not name its direction', type.toLowerCase());
  if (given.length > 0) return given.map((type) => (type === 'Egress' ? 'egress' : 'ingress'));
  return [
    ...(hasIngress || !hasEgress ? (['ingress'] as const) : []),
    ...(hasEgress ? (['egress'] as const) : []),
  ];
}

/** Before connections are tracked, and before addresses are translated, only host endpoints have policies. */
function globalSubject(spec: Fields, host: Policy['host']): Selector {
  const isEarly = host?.doNotTrack === true || host?.preDnat === true;
  const namespaces = calicoSelector(spec, 'namespaceSelector', 'namespace');
  return all(
    isEarly ? isKind('host-endpoint') : isKind('pod', 'host-endpoint'),
    selectors(spec),
    // Labels of namespaces are asked for of what is in one.
    namespaces && all(has('self', 'namespace'), namespaces),
  );
}

function selectors(spec: Fields): Selector {
  const accounts = calicoSelector(spec, 'serviceAccountSelector', 'service-account');
  return all(
    calicoSelector(spec, 'selector', 'member'),
    accounts && all(has('self', 'serviceAccount'), accounts),
  );
}

/** Of policies that are asked before connections are tracked, or before addresses are translated, and of what is forwarded. */
function hostPart(spec: Fields, types: readonly Direction[]): Policy['host'] {
  const [doNotTrack, preDnat] = [spec.flag('doNotTrack'), spec.flag('preDNAT')];
  const applyOnForward = spec.flag('applyOnForward');
  if (doNotTrack && preDnat) spec.fail('may not be true beside doNotTrack', 'preDNAT');
  if ((doNotTrack || preDnat) && !applyOnForward)
    spec.fail('must be true for doNotTrack and preDNAT', 'applyOnForward');
  if (preDnat && types.includes('egress'))
    spec.fail('is for ingress only: it may have neither rules nor type of egress', 'preDNAT');
  return doNotTrack || preDnat || applyOnForward ? { doNotTrack, preDnat, applyOnForward } : undefined;
}
