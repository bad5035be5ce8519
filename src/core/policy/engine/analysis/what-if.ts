/** What a change would do, before it is made: the pairs of points whose traffic would be treated differently. */
import type { IpAddress } from '#base/ip/index.ts';
import {
  type Direction,
  type LabelMap,
  type Member,
  type Policy,
  type PolicyRef,
  refText,
  type Tier,
} from '../../model.ts';
import type { PolicyGraph } from '../graph.ts';
import type { FlowOptions } from '../hosts.ts';
import { enforcedRef, type Stages, sameDirection } from '../stages.ts';
import { classesOf, type Point, type PointClass, pointsOf } from './points.ts';
import { type Probe, Prober } from './prober.ts';
import { probesOf } from './probes.ts';

export type GraphChange =
  | { readonly change: 'upsert-policy'; readonly policy: Policy }
  | { readonly change: 'remove-policy'; readonly ref: PolicyRef }
  /** A staged policy comes into force; nothing happens if it is none. */
  | { readonly change: 'enforce-policy'; readonly ref: PolicyRef }
  | { readonly change: 'upsert-tier'; readonly tier: Tier }
  | { readonly change: 'remove-tier'; readonly name: string }
  | { readonly change: 'upsert-member'; readonly member: Member }
  | { readonly change: 'remove-member'; readonly key: string }
  | { readonly change: 'upsert-namespace'; readonly name: string; readonly labels: LabelMap };

export interface WhatIfOptions extends FlowOptions {
  /** Absent: all ports that the policies which change speak of, and one that they do not. */
  readonly ports?: readonly Probe[];
  /** Addresses outside of the cluster to look at, too. */
  readonly outside?: readonly IpAddress[];
}

/** All pairs of these sources and destinations are treated alike, before and after. */
export interface PairChange {
  /** Keys of members, or addresses outside. */
  readonly sources: readonly string[];
  readonly destinations: readonly string[];
  readonly probe: Probe;
  readonly before: PairAction;
  readonly after: PairAction;
}

/** `mixed`: one family is allowed and the other is not. */
export type PairAction = 'allow' | 'deny' | 'mixed';

/** Pods that are there before and after are looked at; the graph stays as it is. */
export function whatIf(
  graph: PolicyGraph,
  changes: readonly GraphChange[],
  options: WhatIfOptions = {},
): PairChange[] {
  const after = graph.copy();
  for (const each of changes) apply(after, each);
  const points = pointsOf(graph, options.outside).filter(
    ({ name, entry }) => entry === undefined || after.members.entries.has(name),
  );
  const probes = options.ports ?? probesOf(after, policiesOf(graph, changes));
  const classes = classesOf([graph, after], points);
  const [was, is] = [new Prober(graph, options), new Prober(after, options)];
  const touched = touchedBy(graph, after, changes);
  const found: PairChange[] = [];
  for (const source of classes) {
    const isTouched = touched('egress', source);
    for (const destination of classes) {
      if (!isTouched && !touched('ingress', destination)) continue;
      for (const probe of probes) {
        const [a, b] = [was.ask(source, destination, probe), is.ask(source, destination, probe)];
        if (a.every((isAllowed, family) => isAllowed === b[family])) continue;
        const [sources, destinations] = [namesOf(source), namesOf(destination)];
        found.push({ sources, destinations, probe, before: actionOf(a), after: actionOf(b) });
      }
    }
  }
  return found;
}

/**
 * A test for classes: false if what is asked about a direction of their points is what was asked before. If other things than policies
 * and tiers change, or host endpoints have a say, all may be touched.
 */
function touchedBy(
  graph: PolicyGraph,
  after: PolicyGraph,
  changes: readonly GraphChange[],
): (direction: Direction, points: PointClass) => boolean {
  const isOfPolicies = changes.every(({ change }) => change.endsWith('-policy') || change.endsWith('-tier'));
  if (!isOfPolicies || graph.members.hasHostEndpoints) return () => true;
  const known = new Map<PointClass, Readonly<Record<Direction, boolean>>>();
  const find = ([point]: PointClass): Readonly<Record<Direction, boolean>> => {
    const [before, now] = [graph, after].map(({ members, policies }) =>
      // Whoever else has one of its addresses may be asked in its place.
      (point as Point).addresses.flatMap((each) => members.at(each)).map((entry) => policies.stages(entry)),
    ) as [Stages[], Stages[]];
    const isOther = (direction: Direction): boolean =>
      before.some((each, at) => !sameDirection(each[direction], (now[at] as Stages)[direction]));
    return { ingress: isOther('ingress'), egress: isOther('egress') };
  };
  return (direction, points) => {
    const found = known.get(points) ?? find(points);
    known.set(points, found);
    return found[direction];
  };
}

const namesOf = (points: PointClass): string[] => points.map(({ name }) => name);

function actionOf(flows: readonly boolean[]): PairAction {
  if (flows.every(Boolean)) return 'allow';
  return flows.some(Boolean) ? 'mixed' : 'deny';
}

/** The policies that change, as they were and as they would be; all of them if it is not policies that change. */
function policiesOf(graph: PolicyGraph, changes: readonly GraphChange[]): Policy[] {
  const { byRef } = graph.policies;
  const known = (ref: PolicyRef): Policy[] => [byRef.get(refText(ref)) ?? []].flat();
  return changes.flatMap((each): Policy[] => {
    if (each.change === 'upsert-policy') return [...known(each.policy.ref), each.policy];
    if (each.change === 'remove-policy') return known(each.ref);
    if (each.change !== 'enforce-policy') return [...byRef.values()];
    return known(each.ref).flatMap((staged) => [staged, ...known(enforcedRef(staged.ref))]);
  });
}

function apply(graph: PolicyGraph, each: GraphChange): void {
  switch (each.change) {
    case 'upsert-policy':
      return graph.upsertPolicy(each.policy);
    case 'remove-policy':
      return graph.removePolicy(each.ref);
    case 'enforce-policy':
      return enforce(graph, each.ref);
    case 'upsert-tier':
      return graph.upsertTier(each.tier);
    case 'remove-tier':
      return graph.removeTier(each.name);
    case 'upsert-member':
      return graph.upsertMember(each.member);
    case 'remove-member':
      return graph.removeMember(each.key);
    case 'upsert-namespace':
      return graph.upsertNamespace(each.name, each.labels);
  }
}

function enforce(graph: PolicyGraph, ref: PolicyRef): void {
  const staged = graph.policies.byRef.get(refText(ref));
  if (staged?.staged !== 'set' && staged?.staged !== 'delete') return;
  graph.removePolicy(ref);
  const { staged: action, ...policy } = staged;
  const enforced = enforcedRef(ref);
  if (action === 'delete') graph.removePolicy(enforced);
  else graph.upsertPolicy({ ...policy, ref: enforced });
}
