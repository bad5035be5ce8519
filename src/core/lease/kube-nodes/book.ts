/**
 * All nodes of a cluster as entries of a registry, and what each event changes of them. An event that changes nothing that matters
 * costs one comparison; none costs more for the number of nodes, except a new subnet of this node's own.
 */
import { type IpPrefix, prefixesOverlap } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { LeaseRecord } from '../model.ts';
import type { NetConf } from '../net-conf.ts';
import { overlapsOf } from '../overlaps.ts';
import type { RegistryEntry } from '../registry.ts';
import type { NodeAnnotations } from './annotations.ts';
import { factsText, type NodeFacts, nodeFacts } from './facts.ts';
import { isManaged, readNode } from './read.ts';

export interface NodeDiff {
  readonly upserts: readonly RegistryEntry[];
  readonly removals: readonly string[];
}

export interface NodeBookOptions {
  /** This node's name. */
  readonly node: string;
  readonly names: NodeAnnotations;
  readonly netConf: NetConf;
}

interface KnownNode {
  readonly facts: NodeFacts;
  readonly text: string;
  readonly entries: readonly RegistryEntry[];
}

const NOTHING: NodeDiff = { upserts: [], removals: [] };
/** How many nodes a sentence names. */
const NAMED = 3;

export class NodeBook {
  private readonly options: NodeBookOptions;
  private readonly nodes = new Map<string, KnownNode>();
  private own: readonly RegistryEntry[] = [];

  constructor(options: NodeBookOptions) {
    this.options = options;
  }

  /** Everything there is, this node's own entries too. */
  entries(): readonly RegistryEntry[] {
    return [...this.own, ...[...this.nodes.values()].flatMap(({ entries }) => entries)];
  }

  /** Another node as it is now. */
  take(object: KubeObject): NodeDiff {
    const { name } = object.metadata;
    const facts = nodeFacts(object, this.options.names);
    const text = factsText(facts);
    const before = this.nodes.get(name);
    if (before?.text === text) return NOTHING;
    const entries = this.read(facts);
    this.nodes.set(name, { facts, text, entries });
    return differences(before?.entries ?? [], entries);
  }

  drop(name: string): NodeDiff {
    const before = this.nodes.get(name);
    this.nodes.delete(name);
    return differences(before?.entries ?? [], []);
  }

  /** All other nodes there are. */
  replace(objects: readonly KubeObject[]): NodeDiff {
    const present = new Set(objects.map(({ metadata }) => metadata.name));
    const gone = [...this.nodes.keys()].filter((name) => !present.has(name));
    return merged([...gone.map((name) => this.drop(name)), ...objects.map((object) => this.take(object))]);
  }

  /** This node's own entries; other nodes' claims to the same addresses are refused. */
  setOwn(entries: readonly RegistryEntry[]): NodeDiff {
    const before = this.own;
    const diff = differences(before, entries);
    if (diff === NOTHING) return NOTHING;
    this.own = entries;
    const others = [...this.nodes].map(([name, node]) => {
      const after = this.read(node.facts);
      this.nodes.set(name, { ...node, entries: after });
      return differences(node.entries, after);
    });
    return merged([diff, ...others]);
  }

  /** Another node that claims addresses of this subnet. */
  claimantOf(subnet: IpPrefix): string | undefined {
    for (const { facts } of this.nodes.values()) {
      for (const entry of readNode(facts, this.options.names, this.options.netConf))
        if ('record' in entry && prefixesOverlap(entry.record.subnet, subnet)) return facts.name;
    }
    return undefined;
  }

  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[] {
    const records = this.entries().flatMap((entry) => ('record' in entry ? [entry.record] : []));
    const texts = overlapsOf(records, ({ subnet }) => subnet).map(
      ([a, b]) => `pod cidr ${a.subnet} of node "${a.node}" and ${b.subnet} of node "${b.node}" overlap`,
    );
    const silent = [...this.nodes.values()].filter(({ facts }) => this.isSilent(facts));
    if (silent.length === 0) return texts;
    const named = silent.slice(0, NAMED).map(({ facts }) => `"${facts.name}"`);
    const more = silent.length > NAMED ? ` and ${silent.length - NAMED} more` : '';
    return [
      ...texts,
      `no pod is reached on node ${named.join(', ')}${more}: there is a pod cidr, and no annotation ${this.options.names.managed}: neither flannel nor Poplin has run there`,
    ];
  }

  private isSilent(facts: NodeFacts): boolean {
    return !facts.isWindows && facts.podCidrs.length > 0 && !isManaged(facts, this.options.names);
  }

  private read(facts: NodeFacts): readonly RegistryEntry[] {
    return readNode(facts, this.options.names, this.options.netConf).map((entry) => {
      if (!('record' in entry)) return entry;
      const taken = this.ownOverlap(entry.record);
      if (taken === undefined) return entry;
      const { subnet } = entry.record;
      return {
        name: entry.name,
        refused: `pod cidr ${subnet} of node "${facts.name}" overlaps this node's ${taken}`,
      };
    });
  }

  private ownOverlap({ subnet }: LeaseRecord): IpPrefix | undefined {
    const entry = this.own.find((own) => 'record' in own && prefixesOverlap(own.record.subnet, subnet));
    return entry !== undefined && 'record' in entry ? entry.record.subnet : undefined;
  }
}

function differences(before: readonly RegistryEntry[], after: readonly RegistryEntry[]): NodeDiff {
  const texts = new Map(before.map((entry) => [entry.name, JSON.stringify(entry)]));
  const upserts = after.filter((entry) => texts.get(entry.name) !== JSON.stringify(entry));
  const present = new Set(after.map(({ name }) => name));
  const removals = before.flatMap(({ name }) => (present.has(name) ? [] : [name]));
  return upserts.length + removals.length === 0 ? NOTHING : { upserts, removals };
}

function merged(diffs: readonly NodeDiff[]): NodeDiff {
  const upserts = diffs.flatMap((diff) => diff.upserts);
  const removals = diffs.flatMap((diff) => diff.removals);
  return upserts.length + removals.length === 0 ? NOTHING : { upserts, removals };
}
