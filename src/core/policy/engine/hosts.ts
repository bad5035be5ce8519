/**
 * Host endpoints of projectcalico.org/v3: which of them a flow meets, and what their policies say of it. Before anything else come ports
 * that are never closed, policies before tracking and before addresses are translated; what is forwarded meets only policies that say so.
 */
import type { Direction, Member, Policy, VerdictStep } from '../model.ts';
import { type Decision, decide } from './decide.ts';
import type { Entry } from './entry.ts';
import { FAILSAFE_PORTS, type FailsafePort } from './failsafe-table.ts';
import type { PolicyGraph } from './graph.ts';
import type { FlowEnd, KnownFlow } from './match.ts';
import type { PolicyView } from './policies.ts';

/** What a question about a flow says besides the flow. */
export interface FlowOptions {
  /** Absent: the policies in force. */
  readonly view?: PolicyView;
  /** Ports of host endpoints that stay open; absent: Felix' own. */
  readonly failsafe?: Readonly<Record<Direction, readonly FailsafePort[]>>;
  /**
   * The links by which the flow leaves its source's node and comes into its destination's: host endpoints of one link are asked about
   * forwarded traffic only if it is known to pass there.
   */
  readonly links?: { readonly source?: string; readonly destination?: string };
}

const isUntracked = ({ host }: Policy): boolean => host?.doNotTrack === true;
const isPreDnat = ({ host }: Policy): boolean => host?.preDnat === true && !host.doNotTrack;
const isNormal = ({ host }: Policy): boolean => host === undefined || !(host.doNotTrack || host.preDnat);
const isForForwarded = (policy: Policy): boolean => isNormal(policy) && policy.host?.applyOnForward === true;

/** Of the host endpoints of an address, the one whose policies count: one that has it as its own before one of all the host. */
export function hostEndpointAt(graph: PolicyGraph, end: FlowEnd, link?: string): Entry | undefined {
  const own = end.members.find(({ member }) => member.kind === 'host-endpoint' && !isOfAllLinks(member));
  return own ?? hostEndpointOf(graph, end.host, link);
}

/** The host endpoint of a link, or that of all links. */
export function hostEndpointOf(
  graph: PolicyGraph,
  node: string | undefined,
  link: string | undefined,
): Entry | undefined {
  const found = node === undefined ? undefined : graph.members.hostEndpointsOf(node);
  if (found === undefined) return undefined;
  const all = [...found].toSorted((a, b) => (a.member.key < b.member.key ? -1 : 1));
  const ofLink = link === undefined ? undefined : all.find(({ member }) => member.link === link);
  return ofLink ?? all.find(({ member }) => isOfAllLinks(member));
}

/** What a host endpoint says of a flow that begins or ends at its host. */
export function askHost(
  entry: Entry,
  direction: Direction,
  known: KnownFlow,
  options: FlowOptions,
  steps?: VerdictStep[],
): Decision {
  if (isFailsafe(direction, known, options)) return byDefault('allow', 'failsafe', steps);
  const stages = known.graph.policies.stages(entry, options.view)[direction];
  const early = [isUntracked, ...(direction === 'ingress' ? [isPreDnat] : [])];
  for (const counts of early) {
    const said = decide(stages, known, { direction, counts, hasTierDefaults: false }, steps);
    if (said !== undefined) return said;
  }
  const said = decide(stages, known, { direction, counts: isNormal, hasTierDefaults: true }, steps);
  return said ?? byDefault('deny', 'host-endpoint', steps);
}

/** What a host endpoint says of a flow that its host forwards; `isFromOutside`: it came in by a link of the host, from no local pod. */
export function askForwarding(
  entry: Entry,
  direction: Direction,
  known: KnownFlow,
  options: FlowOptions & { readonly isFromOutside: boolean },
  steps?: VerdictStep[],
): Decision {
  const stages = known.graph.policies.stages(entry, options.view)[direction];
  const isEarly = direction === 'ingress' && options.isFromOutside && !isFailsafe(direction, known, options);
  for (const counts of isEarly ? [isUntracked, isPreDnat] : []) {
    const said = decide(stages, known, { direction, counts, hasTierDefaults: false }, steps);
    if (said === 'deny') return 'deny';
    if (said === 'allow') break; // an early allowance ends the early policies, not those for what is forwarded
  }
  const said = decide(stages, known, { direction, counts: isForForwarded, hasTierDefaults: true }, steps);
  return said ?? byDefault('allow', 'not-isolated', steps);
}

/** Notes why, and gives the action. */
export function byDefault(
  action: Decision,
  reason: (VerdictStep & { by: 'default' })['reason'],
  steps?: VerdictStep[],
): Decision {
  steps?.push({ by: 'default', action, reason });
  return action;
}

function isFailsafe(
  direction: Direction,
  { flow }: KnownFlow,
  { failsafe = FAILSAFE_PORTS }: FlowOptions,
): boolean {
  return failsafe[direction].some(
    ({ protocol, port }) => protocol === flow.protocol && port === flow.destinationPort,
  );
}

/** Without a link it is about its addresses, if it has any. */
function isOfAllLinks({ link, nets }: Member): boolean {
  return link === '*' || (link === undefined && nets.length === 0);
}
