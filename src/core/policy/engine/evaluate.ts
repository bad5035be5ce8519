/**
 * What becomes of a flow, anywhere in the cluster: egress of the pod or host it comes from, ingress of the pod or host it goes to, and
 * the host endpoints of the nodes that forward it. `evaluate` tells every step, `isAllowed` takes the same way and tells only the end.
 */
import type { Direction, DirectionVerdict, Flow, Verdict, VerdictStep } from '../model.ts';
import { type Decision, decide } from './decide.ts';
import type { Entry } from './entry.ts';
import type { PolicyGraph } from './graph.ts';
import {
  askForwarding,
  askHost,
  byDefault,
  type FlowOptions,
  hostEndpointAt,
  hostEndpointOf,
} from './hosts.ts';
import { type FlowEnd, type KnownFlow, knownFlow } from './match.ts';

/** Throws a RangeError for an address that is none. */
export function evaluate(graph: PolicyGraph, flow: Flow, options: FlowOptions = {}): Verdict {
  const known = knownFlow(graph, flow);
  const egress = told('egress', known, options);
  const ingress = told('ingress', known, options);
  const forward = hopsOf(known, options).map((hop): DirectionVerdict => {
    const steps: VerdictStep[] = [];
    const action = askForwarding(hop.entry, hop.direction, known, { ...options, ...hop }, steps);
    return { direction: hop.direction, endpoint: hop.entry.member.key, action, steps };
  });
  const isDenied = [egress, ingress, ...forward].some(({ action }) => action === 'deny');
  return {
    action: isDenied ? 'deny' : 'allow',
    egress,
    ingress,
    ...(forward.length > 0 && { forward }),
  };
}

/** What would become of a flow if all that is staged were in force. */
export function evaluateStaged(graph: PolicyGraph, flow: Flow, options: FlowOptions = {}): Verdict {
  return evaluate(graph, flow, { ...options, view: 'staged' });
}

/** Whether a flow may be; the action of its verdict. Throws a RangeError for an address that is none. */
export function isAllowed(graph: PolicyGraph, flow: Flow, options: FlowOptions = {}): boolean {
  return isKnownAllowed(knownFlow(graph, flow), options);
}

/** Whether a flow that has begun may go on: addresses that names had then are theirs. Throws as isAllowed does. */
export function mayGoOn(graph: PolicyGraph, flow: Flow): boolean {
  return isKnownAllowed({ ...knownFlow(graph, flow), hasBegun: true });
}

/** Like isAllowed, for those who know the ends already. */
export function isKnownAllowed(known: KnownFlow, options: FlowOptions = {}): boolean {
  return (
    ask('egress', known, options).action === 'allow' &&
    ask('ingress', known, options).action === 'allow' &&
    hopsOf(known, options).every(
      (hop) => askForwarding(hop.entry, hop.direction, known, { ...options, ...hop }) === 'allow',
    )
  );
}

interface Answer {
  readonly endpoint?: string;
  readonly action: Decision;
}

function told(direction: Direction, known: KnownFlow, options: FlowOptions): DirectionVerdict {
  const steps: VerdictStep[] = [];
  return { direction, ...ask(direction, known, options, steps), steps };
}

function ask(direction: Direction, known: KnownFlow, options: FlowOptions, steps?: VerdictStep[]): Answer {
  const [own, other] =
    direction === 'egress' ? [known.source, known.destination] : [known.destination, known.source];
  if (own.pod !== undefined) {
    const action = askPod(own.pod, other, direction, known, options, steps);
    return { endpoint: own.pod.member.key, action };
  }
  const link = direction === 'egress' ? options.links?.source : options.links?.destination;
  const entry = own.host === undefined ? undefined : hostEndpointAt(known.graph, own, link);
  if (entry === undefined) return { action: byDefault('allow', 'no-endpoint', steps) };
  const endpoint = entry.member.key;
  // A host's links are not between it and its own pods, nor between it and itself.
  if (other.node !== undefined && other.node === own.host)
    return { endpoint, action: byDefault('allow', other.pod === undefined ? 'itself' : 'own-node', steps) };
  return { endpoint, action: askHost(entry, direction, known, options, steps) };
}

function askPod(
  pod: Entry,
  other: FlowEnd,
  direction: Direction,
  known: KnownFlow,
  options: FlowOptions,
  steps: VerdictStep[] | undefined,
): Decision {
  if (other.pod === pod) return byDefault('allow', 'itself', steps);
  if (direction === 'ingress' && other.host !== undefined && other.host === pod.member.node)
    return byDefault('allow', 'own-node', steps);
  const stages = known.graph.policies.stages(pod, options.view)[direction];
  const said = decide(stages, known, { direction, hasTierDefaults: true }, steps);
  return said ?? byDefault('allow', 'not-isolated', steps);
}

interface Hop {
  readonly entry: Entry;
  readonly direction: Direction;
  readonly isFromOutside: boolean;
}

/** The host endpoints of the nodes that forward a flow from or to a pod, in the order in which it meets them. */
function hopsOf({ graph, source, destination }: KnownFlow, { links }: FlowOptions): Hop[] {
  const first = source.pod === undefined ? undefined : source.node;
  const last = destination.pod === undefined ? undefined : destination.node;
  const nodes = first === last ? [first] : [first, last];
  return nodes.flatMap((node): Hop[] => {
    if (node === undefined || node === source.host || node === destination.host) return [];
    const isFromOutside = node !== first;
    const isToOutside = node !== last;
    const into = hostEndpointOf(graph, node, isFromOutside ? links?.destination : undefined);
    const out = hostEndpointOf(graph, node, isToOutside ? links?.source : undefined);
    return [
      ...(into ? [{ entry: into, direction: 'ingress' as const, isFromOutside }] : []),
      ...(out ? [{ entry: out, direction: 'egress' as const, isFromOutside }] : []),
    ];
  });
}
