/** One line of what policies did: a flow with the names of its ends, the verdict, and who gave it. */
import type { IpAddress } from '#base/ip/index.ts';
import { evaluate, evaluateStaged } from '../engine/evaluate.ts';
import type { PolicyGraph } from '../engine/graph.ts';
import { flowEnd } from '../engine/match.ts';
import {
  type Direction,
  type Flow,
  type MemberKind,
  type PolicyRef,
  type RuleAction,
  refText,
  type VerdictStep,
} from '../model.ts';
import type { TagParts } from '../rule-tag.ts';
import type { Decider } from './subjects.ts';

/** Who is at one end. */
export interface LineEnd {
  readonly address: IpAddress;
  readonly port?: number;
  /** Absent for an address that no object has. */
  readonly kind?: MemberKind;
  /** `shop/web` of a pod, the name of anything else. */
  readonly name?: string;
  readonly namespace?: string;
}

export interface FlowLine {
  readonly atMs: number;
  readonly verdict: RuleAction;
  /** Whose policy it was: that of the destination, ingress, or of the source. */
  readonly direction: Direction;
  readonly source: LineEnd;
  readonly destination: LineEnd;
  /** IPPROTO_*. */
  readonly protocol: number;
  readonly icmp?: { readonly type: number; readonly code: number };
  readonly by: LineOrigin;
  /** What this direction would have said were staged policies in force; absent where there are none. */
  readonly staged?: { readonly verdict: 'allow' | 'deny'; readonly by?: LineOrigin };
  /** Packets that the line stands for. */
  readonly count: number;
}

/** Who decided, as text. */
export type LineOrigin =
  | {
      readonly by: 'rule';
      readonly tier: string;
      /** `NetworkPolicy shop/web`. */
      readonly policy: string;
      readonly rule: string;
      readonly name?: string;
    }
  /** No rule of the policies of a tier matched. */
  | { readonly by: 'tier-default'; readonly tier: string; readonly policies: readonly string[] }
  /** The pod's policies were not known yet. */
  | { readonly by: 'unknown-pod' }
  /** No policy that is known: it is gone, or newer than what was read. */
  | { readonly by: 'unknown'; readonly digest: string };

export interface SeenFlow {
  readonly flow: Flow;
  readonly tag: TagParts;
  /** Absent: the tag is of nothing that is known. */
  readonly decider: Decider | undefined;
  readonly atMs: number;
}

/** The line for a packet, but for what staged policies say. Throws a RangeError for an address that is none. */
export function flowLine(graph: PolicyGraph, { flow, tag, decider, atMs }: SeenFlow): FlowLine {
  return {
    atMs,
    verdict: tag.action,
    direction: tag.direction,
    source: lineEnd(graph, flow.source, flow.sourcePort),
    destination: lineEnd(graph, flow.destination, flow.destinationPort),
    protocol: flow.protocol,
    ...(flow.icmp !== undefined && { icmp: flow.icmp }),
    by: originOf(graph, flow, tag, decider),
    count: 1,
  };
}

/** What staged policies would have done in one direction. */
export function stagedVerdict(
  graph: PolicyGraph,
  flow: Flow,
  direction: Direction,
): NonNullable<FlowLine['staged']> {
  const { action, steps } = evaluateStaged(graph, flow)[direction];
  const last = steps.at(-1);
  const by = last === undefined ? undefined : ofStep(last);
  return { verdict: action, ...(by !== undefined && { by }) };
}

/** The name of whoever has an address: a pod before a node, a node before what merely covers it. */
export function lineEnd(graph: PolicyGraph, address: IpAddress, port: number | undefined): LineEnd {
  const { pod, members } = flowEnd(graph, address);
  const found = pod ?? RANKING.flatMap((kind) => members.find(({ member }) => member.kind === kind) ?? [])[0];
  const at = { address, ...(port !== undefined && { port }) };
  if (found === undefined) return at;
  const { kind, name, namespace } = found.member;
  return {
    ...at,
    kind,
    name: namespace === undefined ? name : `${namespace}/${name}`,
    ...(namespace !== undefined && { namespace }),
  };
}

const RANKING: readonly MemberKind[] = ['node', 'host-endpoint', 'network-set'];

function originOf(
  graph: PolicyGraph,
  flow: Flow,
  { direction, digest }: TagParts,
  decider: Decider | undefined,
): LineOrigin {
  switch (decider?.by) {
    case undefined:
      return { by: 'unknown', digest };
    case 'unknown-pod':
      return { by: 'unknown-pod' };
    case 'rule': {
      const { policy, rule } = decider;
      return ruleOrigin(policy.tier, policy.ref, rule.origin);
    }
    case 'tier-default': {
      // The tag names the tier alone; whose rules did not match is what the policies say.
      const { tier } = decider;
      const said = evaluate(graph, flow)[direction].steps.find(
        (step) => step.by === 'tier-default' && step.tier === tier,
      );
      return (said && ofStep(said)) ?? { by: 'tier-default', tier, policies: [] };
    }
  }
}

function ofStep(step: VerdictStep): LineOrigin | undefined {
  switch (step.by) {
    case 'rule':
      return ruleOrigin(step.tier, step.policy, step.rule);
    case 'tier-default':
      return { by: 'tier-default', tier: step.tier, policies: step.policies.map(refText) };
    case 'default':
      return undefined;
  }
}

function ruleOrigin(
  tier: string,
  policy: PolicyRef,
  { path, name }: { readonly path: string; readonly name?: string },
): LineOrigin {
  return { by: 'rule', tier, policy: refText(policy), rule: path, ...(name !== undefined && { name }) };
}
