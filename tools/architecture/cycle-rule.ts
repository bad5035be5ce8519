/** The rule against import cycles, between files and between modules; `import type` closes a cycle like any other. */
import { isTest, placeOf } from './place.ts';
import type { Fault } from './plan.ts';
import type { Source } from './source.ts';

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** One fault per cycle, at the first of its files by name. */
export function judgeCycles(sources: readonly Source[]): Fault[] {
  const code = sources.filter((source) => !isTest(source.path));
  const fileCycles = cyclesOf(graphOf(code, (path) => path));
  const moduleCycles = cyclesOf(graphOf(code, (path) => placeOf(path).module));
  const inFiles = fileCycles.map((cycle) => report(cycle, code, 'files'));
  // A cycle of files that spans modules is one of modules too: say it once.
  const spanned = new Set(fileCycles.map((cycle) => modulesOf(cycle)));
  const inModules = moduleCycles.filter((cycle) => !spanned.has(cycle.toSorted().join(' ')));
  return [...inFiles, ...inModules.map((cycle) => report(cycle, code, 'modules'))];
}

function modulesOf(cycle: readonly string[]): string {
  return [...new Set(cycle.map((path) => placeOf(path).module))].toSorted().join(' ');
}

function report(cycle: readonly string[], sources: readonly Source[], what: string): Fault {
  const [first = '', second = first] = cycle;
  const source = sources.find(({ path }) => path === first);
  const line = source?.imports.find((found) => found.target === second)?.line ?? 1;
  return {
    rule: 'cycle',
    path: first,
    line,
    text: `${what} import each other: ${[...cycle, first].join(' → ')}`,
  };
}

function graphOf(sources: readonly Source[], nodeOf: (path: string) => string): Graph {
  const graph = new Map<string, Set<string>>();
  for (const source of sources) {
    const from = nodeOf(source.path);
    const targets = graph.get(from) ?? new Set();
    graph.set(from, targets);
    for (const { target } of source.imports) {
      if (target === undefined) continue;
      const to = nodeOf(target);
      if (to !== from || target === source.path) targets.add(to);
    }
  }
  return graph;
}

/** A shortest cycle through the first node of every strongly connected group, each starting at its lowest name. */
function cyclesOf(graph: Graph): string[][] {
  const cycles: string[][] = [];
  const seen = new Set<string>();
  for (const start of [...graph.keys()].toSorted()) {
    if (seen.has(start)) continue;
    const cycle = shortestCycle(graph, start);
    if (cycle === undefined) continue;
    cycles.push(cycle);
    for (const node of cycle) seen.add(node);
  }
  return cycles;
}

function shortestCycle(graph: Graph, start: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const next of graph.get(node) ?? []) {
      if (next === start) return pathTo(node, cameFrom);
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, node);
      queue.push(next);
    }
  }
  return undefined;
}

function pathTo(end: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const path = [end];
  for (let at = cameFrom.get(end); at !== undefined; at = cameFrom.get(at)) path.unshift(at);
  return path;
}
