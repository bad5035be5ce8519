/** Who reaches whom: the pods of a cluster, one by one or in groups, as a table of how much of their traffic is allowed. */
import type { IpAddress } from '#base/ip/index.ts';
import type { PolicyGraph } from '../graph.ts';
import type { FlowOptions } from '../hosts.ts';
import { classesOf, type Point, type PointClass, pointsOf } from './points.ts';
import { type Probe, Prober } from './prober.ts';

export interface MatrixOptions extends FlowOptions {
  readonly ports: readonly Probe[];
  /** What makes a row: each pod (the default), each namespace, or each combination of values of these labels. */
  readonly groupBy?: 'pod' | 'namespace' | { readonly labels: readonly string[] };
  /** Keys of the pods to look at; absent: all. */
  readonly pods?: ReadonlySet<string>;
  /** Addresses outside of the cluster, each a row of its own. */
  readonly outside?: readonly IpAddress[];
}

export interface MatrixGroup {
  readonly name: string;
  /** Keys of members; the address, for one outside. */
  readonly points: readonly string[];
}

export interface MatrixCell {
  /** Indices of groups. */
  readonly source: number;
  readonly destination: number;
  /** Index of the port asked about. */
  readonly port: number;
  /** Flows: pairs of two different points, once for each family that both have. */
  readonly allowed: number;
  readonly denied: number;
}

export interface Matrix {
  readonly groups: readonly MatrixGroup[];
  readonly ports: readonly Probe[];
  /** By source, destination and port. */
  readonly cells: readonly MatrixCell[];
}

/** More than anybody could look at. */
const MOST_CELLS = 4_000_000;

/** Throws a RangeError if the table would have more cells than anybody could look at: then group, or choose pods. */
export function matrix(graph: PolicyGraph, options: MatrixOptions): Matrix {
  const { ports, groupBy = 'pod' } = options;
  const points = pointsOf(graph, options.outside).filter(
    ({ name, entry }) => entry === undefined || options.pods === undefined || options.pods.has(name),
  );
  const groups = [...Map.groupBy(points, (point) => groupName(point, groupBy))];
  const size = groups.length ** 2 * ports.length;
  if (size > MOST_CELLS)
    throw new RangeError(`a table of ${groups.length} rows and ${ports.length} ports has ${size} cells`);
  const classes = classesOf([graph], points);
  const counts = countsOf(
    groups.map(([, members]) => members),
    classes,
  );
  const cells: MatrixCell[] = [];
  const ask = pairAsker(graph, classes, options);
  for (const source of groups.keys())
    for (const destination of groups.keys())
      for (const port of ports.keys())
        cells.push({ source, destination, port, ...addUp(counts, source, destination, port, ask) });
  const named = groups.map(([name, members]) => ({ name, points: members.map((each) => each.name) }));
  return { groups: named, ports, cells };
}

type PairAsker = (source: number, destination: number, port: number) => readonly boolean[];

/** Asks once for each pair of classes. */
function pairAsker(graph: PolicyGraph, classes: readonly PointClass[], options: MatrixOptions): PairAsker {
  const prober = new Prober(graph, options);
  const known = new Map<number, readonly boolean[]>();
  return (source, destination, port) => {
    const at = (source * classes.length + destination) * options.ports.length + port;
    let found = known.get(at);
    if (found === undefined) {
      const from = classes[source] as PointClass;
      found = prober.ask(from, classes[destination] as PointClass, options.ports[port] as Probe);
      known.set(at, found);
    }
    return found;
  };
}

/** For each group, how many of its points are of which class. */
function countsOf(
  groups: readonly (readonly Point[])[],
  classes: readonly PointClass[],
): ReadonlyMap<number, number>[] {
  const classOf = new Map(classes.flatMap((points, index) => points.map((point) => [point, index] as const)));
  return groups.map((points) => {
    const counts = new Map<number, number>();
    for (const point of points) {
      const index = classOf.get(point) as number;
      counts.set(index, (counts.get(index) ?? 0) + 1);
    }
    return counts;
  });
}

function addUp(
  counts: readonly ReadonlyMap<number, number>[],
  source: number,
  destination: number,
  port: number,
  ask: PairAsker,
): { allowed: number; denied: number } {
  const sum = { allowed: 0, denied: 0 };
  for (const [from, sources] of counts[source] as ReadonlyMap<number, number>) {
    for (const [to, destinations] of counts[destination] as ReadonlyMap<number, number>) {
      const isSelf = source === destination && from === to; // nobody is a pair with itself
      const pairs = sources * (isSelf ? destinations - 1 : destinations);
      if (pairs === 0) continue;
      for (const isAllowed of ask(from, to, port)) sum[isAllowed ? 'allowed' : 'denied'] += pairs;
    }
  }
  return sum;
}

function groupName({ name, entry }: Point, by: NonNullable<MatrixOptions['groupBy']>): string {
  if (entry === undefined || by === 'pod') return name;
  const { namespace = '', labels } = entry.member;
  if (by === 'namespace') return namespace;
  return by.labels.map((key) => `${key}=${Object.hasOwn(labels, key) ? labels[key] : ''}`).join(',');
}
