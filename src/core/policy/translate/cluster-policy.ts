/**
 * policy.networking.k8s.io: ClusterNetworkPolicy (v1alpha2), and the AdminNetworkPolicy and BaselineAdminNetworkPolicy it came from
 * (v1alpha1). A rule with a part that is of no kind known here was written for a later version of the API: it fails closed, as the API asks
 * for, which is to allow nothing or to deny everything. https://network-policy-api.sigs.k8s.io/reference/spec/
 */
import type { KubeObject } from '#core/store/index.ts';
import type { Direction, Policy, PolicyRule } from '../model.ts';
import { type Dialect, peerMatch, podsOf } from './cluster-peer.ts';
import { portChoices, protocolChoices } from './cluster-ports.ts';
import { Fields, type Findings, shown } from './document.ts';
import { ADMIN_TIER, BASELINE_TIER } from './tiers.ts';

const MAX_PRIORITY = 1000;

export function clusterNetworkPolicy(object: KubeObject, findings: Findings): Policy {
  const spec = new Fields(object['spec'], 'spec', findings);
  const tier = spec.required('tier', spec.oneOf('tier', ['Admin', 'Baseline']));
  const priority = spec.required('priority', spec.integer('priority', 0, MAX_PRIORITY));
  const dialect: Dialect = {
    kind: 'ClusterNetworkPolicy',
    allow: 'Accept',
    hasPass: true,
    outerPeers: ['nodes', 'networks', 'domainNames'],
    ports: protocolChoices,
  };
  const where = { tier: tier === 'Baseline' ? BASELINE_TIER.name : ADMIN_TIER.name, order: priority ?? 0 };
  return policyOf(object, spec, dialect, where);
}

export function adminNetworkPolicy(object: KubeObject, findings: Findings): Policy {
  const spec = new Fields(object['spec'], 'spec', findings);
  const priority = spec.required('priority', spec.integer('priority', 0, MAX_PRIORITY));
  const dialect: Dialect = {
    kind: 'AdminNetworkPolicy',
    allow: 'Allow',
    hasPass: true,
    outerPeers: ['nodes', 'networks', 'domainNames'],
    ports: portChoices,
  };
  return policyOf(object, spec, dialect, { tier: ADMIN_TIER.name, order: priority ?? 0 });
}

/** There is one, called `default`; it comes after all that have a priority. */
export function baselineAdminNetworkPolicy(object: KubeObject, findings: Findings): Policy {
  const spec = new Fields(object['spec'], 'spec', findings);
  const { name } = object.metadata;
  if (name !== 'default')
    findings.problems.push({
      path: 'metadata.name',
      message: `must be "default", the only one there is, not ${shown(name)}`,
    });
  const dialect: Dialect = {
    kind: 'BaselineAdminNetworkPolicy',
    allow: 'Allow',
    hasPass: false,
    outerPeers: ['nodes', 'networks'],
    ports: portChoices,
  };
  return policyOf(object, spec, dialect, { tier: BASELINE_TIER.name, order: Number.POSITIVE_INFINITY });
}

function policyOf(
  { metadata }: KubeObject,
  spec: Fields,
  dialect: Dialect,
  where: Pick<Policy, 'tier' | 'order'>,
): Policy {
  const subject = spec.object('subject');
  if (subject === undefined) spec.fail('is missing', 'subject');
  const [ingress, egress] = [rulesOf(spec, 'ingress', dialect), rulesOf(spec, 'egress', dialect)];
  spec.warnOfOthers();
  return {
    ref: { kind: dialect.kind, name: metadata.name },
    ...where,
    subject: (subject && podsOf(subject)) ?? { op: 'none' },
    // Without rules for a direction it does not count there at all.
    ...(ingress.length > 0 && { ingress }),
    ...(egress.length > 0 && { egress }),
  };
}

function rulesOf(spec: Fields, direction: Direction, dialect: Dialect): PolicyRule[] {
  return (spec.objects(direction) ?? []).flatMap((rule, index) => ruleOf(rule, direction, index, dialect));
}

/** One rule becomes several: for each peer and protocol one. */
function ruleOf(rule: Fields, direction: Direction, index: number, dialect: Dialect): PolicyRule[] {
  const actions = [dialect.allow, 'Deny', ...(dialect.hasPass ? ['Pass'] : [])];
  const written = rule.required('action', rule.oneOf('action', actions));
  const action = written === 'Pass' ? 'pass' : written === dialect.allow ? 'allow' : 'deny';
  const key = direction === 'ingress' ? 'from' : 'to';
  const peers = rule.objects(key) ?? [];
  if (peers.length === 0) rule.fail('needs one peer at least', key);
  const choices = dialect.ports(rule);
  const name = rule.text('name');
  const named = name === undefined ? {} : { name };
  const ends = peers.map((peer) => peerMatch(peer, { direction, dialect, action, choices }));
  rule.warnOfOthers();
  if (choices === undefined || ends.includes(undefined)) {
    rule.warn(
      action === 'allow'
        ? 'matches nothing, as a part of it has none of the kinds that are known here'
        : 'denies everything, as a part of it has none of the kinds that are known here',
    );
    const origin = { index, path: `${direction}[${index}]`, ...named };
    return action === 'allow' ? [] : [{ origin, action: 'deny', source: {}, destination: {} }];
  }
  return ends.flatMap((other, at) =>
    choices.map(({ protocol, ports }): PolicyRule => {
      const destination = direction === 'ingress' ? {} : { ...other };
      return {
        origin: { index, path: `${direction}[${index}].${key}[${at}]`, ...named },
        action,
        ...(protocol !== undefined && { protocol }),
        source: direction === 'ingress' ? { ...other } : {},
        destination: ports === undefined ? destination : { ...destination, ports },
      };
    }),
  );
}
