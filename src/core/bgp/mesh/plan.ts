/**
 * A full mesh while the cluster is small, and reflectors (RFC 4456) that follow from the nodes alone when it is large: every node works out
 * the same. Reflectors are spread over zones and racks; each node has one near and one that does not fail with it; when one is lost the next
 * takes its place, and only its clients move (rendezvous hashing).
 */
import { digest64 } from '#base/hash.ts';
import type { MeshNode, MeshOptions, MeshSession } from './model.ts';

const FEWEST_REFLECTORS = 3;

/** Who speaks with whom. */
export class MeshPlan {
  /** Sorted by name; empty in a full mesh. */
  readonly reflectors: readonly string[];
  readonly #names: ReadonlySet<string>;
  readonly #reflectorsOf: ReadonlyMap<string, readonly string[]>;
  readonly #clientsOf: ReadonlyMap<string, readonly string[]>;

  constructor(
    nodes: readonly MeshNode[],
    reflectors: readonly string[],
    reflectorsOf: ReadonlyMap<string, readonly string[]>,
  ) {
    this.#names = new Set(nodes.map(({ name }) => name));
    this.reflectors = reflectors.toSorted();
    this.#reflectorsOf = reflectorsOf;
    const clientsOf = new Map<string, string[]>(reflectors.map((name) => [name, []]));
    for (const [client, theirs] of reflectorsOf) for (const name of theirs) clientsOf.get(name)?.push(client);
    this.#clientsOf = clientsOf;
  }

  /** A node's sessions, sorted by peer; none of a node that is not there. */
  sessionsOf(name: string): readonly MeshSession[] {
    if (!this.#names.has(name)) return [];
    const sessions: MeshSession[] = [];
    if (this.reflectors.length === 0) {
      for (const peer of this.#names) if (peer !== name) sessions.push({ peer, role: 'mesh' });
    } else if (this.#clientsOf.has(name)) {
      for (const peer of this.reflectors) if (peer !== name) sessions.push({ peer, role: 'mesh' });
      for (const peer of this.#clientsOf.get(name) ?? []) sessions.push({ peer, role: 'client' });
    } else for (const peer of this.#reflectorsOf.get(name) ?? []) sessions.push({ peer, role: 'reflector' });
    return sessions.sort((a, b) => (a.peer < b.peer ? -1 : 1));
  }
}

/** Works out who speaks with whom. The order of the nodes is of no matter. */
export function planMesh(nodes: readonly MeshNode[], options: MeshOptions = {}): MeshPlan {
  const { fullMeshLimit = 100, reflectorsPerNode = 2, clientsPerReflector = 200 } = options;
  const sorted = nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (sorted.length <= fullMeshLimit) return new MeshPlan(sorted, [], new Map());
  const wanted = Math.ceil((sorted.length * reflectorsPerNode) / clientsPerReflector);
  const hashes = new Map(sorted.map(({ name }) => [name, hash32(name)]));
  const reflectors = chooseReflectors(sorted, hashes, Math.max(FEWEST_REFLECTORS, reflectorsPerNode, wanted));
  const names = new Set(reflectors.map(({ name }) => name));
  const reflectorsOf = new Map<string, readonly string[]>();
  for (const node of sorted)
    if (!names.has(node.name))
      reflectorsOf.set(node.name, assign(node, reflectors, hashes, reflectorsPerNode));
  return new MeshPlan(sorted, [...names], reflectorsOf);
}

/** Takes from all places in turn, the widest first, so that no place has two before each has one. */
function chooseReflectors(
  nodes: readonly MeshNode[],
  hashes: ReadonlyMap<string, number>,
  count: number,
): readonly MeshNode[] {
  const able = nodes.filter(({ isNeverReflector }) => isNeverReflector !== true);
  const alive = able.filter(({ isAlive }) => isAlive);
  // Where nothing is known of anybody, somebody must do it.
  const candidates = alive.length >= count ? alive : [...alive, ...able.filter(({ isAlive }) => !isAlive)];
  return spread(candidates, hashes, 0).slice(0, count);
}

function spread(
  nodes: readonly MeshNode[],
  hashes: ReadonlyMap<string, number>,
  depth: number,
): readonly MeshNode[] {
  const byHash = nodes.toSorted(
    (a, b) => rankOf(hashes, a) - rankOf(hashes, b) || (a.name < b.name ? -1 : 1),
  );
  if (nodes.every(({ places }) => places.length <= depth)) return byHash;
  const groups = Map.groupBy(byHash, ({ places }) => places[depth] ?? '');
  const queues = [...groups].toSorted(([a], [b]) => hash32(a) - hash32(b) || (a < b ? -1 : 1));
  const lists = queues.map(([, group]) => spread(group, hashes, depth + 1));
  const mixed: MeshNode[] = [];
  for (let round = 0; mixed.length < nodes.length; round++)
    for (const list of lists) {
      const node = list[round];
      if (node !== undefined) mixed.push(node);
    }
  // Those that are not alive are the last choice, wherever they are.
  return [...mixed.filter(({ isAlive }) => isAlive), ...mixed.filter(({ isAlive }) => !isAlive)];
}

function assign(
  node: MeshNode,
  reflectors: readonly MeshNode[],
  hashes: ReadonlyMap<string, number>,
  count: number,
): readonly string[] {
  const chosen: MeshNode[] = [];
  while (chosen.length < Math.min(count, reflectors.length)) {
    let best: MeshNode | undefined;
    let bestScore: readonly [number, number] = [0, 0];
    for (const reflector of reflectors) {
      if (chosen.includes(reflector)) continue;
      const score = [
        likingOf(node, reflector, chosen),
        mixed(rankOf(hashes, node), rankOf(hashes, reflector)),
      ] as const;
      if (
        best !== undefined &&
        (score[0] < bestScore[0] || (score[0] === bestScore[0] && score[1] <= bestScore[1]))
      )
        continue;
      best = reflector;
      bestScore = score;
    }
    if (best !== undefined) chosen.push(best);
  }
  return chosen.map(({ name }) => name);
}

/** The first is the nearer the better, the others are the farther from those before. */
function likingOf(node: MeshNode, reflector: MeshNode, chosen: readonly MeshNode[]): number {
  if (chosen.length === 0) return alike(node, reflector) > 0 ? 1 : 0;
  return -Math.max(...chosen.map((other) => alike(other, reflector)));
}

/** How many places, from the widest, two nodes share. */
function alike(a: MeshNode, b: MeshNode): number {
  let depth = 0;
  while (depth < a.places.length && a.places[depth] === b.places[depth]) depth++;
  return depth;
}

function rankOf(hashes: ReadonlyMap<string, number>, { name }: MeshNode): number {
  return hashes.get(name) ?? 0;
}

function hash32(text: string): number {
  return Number(digest64(text) & 0xffff_ffffn);
}

function mixed(a: number, b: number): number {
  let value = Math.imul(a ^ Math.imul(b, 0x9e37_79b1), 0x85eb_ca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
