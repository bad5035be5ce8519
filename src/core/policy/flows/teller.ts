/** From logged packets to lines: those that were asked for, each once, with the names and policies that the cluster has at that moment. */
import type { PolicyGraph } from '../engine/graph.ts';
import type { Flow } from '../model.ts';
import { parseRuleTag, type TagParts } from '../rule-tag.ts';
import { isWanted, type LineFilter } from './filter.ts';
import { type FlowLine, flowLine, stagedVerdict } from './flow-line.ts';
import { type Repeated, Repeats } from './repeats.ts';
import { Deciders } from './subjects.ts';

/** Flows that are alike within this time are one line with a number. */
const WINDOW_MS = 5_000;
const MOST_WINDOWS = 20_000;

export interface TaggedPacket {
  /** Of the rule that logged it. */
  readonly prefix: string;
  readonly flow: Flow;
  readonly atMs: number;
}

/** Packets by what was done with them. */
export interface PacketCounts {
  readonly allow: number;
  readonly deny: number;
  /** Passed to the next tier, or logged alone. */
  readonly other: number;
}

interface Seen {
  readonly flow: Flow;
  readonly tag: TagParts;
  readonly atMs: number;
}

export class FlowTeller {
  readonly #filter: LineFilter;
  readonly #repeats = new Repeats<Seen>(WINDOW_MS, MOST_WINDOWS);
  readonly #counts = { allow: 0, deny: 0, other: 0 };
  readonly #graph: PolicyGraph;
  readonly #deciders: Deciders;

  constructor(graph: PolicyGraph, filter: LineFilter = {}) {
    this.#filter = filter;
    this.#graph = graph;
    this.#deciders = new Deciders(graph);
  }

  /** All packets that were ours, whether lines were made of them or not. */
  get counts(): PacketCounts {
    return this.#counts;
  }

  /** Undefined for a packet that is not ours, not wanted, or like one a moment ago. Throws a RangeError for an address that is none. */
  take({ prefix, flow, atMs }: TaggedPacket): FlowLine | undefined {
    const tag = parseRuleTag(prefix);
    if (tag === undefined) return undefined;
    this.#counts[tag.action === 'allow' || tag.action === 'deny' ? tag.action : 'other']++;
    const { icmp } = flow;
    const what = icmp === undefined ? flow.destinationPort : `${icmp.type}.${icmp.code}`;
    const key = `${prefix} ${flow.source} ${flow.destination} ${flow.protocol} ${what}`;
    const seen = { flow, tag, atMs };
    // Most of a flood ends here, before anybody's name is looked for.
    return this.#repeats.isFirst(key, seen, atMs) ? this.#lines([{ value: seen, count: 1 }])[0] : undefined;
  }

  /** Lines for what came again, if it is time; to be asked once a second or so. */
  takeDue(atMs: number): FlowLine[] {
    return this.#lines(this.#repeats.takeDue(atMs));
  }

  /** Lines for all that was held back: at the end. */
  takeAll(): FlowLine[] {
    return this.#lines(this.#repeats.takeAll());
  }

  #lines(repeated: readonly Repeated<Seen>[]): FlowLine[] {
    return repeated.flatMap(({ value: { flow, tag, atMs }, count }) => {
      const decider = this.#deciders.of(tag.digest);
      const line = { ...flowLine(this.#graph, { flow, tag, decider, atMs }), count };
      if (!isWanted(line, this.#filter)) return [];
      if (!this.#deciders.hasStaged) return [line];
      return [{ ...line, staged: stagedVerdict(this.#graph, flow, tag.direction) }];
    });
  }
}
