/** Asks about flows between points. What is known of a point is found out once, however many others it is asked about with. */
import { familyOf, type IpFamily } from '#base/ip/index.ts';
import type { Flow, Protocol } from '../../model.ts';
import { isKnownAllowed } from '../evaluate.ts';
import type { PolicyGraph } from '../graph.ts';
import type { FlowOptions } from '../hosts.ts';
import { type FlowEnd, flowEnd, type KnownFlow } from '../match.ts';
import type { Point, PointClass } from './points.ts';

/** What is asked of each pair; without a port for protocols that have none. */
export interface Probe {
  readonly protocol: Protocol;
  readonly port?: number;
}

type Ends = Readonly<Partial<Record<IpFamily, FlowEnd>>>;

/** For as long as the graph stays as it is. */
export class Prober {
  readonly #graph: PolicyGraph;
  readonly #options: FlowOptions;
  readonly #ends = new Map<Point, Ends>();

  constructor(graph: PolicyGraph, options: FlowOptions = {}) {
    this.#graph = graph;
    this.#options = options;
  }

  /** For each family that both have, the flow from one to the other. */
  flows(source: Point, destination: Point, { protocol, port }: Probe): KnownFlow[] {
    const [from, to] = [this.#endsOf(source), this.#endsOf(destination)];
    const flows: KnownFlow[] = [];
    for (const family of [4, 6] as const) {
      const [a, b] = [from[family], to[family]];
      if (a === undefined || b === undefined) continue;
      const ports = port === undefined ? {} : { destinationPort: port };
      const flow: Flow = { source: a.address.text, destination: b.address.text, protocol, ...ports };
      flows.push({ graph: this.#graph, flow, source: a, destination: b });
    }
    return flows;
  }

  /** Whether the flows from one class to another are allowed, one for each family that both have: those of one pair for all. */
  ask(source: PointClass, destination: PointClass, probe: Probe): boolean[] {
    const from = source[0] as Point;
    const to = destination[0] === from ? destination[1] : destination[0];
    if (to === undefined) return [];
    return this.flows(from, to, probe).map((known) => isKnownAllowed(known, this.#options));
  }

  #endsOf(point: Point): Ends {
    let ends = this.#ends.get(point);
    if (ends === undefined) {
      ends = Object.fromEntries(
        point.addresses.toReversed().map((each) => [familyOf(each), flowEnd(this.#graph, each)]), // the first counts
      );
      this.#ends.set(point, ends);
    }
    return ends;
  }
}
