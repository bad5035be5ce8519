/** Who must reach whom, and the outcome: the pairs of a lab in both families, counted and drawn as a matrix. */
import { familyOf, type IpAddress, type IpFamily } from '#base/ip/index.ts';

/** A pod or a node that probes and is probed. */
export interface Endpoint {
  readonly name: string;
  readonly kind: 'pod' | 'node';
  /** The addresses others reach it by: one for each family. */
  readonly targets: readonly IpAddress[];
  /** All addresses that are its own: what a probe from it may come from. */
  readonly own: readonly IpAddress[];
}

/** What policies say of a pair: it is reached, it is not, or that depends on which of its addresses the source takes. */
export type Expectation = 'reached' | 'denied' | 'either';

export interface Probe {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly family: IpFamily;
  readonly address: IpAddress;
  /** Absent: it is reached. */
  readonly expected?: Expectation;
}

export interface ProbeOutcome {
  readonly probe: Probe;
  /** The source address the target saw; absent if no answer came. */
  readonly seen?: IpAddress;
  readonly roundTripUs?: number;
  /** Why there was no answer. */
  readonly reason?: string;
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

export interface Reachability {
  readonly podToPod: Tally;
  readonly podToNode: Tally;
  readonly nodeToPod: Tally;
  /** Every target that answered saw one of the source's own addresses. */
  readonly natFree: boolean;
}

/** All ordered pairs with a pod at one end or both, in each family both have. */
export function probesOf(endpoints: readonly Endpoint[]): Probe[] {
  return endpoints.flatMap((source) =>
    endpoints
      .filter((target) => target !== source && (source.kind === 'pod' || target.kind === 'pod'))
      .flatMap((target) =>
        target.targets
          .filter((address) => source.own.some((own) => familyOf(own) === familyOf(address)))
          .map((address) => ({ source, target, family: familyOf(address), address })),
      ),
  );
}

/** A probe reached its target if it was answered and its source was seen as it is: an answer to a translated address is a failure. */
export function reached({ probe, seen }: ProbeOutcome): boolean {
  return seen !== undefined && probe.source.own.includes(seen);
}

/** A probe passed if what it found is what is expected: to be reached, unless policies deny it. */
export function passed(outcome: ProbeOutcome): boolean {
  const { expected = 'reached' } = outcome.probe;
  if (expected !== 'reached' && outcome.seen === undefined) return true;
  return expected !== 'denied' && reached(outcome);
}

export function summarise(outcomes: readonly ProbeOutcome[]): Reachability {
  const tally = (source: Endpoint['kind'], target: Endpoint['kind']): Tally => {
    const found = outcomes.filter(
      ({ probe }) => probe.source.kind === source && probe.target.kind === target,
    );
    const good = found.filter(passed).length;
    return { passed: good, failed: found.length - good };
  };
  const answered = outcomes.filter((outcome) => outcome.seen !== undefined);
  return {
    podToPod: tally('pod', 'pod'),
    podToNode: tally('pod', 'node'),
    nodeToPod: tally('node', 'pod'),
    natFree: (answered.length > 0 || outcomes.length === 0) && answered.every(reached),
  };
}

/** Policies deny it. */
export function isDenied({ probe }: ProbeOutcome): boolean {
  return probe.expected === 'denied';
}
