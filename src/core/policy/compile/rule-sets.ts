/** All sets that rules look into: the engine's, and lists of nets and ports that are written in rules. */
import { type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import type { PeerSet, PolicyDelta } from '../graph.ts';
import { peerSetId } from '../peer-set.ts';
import { type Ground, KernelSet, type Key } from './kernel-set.ts';
import { Names } from './names.ts';
import { type PeerContent, type PeerSets, peerContent } from './peer-content.ts';
import { addressType, type SetShape } from './place.ts';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

interface Peers {
  readonly 4: PeerContent;
  readonly 6: PeerContent;
  readonly names: readonly string[];
}

const PREFIXES = {
  members: 'members',
  'named-port': 'port',
  service: 'service',
  'service-addresses': 'service-addresses',
  domains: 'domains',
} as const satisfies Record<PeerSet['kind'], string>;

/** A comment has at most 128 bytes in nft; what does not fit is cut. */
const COMMENT_BYTES = 120;

export class RuleSets {
  readonly #ground: Ground;
  readonly #names = new Names();
  /** By peerSetId. */
  readonly #peers = new Map<string, Peers>();
  readonly #literals = new Map<string, LiteralSet>();

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** Takes in what changed; gives sets of which every rule that looks into one must be made anew. */
  change(changes: PolicyDelta['sets']): Set<KernelSet> {
    const changed = new Set<KernelSet>();
    for (const change of changes.values()) {
      const peers = this.#peersOf(change.set);
      for (const content of [peers[4], peers[6]]) if (content.change(change)) changed.add(content.sets[0]);
    }
    return changed;
  }

  /** To be called when no rule looks into them any more. */
  drop(ids: Iterable<string>): void {
    for (const id of ids) {
      for (const name of this.#peers.get(id)?.names ?? []) this.#names.give(name);
      this.#peers.delete(id);
    }
  }

  /** All sets that hold the addresses of one. */
  peer(set: PeerSet, family: IpFamily): PeerSets {
    return this.#peersOf(set)[family].sets;
  }

  /** Nets of one family, of which none lies in another. */
  nets(nets: readonly IpPrefix[], family: IpFamily): KernelSet {
    const keys = nets.map((net): Key => [net]);
    return this.#literal(`nets${family}-`, { keyType: [addressType(family)], interval: true }, keys);
  }

  /** Ranges that do not overlap. */
  ports(ranges: readonly PortRange[]): KernelSet {
    const hasRanges = ranges.some(({ from, to }) => from !== to);
    const keys = ranges.map(({ from, to }): Key => [from === to ? from : [from, to]]);
    return this.#literal('ports-', { keyType: ['inet_service'], ...(hasRanges && { interval: true }) }, keys);
  }

  retain(sets: Iterable<KernelSet>): void {
    for (const set of sets) set.retain();
  }

  release(sets: Iterable<KernelSet>): void {
    for (const set of sets) if (set.release()) this.#forget(set);
  }

  /** Sets that were asked for and are not needed. */
  discard(sets: Iterable<KernelSet>): void {
    for (const set of sets) if (!set.isUsed) this.#forget(set);
  }

  #forget(set: KernelSet): void {
    if (!(set instanceof LiteralSet)) return;
    this.#names.give(set.shape.name);
    this.#literals.delete(set.text);
  }

  #peersOf(set: PeerSet): Peers {
    const id = peerSetId(set);
    let peers = this.#peers.get(id);
    if (peers === undefined) {
      const names = ([4, 6] as const).map((family) =>
        this.#names.take(`${PREFIXES[set.kind]}${family}-`, id),
      );
      const of = (family: IpFamily, name = ''): PeerContent =>
        peerContent(this.#ground, set, family, { name, ...commentOf(id) });
      this.#peers.set(id, (peers = { 4: of(4, names[0]), 6: of(6, names[1]), names }));
    }
    return peers;
  }

  #literal(prefix: string, type: Pick<SetShape, 'keyType' | 'interval'>, keys: readonly Key[]): KernelSet {
    const text = `${prefix} ${JSON.stringify(keys)}`;
    let set = this.#literals.get(text);
    if (set === undefined) {
      const shape = { name: this.#names.take(prefix, text), ...type };
      this.#literals.set(text, (set = new LiteralSet(this.#ground, shape, text, keys)));
    }
    return set;
  }
}

/** Written in rules: two that say the same are one. */
class LiteralSet extends KernelSet {
  readonly text: string;
  readonly #keys: readonly Key[];

  constructor(ground: Ground, shape: SetShape, text: string, keys: readonly Key[]) {
    super(ground, shape);
    this.text = text;
    this.#keys = keys;
  }

  protected override keys(): Iterable<Key> {
    return this.#keys;
  }
}

/** What nft can show between quotes. */
function commentOf(id: string): { readonly comment?: string } {
  const text = id.replaceAll('"', "'");
  if (!/^[ -~]*$/.test(text)) return {};
  return { comment: text.length <= COMMENT_BYTES ? text : `${text.slice(0, COMMENT_BYTES - 3)}...` };
}
