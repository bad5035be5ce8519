/**
 * What should become of a flow between pods, nodes and the world: the judge that the engine and the kernel are compared with. It is slow
 * on purpose: it keeps nothing, walks through everything, and shares no code with src/core/policy.
 */
import { calicoPolicies, calicoVerdict } from './calico-policy.ts';
import { clusterPolicyVerdict } from './cluster-policy.ts';
import { allows, type Direction, isAbout, typesOf } from './network-policy.ts';
import { type Document, type OracleFlow, type OraclePod, type World } from './world.ts';

export interface OracleVerdict {
  readonly egress: 'allow' | 'deny';
  readonly ingress: 'allow' | 'deny';
}

/** The orders that Calico gives to Kubernetes' tiers, among which its own are placed. */
const DEFAULT_TIER_ORDER = 1_000_000;
/** The order of Kubernetes' NetworkPolicies among those of the default tier. */
const NETWORK_POLICY_ORDER = 1000;

export function oracleVerdict(world: World, flow: OracleFlow): OracleVerdict {
  const source = world.podAt(flow.source);
  const destination = world.podAt(flow.destination);
  return {
    egress: source === undefined ? 'allow' : directionVerdict(world, source, 'egress', flow),
    ingress:
      destination === undefined || isOwnNode(world, flow.source, destination)
        ? 'allow'
        : directionVerdict(world, destination, 'ingress', flow),
  };
}

/** Probes of the kubelet must reach the pods of its node, whatever any policy says. */
function isOwnNode(world: World, address: string, pod: OraclePod): boolean {
  return world.nodesAt(address).some((node) => node.metadata.name === pod.node);
}

function directionVerdict(
  world: World,
  pod: OraclePod,
  direction: Direction,
  flow: OracleFlow,
): 'allow' | 'deny' {
  for (const { name, defaultAction } of tiersOf(world)) {
    const said = tierVerdict(world, name, defaultAction, pod, direction, flow);
    if (said !== undefined) return said;
  }
  return 'allow';
}

interface OracleTier {
  readonly name: string;
  readonly order: number;
  readonly defaultAction: 'Deny' | 'Pass';
}

function tiersOf(world: World): OracleTier[] {
  const written = world.of('Tier', 'projectcalico.org').map(
    ({ metadata, spec }: Document): OracleTier => ({
      name: metadata.name,
      order: spec.order ?? Number.POSITIVE_INFINITY,
      defaultAction: spec.defaultAction ?? 'Deny',
    }),
  );
  const known: OracleTier[] = [
    { name: 'Admin', order: 1000, defaultAction: 'Pass' },
    { name: 'default', order: DEFAULT_TIER_ORDER, defaultAction: 'Deny' },
    { name: 'Baseline', order: 10_000_000, defaultAction: 'Pass' },
  ];
  const others = known.filter(({ name }) => !written.some((tier) => tier.name === name));
  return [...written, ...others].toSorted((a, b) => a.order - b.order);
}

function tierVerdict(
  world: World,
  tier: string,
  defaultAction: 'Deny' | 'Pass',
  pod: OraclePod,
  direction: Direction,
  flow: OracleFlow,
): 'allow' | 'deny' | undefined {
  if (tier === 'Admin' || tier === 'Baseline') return clusterPolicyVerdict(world, tier, pod, direction, flow);
  const ours = calicoPolicies(world, tier, pod, direction);
  const kubernetes = tier === 'default' ? networkPolicies(world, pod, direction) : [];
  if (ours.length + kubernetes.length === 0) return undefined;
  const orderOf = (policy: Document): number => policy.spec.order ?? Number.POSITIVE_INFINITY;
  const before = ours.filter((policy) => orderOf(policy) < NETWORK_POLICY_ORDER);
  const after = ours.filter((policy) => orderOf(policy) >= NETWORK_POLICY_ORDER);
  const first = firstVerdict(world, before, direction, flow);
  if (first !== undefined) return first === 'pass' ? undefined : first;
  if (kubernetes.some((policy) => allows(world, policy, direction, flow))) return 'allow';
  const last = firstVerdict(world, after, direction, flow);
  if (last !== undefined) return last === 'pass' ? undefined : last;
  return defaultAction === 'Deny' ? 'deny' : undefined;
}

function networkPolicies(world: World, pod: OraclePod, direction: Direction): Document[] {
  return world
    .of('NetworkPolicy', 'networking.k8s.io')
    .filter((policy) => isAbout(policy, pod) && typesOf(policy).includes(direction));
}

function firstVerdict(
  world: World,
  policies: readonly Document[],
  direction: Direction,
  flow: OracleFlow,
): 'allow' | 'deny' | 'pass' | undefined {
  for (const policy of policies) {
    const said = calicoVerdict(world, policy, direction, flow);
    if (said !== undefined) return said.toLowerCase() as 'allow' | 'deny' | 'pass';
  }
  return undefined;
}
