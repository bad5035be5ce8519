/** The policies of one endpoint in the order in which they are asked: tier by tier, as each tier counts only where it has policies. */
import type { TierStage } from '../graph.ts';
import {
  type Direction,
  type Policy,
  type PolicyKind,
  type PolicyRef,
  refText,
  type Tier,
} from '../model.ts';

export type Stages = Readonly<Record<Direction, readonly TierStage[]>>;

/** What was found out for a member, and the version of the policies (Policies.version) it was found out from. */
export interface KnownStages {
  readonly version: number;
  readonly enforced?: Stages;
  readonly staged?: Stages;
}

/** Puts policies that select an endpoint in order. Policies of a tier that nobody wrote are left out until it is there. */
export function stagesOf(
  policies: readonly Policy[],
  tiers: readonly Tier[],
  orderText: (policy: Policy) => string,
): Stages {
  const byTier = Map.groupBy(policies, ({ tier }) => tier);
  for (const list of byTier.values())
    if (list.length > 1) list.sort((a, b) => comparePolicies(a, b, orderText));
  const inDirection = (direction: Direction): TierStage[] =>
    tiers.flatMap((tier) => {
      const found = byTier.get(tier.name)?.filter((policy) => policy[direction] !== undefined) ?? [];
      return found.length === 0 ? [] : [{ tier, policies: found }];
    });
  return { ingress: inDirection('ingress'), egress: inDirection('egress') };
}

export function compareTiers(a: Tier, b: Tier): number {
  return compareOrders(a.order, b.order) || compareText(a.name, b.name);
}

/** The order of policies of one tier. */
export function comparePolicies(a: Policy, b: Policy, orderText: (policy: Policy) => string): number {
  return compareOrders(a.order, b.order) || compareText(orderText(a), orderText(b));
}

/** Infinity is a value like others here: the difference of two of them is none. */
function compareOrders(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** Whether an endpoint that had the one has the other: the same policies, as objects, in the same order, in the same tiers. */
export function sameStages(a: Stages, b: Stages): boolean {
  return a === b || (sameDirection(a.ingress, b.ingress) && sameDirection(a.egress, b.egress));
}

/** Whether the same is asked in one direction. */
export function sameDirection(a: readonly TierStage[], b: readonly TierStage[]): boolean {
  return (
    a.length === b.length &&
    a.every((stage, at) => {
      const other = b[at] as TierStage;
      if (stage.tier !== other.tier || stage.policies.length !== other.policies.length) return false;
      return stage.policies.every((policy, index) => policy === other.policies[index]);
    })
  );
}

/** What a staged policy would become; others are what they are. */
export function enforcedRef(ref: PolicyRef): PolicyRef {
  const kind = ENFORCED[ref.kind];
  return kind === undefined ? ref : { ...ref, kind };
}

/** The order of policies that have the same `order`: a staged one is asked where it would be. */
export function enforcedText({ ref }: Policy): string {
  return refText(enforcedRef(ref));
}

const ENFORCED: Partial<Record<PolicyKind, PolicyKind>> = {
  StagedNetworkPolicy: 'CalicoNetworkPolicy',
  StagedGlobalNetworkPolicy: 'GlobalNetworkPolicy',
  StagedKubernetesNetworkPolicy: 'NetworkPolicy',
};
