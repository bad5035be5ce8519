/** All sets that rules look into: the engine's, and lists of nets and ports that are written in rules. */
import { type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import type { PeerSet, PolicyDelta } from '../graph.ts';
import { peerSetId } from '../peer-set.ts';
import { type Ground, KernelSet, type Key } from './kernel-set.ts';
import { Names } from './names.ts';
import { PeerContent } from './peer-content.ts';
import { addressType, type SetShape } from './place.ts';

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export class RuleSets {
  readonly #ground: Ground;
  readonly #names = new Names();
  /** By peerSetId, for each family. */
  readonly #peers = new Map<string, Readonly<Record<IpFamily, PeerContent>>>();
  readonly #literals = new Map<string, LiteralSet>();

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** Takes in what changed; gives the sets that rules must be made anew for. */
  change(changes: PolicyDelta['sets']): Set<KernelSet> {
    const reshaped = new Set<KernelSet>();
    for (const [, change] of changes)
      for (const family of [4, 6] as const) {
        const content = this.peer(change.set, family);
        if (content.change(change)) reshaped.add(content);
      }
    return reshaped;
  }

  /** To be called when no rule looks into them any more. */
  drop(ids: Iterable<string>): void {
    for (const id of ids) {
      for (const content of Object.values(this.#peers.get(id) ?? {})) content.forget();
      this.#peers.delete(id);
    }
  }

  peer(set: PeerSet, family: IpFamily): PeerContent {
    const id = peerSetId(set);
    let contents = this.#peers.get(id);
    if (contents === undefined) {
      const of = (each: IpFamily): PeerContent => PeerContent.of(this.#ground, this.#names, set, each);
      this.#peers.set(id, (contents = { 4: of(4), 6: of(6) }));
    }
    return contents[family];
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

  #literal(prefix: string, type: Pick<SetShape, 'keyType' | 'interval'>, keys: readonly Key[]): KernelSet {
    const text = `${prefix} ${JSON.stringify(keys)}`;
    let set = this.#literals.get(text);
    if (set === undefined) {
      const shape = { name: this.#names.take(prefix, text), ...type };
      this.#literals.set(text, (set = new LiteralSet(this.#ground, text, shape, keys)));
    }
    return set;
  }
}

class LiteralSet extends KernelSet {
  readonly text: string;
  readonly #made: SetShape;
  readonly #keys: readonly Key[];

  constructor(ground: Ground, text: string, shape: SetShape, keys: readonly Key[]) {
    super(ground);
    this.text = text;
    this.#made = shape;
    this.#keys = keys;
  }

  protected override makeShape(): SetShape {
    return this.#made;
  }

  protected override keys(): Iterable<Key> {
    return this.#keys;
  }
}
