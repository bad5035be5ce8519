/** A simulated cluster: nodes that come, go, crash and are cut off from each other, and what they should know of one another. */
import { familyOf, type IpFamily } from '#base/ip/index.ts';
import { type MeshOptions, planMesh } from '#core/bgp/mesh/index.ts';
import { routesOf } from '#core/bgp/rib/index.ts';
import { AttributeMemory } from '#core/bgp/wire/index.ts';
import { SimClock } from '../sim-clock.ts';
import { SimAgenda } from './agenda.ts';
import { ipv6Of, SimNode } from './node.ts';
import { SimWire } from './wire.ts';

export interface SimClusterOptions {
  readonly mesh?: MeshOptions;
  readonly seed?: number;
  readonly latencyMs?: number;
  /** Both if absent; each node has a prefix of each. */
  readonly families?: readonly IpFamily[];
}

/** Sets of attributes that sessions remember together: of each node what each reflector makes of it. */
const MEMORY_SLOTS = 65_536;
/** How long until all nodes have heard that one is alive or is not. */
const LIVENESS_MS = 20_000;

export class SimCluster {
  readonly clock = new SimClock();
  readonly wire: SimWire;
  readonly nodes = new Map<string, SimNode>();
  /** Prefixes of nodes that were there all the time and that some node could not reach for a moment, by whom. */
  readonly gaps = new Set<string>();
  readonly #agenda: SimAgenda;
  readonly #memory = new AttributeMemory(MEMORY_SLOTS);
  readonly #mesh: MeshOptions;
  readonly #dead = new Set<string>();
  readonly #steady = new Set<string>();
  readonly #families: readonly IpFamily[];
  #seed: number;

  constructor({ mesh = {}, seed = 1, latencyMs = 1, families = [4, 6] }: SimClusterOptions = {}) {
    this.#families = families;
    this.#agenda = new SimAgenda(this.clock);
    this.wire = new SimWire(this.#agenda, latencyMs);
    this.#mesh = mesh;
    this.#seed = seed;
  }

  /** Adds nodes by their numbers, which give them zones, racks, addresses and prefixes. */
  add(...numbers: readonly number[]): this {
    for (const number of numbers) {
      const name = nameOf(number);
      const both = [
        `10.${100 + (number >> 8)}.${number & 255}.0/24`,
        `fd00:${(number + 1).toString(16)}::/64`,
      ];
      const prefixes = both.filter((prefix) => this.#families.includes(familyOf(prefix)));
      const ports = {
        families: this.#families,
        agenda: this.#agenda,
        wire: this.wire,
        memory: this.#memory,
        random: () => this.random(),
        addressOf: (peer: string) => this.nodes.get(peer)?.address,
        onProgram: (node: SimNode, prefix: string, nextHop: string | undefined) =>
          this.#watch(node, prefix, nextHop),
      };
      const address = `10.0.${number >> 8}.${number & 255}`;
      this.nodes.set(name, new SimNode(name, number, prefixes, ports, address));
    }
    return this.replan();
  }

  /** Takes nodes out of the cluster: all know at once. */
  remove(...numbers: readonly number[]): this {
    for (const number of numbers) {
      this.nodes.get(nameOf(number))?.vanish();
      this.nodes.delete(nameOf(number));
    }
    return this.replan();
  }

  /** Nodes die without a word; that they are dead is known some time later. */
  crash(...numbers: readonly number[]): this {
    for (const number of numbers) this.nodes.get(nameOf(number))?.vanish();
    this.#agenda.after(LIVENESS_MS, () => {
      for (const number of numbers) this.#dead.add(nameOf(number));
      this.replan();
    });
    return this;
  }

  /** They begin anew, and are alive to all some time later. */
  restart(...numbers: readonly number[]): this {
    this.add(...numbers);
    this.#agenda.after(LIVENESS_MS, () => {
      for (const number of numbers) this.#dead.delete(nameOf(number));
      this.replan();
    });
    return this;
  }

  /** Cuts the network between those for which `sideOf` differs. */
  partition(sideOf: (number: number) => number): this {
    const sides = new Map<string, number>();
    for (const [name, { address }] of this.nodes) sides.set(address, sideOf(numberOf(name)));
    this.wire.cut((from, to) => sides.get(from) !== sides.get(to));
    return this;
  }

  heal(): this {
    this.wire.cut(() => false);
    return this;
  }

  run(seconds: number): this {
    this.clock.advance(seconds * 1000);
    return this;
  }

  /** From now on it is noted whenever one of these cannot reach another. */
  watch(numbers: readonly number[]): this {
    this.gaps.clear();
    this.#steady.clear();
    for (const number of numbers) this.#steady.add(nameOf(number));
    return this;
  }

  get reflectors(): readonly string[] {
    return this.#plan().reflectors;
  }

  /** Of each node that is alive, what it lacks and what it has too much; empty if all is as it should be. */
  faults(): readonly string[] {
    const faults: string[] = [];
    const alive = [...this.nodes.values()].filter(({ name }) => !this.#dead.has(name));
    for (const node of alive) {
      const wanted = new Map<string, string>();
      for (const other of alive)
        if (other !== node) for (const prefix of other.prefixes) wanted.set(prefix, nextHopOf(other, prefix));
      for (const [prefix, nextHop] of wanted)
        if (node.programmed.get(prefix) !== nextHop)
          faults.push(`${node.name}: ${prefix} by ${node.programmed.get(prefix)}, not ${nextHop}`);
      for (const prefix of node.programmed.keys())
        if (!wanted.has(prefix)) faults.push(`${node.name}: ${prefix} is of nobody`);
    }
    return faults;
  }

  /** All tables in words, one node after the other, but for when things came about: the same for clusters in the same state. */
  *tables(): Iterable<readonly [string, readonly string[]]> {
    for (const [name, { speaker }] of this.nodes) {
      if (this.#dead.has(name)) continue;
      const lines = ([4, 6] as const).flatMap((family) =>
        [...routesOf(speaker.rib.tables, family)].map(
          ({ prefix, peer, outcome, attributes, staleness }) =>
            `${prefix} from ${peer} ${outcome.type} ${staleness} ${JSON.stringify(attributes)}`,
        ),
      );
      yield [name, lines.toSorted()];
    }
  }

  /** Sessions that are up, of each node. */
  sessionCounts(): readonly number[] {
    return [...this.nodes.values()].filter(({ name }) => !this.#dead.has(name)).map(({ up }) => up.size);
  }

  random(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 32;
  }

  replan(): this {
    const plan = this.#plan();
    for (const node of this.nodes.values()) node.follow(plan);
    return this;
  }

  #plan() {
    const nodes = [...this.nodes.keys()].map((name) => {
      const number = numberOf(name);
      const places = [`zone-${number % 3}`, `rack-${number % 30}`];
      return { name, places, isAlive: !this.#dead.has(name) };
    });
    return planMesh(nodes, this.#mesh);
  }

  #watch(node: SimNode, prefix: string, nextHop: string | undefined): void {
    if (nextHop !== undefined || !this.#steady.has(node.name)) return;
    for (const name of this.#steady)
      if (this.nodes.get(name)?.prefixes.includes(prefix) === true) this.gaps.add(`${node.name}: ${prefix}`);
  }
}

function nextHopOf({ address }: SimNode, prefix: string): string {
  return prefix.includes(':') ? ipv6Of(address) : address;
}

function nameOf(number: number): string {
  return `n${number}`;
}

function numberOf(name: string): number {
  return Number(name.slice(1));
}
